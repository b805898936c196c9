"""What the server keeps on disk: accounts, keys, invites and mailboxes of opaque payloads."""

from secure_chat.server.store.store import Store

__all__ = ["Store"]
