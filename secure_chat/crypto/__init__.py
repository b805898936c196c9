"""The end-to-end encryption, sans-IO (PROTOCOL.md, chapter on encryption)."""
