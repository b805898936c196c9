"""What the tables of a server's open book are called before people."""

from typing import Final

from secure_chat.client.i18n import N_, Words

_TITLES: Final = {
    "accounts": N_("Your account"),
    "devices": N_("Your devices, and how far their mailboxes are"),
    "one_time_keys": N_("One-time keys (X25519): public, for first messages to you"),
    "one_time_kem_keys": N_("One-time keys (ML-KEM-1024): public, for first messages to you"),
    "deliveries": N_("Messages that wait: for you, and from you for others"),
    "bodies": N_("The sealed contents of these messages"),
    "uploads": N_("Sealed files that you sent and that are still kept"),
    "memory": N_("In memory while you are connected, on no disk"),
}


def title(table: str, words: Words) -> str:
    """A heading for the rows of a table; its own name where this program has none."""
    known = _TITLES.get(table)
    return table if known is None else words(known)
