"""What a person did or wants, as the network thread is told of it."""

from msgspec import Struct

from secure_chat.protocol.addresses import UserId


class Intent(Struct, frozen=True):
    """Something that a person did, already in the vault, that the network thread acts on."""

    user_id: UserId


class Wrote(Intent, frozen=True):
    """A text or a receipt was queued."""


class Types(Intent, frozen=True):
    """The person is writing, or has stopped."""

    active: bool


class WantsKey(Intent, frozen=True):
    """The conversation was opened: find out whose key it is."""


class WantsRetry(Intent, frozen=True):
    """Try a halted outbox again."""


class FilesMoved(Intent, frozen=True):
    """A file was sealed, asked for, or given up."""


class WantsServersData(Intent, frozen=True):
    """Ask what the server holds on us (``user_id`` is our own)."""


class WantsDeletion(Intent, frozen=True):
    """Delete our account (``user_id`` is our own)."""


class Decided(Intent, frozen=True):
    """A changed key was accepted, so the sessions of the old one are gone from the vault."""
