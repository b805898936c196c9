"""The state of one device's mailbox while it is in use (PROTOCOL.md 3, Delivery).

::

    sequence   1 ... acked | acked+1 ... sent | sent+1 ... tail | last_seq+1 ... reserved
               forgotten     in flight          on disk (or on   may be given out
                             (unacknowledged)   its way there)   without asking the disk

A message is pushed at once only when `drained`: nothing earlier waits. What is pushed at once need
not reach the disk if its acknowledgement is quick. No number is ever used twice: a number is pushed
only below ``reserved``, the high-water mark that is on disk.
"""

from collections import deque
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from secure_chat.errors import Code
from secure_chat.server.core import wire
from secure_chat.server.core.session import Session
from secure_chat.server.core.settings import Settings
from secure_chat.server.store.mail import DeviceState

RESERVE: Final = 4_096
"""Sequences are reserved on disk in blocks of so many."""

BUFFERED: Final = 256 * 1024
"""A connection that has not taken so many bytes yet gets no more pushed."""

PAGE_BYTES: Final = 512 * 1024
REFILL: Final = 32
"""A page is read once so many places in the window are free."""

TAG: Final = 8  # bytes of a mailbox's tag, with which the keys of its messages begin


class Account:
    """What the mailboxes of one account share."""

    __slots__ = ("counter", "id", "mailboxes", "user_id")

    def __init__(self, account_id: int, user_id: str, counter: int) -> None:
        self.id = account_id
        self.user_id = user_id
        self.counter = counter  # of its newest manifest
        self.mailboxes: dict[str, Mailbox] = {}  # those in use, by address


class Place(Enum):
    """Where a message is."""

    MEMORY = auto()
    WRITING = auto()  # handed to the writer, not committed
    DISK = auto()


class Entry(Struct, gc=False, eq=False):
    """A message that is in flight, or on its way to the disk."""

    mailbox: "Mailbox"
    key: bytes  # device ‖ delivery id ‖ sender
    letters: bytes
    seq: int
    sender: bytes
    time: int
    size: int
    body: bytes | None
    waiter: Session | None = None  # who is to hear `accepted`
    due: float = 0.0  # when it is written, if it is not acknowledged by then
    place: Place = Place.MEMORY
    in_flight: bool = False
    counted: bool = False  # in the mailbox's quotas
    digest: int = 0

    def let_body_go(self) -> int:
        """Drop the body, and return the hash by which a repetition of it is recognised."""
        if self.body is not None:
            # The hash of this process, with a key of its own: only the sender itself could be
            # deceived by a collision.
            self.digest = hash(self.body)
            self.body = None
        return self.digest

    def is_of(self, body: bytes) -> bool:
        """Whether this is the same message."""
        return self.body == body if self.body is not None else self.digest == hash(body)


class Mailbox:
    """One device's mailbox: decides what is sent and when; the `Post` reads and writes the disk."""

    __slots__ = (
        "account", "acked", "address", "count", "device_id", "early_ack", "ever_sent", "in_flight",
        "last_seq", "reading", "reserved", "reserving", "senders", "sent", "session", "size",
        "tag", "tail", "told_low", "used_at", "writing",
    )  # fmt: skip

    def __init__(self, state: DeviceState, account: Account) -> None:
        self.device_id = state.device_id
        self.tag = state.device_id.to_bytes(TAG, "big")
        self.address = f"{state.user_id}/{state.device}"
        self.account = account
        self.session: Session | None = None
        self.last_seq = self.reserved = self.reserving = state.last_seq
        self.acked = self.sent = self.ever_sent = state.acked
        self.early_ack = 0  # acknowledged before it was sent again on this connection
        self.tail = state.tail  # highest sequence on disk, or on its way there
        self.in_flight: deque[Entry] = deque()
        self.writing: dict[int, Entry] = {}  # not in flight, not on disk yet; in order
        self.reading = False
        self.count = sum(load.messages for load in state.loads)
        self.size = sum(load.size for load in state.loads)
        self.senders: dict[bytes, tuple[int, int]] = {}  # messages and bytes of each account
        for load in state.loads:
            self._count(load.sender.encode(), load.messages, load.size)
        self.told_low = False
        self.used_at = 0.0

    @property
    def drained(self) -> bool:
        """Whether everything has been pushed on this connection."""
        return self.tail <= self.sent

    def may_push(self, window: int) -> bool:
        """Whether the next message may go straight to the device."""
        return (
            self.session is not None
            and self.tail <= self.sent
            and self.last_seq < self.reserved
            and len(self.in_flight) < window
            and self.session.connection.buffered < BUFFERED
        )

    def push(self, entry: Entry) -> None:
        """Send a message to the device that is logged in."""
        assert self.session is not None
        assert entry.body is not None
        entry.in_flight = True
        self.in_flight.append(entry)
        self.sent = seq = entry.seq
        if seq > self.ever_sent:
            self.ever_sent = seq
        if seq > self.last_seq:
            self.last_seq = seq
        self.session.connection.send(
            wire.delivery(entry.letters, seq, entry.time, entry.sender, entry.body)
        )

    def refusal(self, sender: bytes, size: int, settings: Settings) -> Code | None:
        """Why the disk takes no more for this mailbox, if so.

        Nobody may have more waiting than there is room left: however many fill a mailbox, there is
        a place for whoever has nothing in it yet.
        """
        free, free_bytes = (
            settings.mailbox_messages - self.count,
            settings.mailbox_bytes - self.size,
        )
        if free <= 0 or size > free_bytes:
            return Code.MAILBOX_FULL
        messages, waiting = self.senders.get(_account_of(sender), (0, 0))
        if messages >= min(settings.mailbox_messages_per_sender, free):
            return Code.QUOTA_EXCEEDED
        if waiting + size > min(settings.mailbox_bytes_per_sender, free_bytes):
            return Code.QUOTA_EXCEEDED
        return None

    def add(self, entry: Entry) -> None:
        """Count a message that goes to the disk."""
        if not entry.counted:
            entry.counted = True
            self.count += 1
            self.size += entry.size
            self._count(entry.sender, 1, entry.size)

    def remove(self, entry: Entry) -> None:
        """Count a message no more."""
        if entry.counted:
            entry.counted = False
            self.count -= 1
            self.size -= entry.size
            self._count(entry.sender, -1, -entry.size)

    def _count(self, sender: bytes, messages: int, size: int) -> None:
        """An account counts with all its devices."""
        account = _account_of(sender)
        before, bytes_before = self.senders.get(account, (0, 0))
        if before + messages > 0:
            self.senders[account] = (before + messages, bytes_before + size)
        else:
            self.senders.pop(account, None)

    def acknowledge(self, seq: int) -> list[Entry] | None:
        """Take an acknowledgement: what is done now; None: no such sequence was ever sent."""
        if seq > self.ever_sent:
            return None
        if seq > self.sent:
            self.early_ack = max(self.early_ack, seq)
        done: list[Entry] = []
        while self.in_flight and self.in_flight[0].seq <= seq:
            entry = self.in_flight.popleft()
            entry.in_flight = False
            done.append(entry)
        if done and done[-1].seq > self.acked:
            self.acked = done[-1].seq
        return done

    def attach(self, session: Session) -> None:
        """A connection of the device logged in: send again what is not acknowledged."""
        self.session = session
        self.sent = self.acked
        self.told_low = False

    def detach(self) -> list[Entry]:
        """The connection is gone: what was in flight and is not on disk goes there now."""
        self.session = None
        self.early_ack = 0
        unwritten: list[Entry] = []
        for entry in self.in_flight:
            entry.in_flight = False
            self.tail = max(self.tail, entry.seq)
            if entry.body is not None:  # else the disk has it, or it was refused for a failed disk
                unwritten.append(entry)
        self.in_flight.clear()
        # Lower sequences than those that were on their way to the disk already: keep the order.
        self.writing = {entry.seq: entry for entry in unwritten} | self.writing
        return unwritten

    def next_page(self, window: int) -> tuple[int, int, int] | None:
        """What to read from disk next: (after, before, how many); None: nothing now."""
        session, room = self.session, window - len(self.in_flight)
        if session is None or self.reading or self.tail <= self.sent:
            return None
        if room < min(REFILL, window) or session.connection.buffered >= BUFFERED:
            return None
        # Nothing may overtake what is still on its way to the disk.
        before = next(iter(self.writing), self.tail + 1)
        return (self.sent, before, room) if before > self.sent + 1 else None

    def page_read(self, before: int) -> None:
        """All that the disk has below ``before`` has been sent."""
        self.sent = max(self.sent, before - 1)

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting this object."""
        return self.session is None and not self.writing and not self.reading


def _account_of(sender: bytes) -> bytes:
    """``user_id`` of ``user_id/device``."""
    return sender.partition(b"/")[0]
