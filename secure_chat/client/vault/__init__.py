"""Everything a client keeps: one encrypted database in a locked folder of its owner."""

from secure_chat.client.vault.database import Vault

__all__ = ["Vault"]
