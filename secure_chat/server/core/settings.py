"""What an operator may set about the server's behaviour. Times are seconds, sizes bytes."""

from typing import Literal

from msgspec import Struct

from secure_chat.protocol import limits
from secure_chat.protocol.invite import Pin
from secure_chat.protocol.messages import BLOBS, FEATURES, PINS

_KEY_AND_SPARE = 2


class Rate(Struct, frozen=True):
    """A token bucket: ``burst`` at once, then ``per_second`` on average."""

    per_second: float
    burst: float


class Settings(Struct, frozen=True, kw_only=True):
    """Defaults suit a server on the open internet."""

    registration: Literal["open", "invite", "closed"] = "invite"
    pins: tuple[Pin, ...] = ()
    """Of the server's keys: the one in use, then the spare, if there is one."""

    directory: Literal["everybody", "by-name"] = "everybody"
    login_seconds: float = limits.LOGIN_SECONDS
    idle_seconds: float = limits.IDLE_SECONDS
    retention_seconds: int = limits.RETENTION_SECONDS

    mailbox_messages: int = limits.MAILBOX_MESSAGES
    mailbox_bytes: int = limits.MAILBOX_BYTES
    mailbox_messages_per_sender: int = limits.MAILBOX_MESSAGES_PER_SENDER
    mailbox_bytes_per_sender: int = limits.MAILBOX_BYTES_PER_SENDER
    unacknowledged: int = limits.UNACKNOWLEDGED

    blob_size: int = 100 * (limits.MIB + 256)
    """Of one blob; see `blob_size_of`. 0: none are taken."""

    blob_bytes_per_account: int = 1_000 * limits.MIB

    store_after_seconds: float = 0.2
    """A pushed message that is not acknowledged for so long is written to disk."""

    requests: Rate = Rate(50, 400)
    """Of one account: everything but messages, acknowledgements and pings."""

    messages: Rate = Rate(100, 4_000)
    """Of one account, 4 KiB each; a longer one counts as several."""

    frames: Rate = Rate(4_000, 20_000)
    """Of one connection, of any kind: one that sends more is closed."""

    refusals: Rate = Rate(50, 1_000)
    """That one connection may provoke: one that asks for more is closed."""

    refusals_of_strangers: Rate = Rate(1, 20)
    """The same before the login."""

    blob_chunks: Rate = Rate(1_000, 4_000)
    """Of 48 KiB each, that one account may bring and fetch."""

    bundles: Rate = Rate(1, 120)
    """Prekey bundles that one account may fetch."""

    one_time_keys: Rate = Rate(1 / 600, 20)
    """One-time keys of one device that one account may use up; then it gets the last-resort key."""

    one_time_keys_of_address: Rate = Rate(1 / 120, 40)
    """One-time keys of one device that the accounts of one address may use up together."""

    registrations: Rate = Rate(0.2, 200)
    """From one address (IPv6: from one /64)."""

    logins: Rate = Rate(20, 1_000)
    """From one address (IPv6: from one /64)."""

    logins_of_account: Rate = Rate(0.5, 60)
    """Of one account, with a good proof: each brings all that waits unacknowledged once more."""

    book_pages: Rate = Rate(2, 100)
    """Pages of `my_data` that one account may read; one of the memory counts as ten."""

    misses: Rate = Rate(1 / 30, 60)
    """Names that one account may ask for in vain, where the directory is by name."""

    @property
    def features(self) -> tuple[str, ...]:
        """The optional parts of the protocol that are offered."""
        absent = {PINS} if len(self.pins) < _KEY_AND_SPARE else set()
        if not self.blob_size:
            absent.add(BLOBS)
        return tuple(one for one in FEATURES if one not in absent)


def blob_size_of(file_mib: int) -> int:
    """How large a blob may be so that a file of so many MiB fits: 16 bytes for each 64 KiB more."""
    return file_mib * (limits.MIB + 256)
