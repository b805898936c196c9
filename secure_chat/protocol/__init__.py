"""The wire protocol, sans-IO: bytes in, bytes and typed messages out (PROTOCOL.md 1-5)."""
