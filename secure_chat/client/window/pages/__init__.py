"""Pages that cover the window: settings, verification, the account. Escape closes each."""
