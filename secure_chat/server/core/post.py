"""Takes messages from senders and brings them to mailboxes (PROTOCOL.md 3, Delivery).

The sender hears `accepted` when the message is on disk, or when the device has acknowledged it. A
message that was pushed at once gets a moment for that acknowledgement before it is written.
"""

from functools import partial
from typing import Any, Final

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import DeliveryId
from secure_chat.server.core import wire
from secure_chat.server.core.acknowledged import Acknowledged
from secure_chat.server.core.buckets import Buckets
from secure_chat.server.core.desk import BUSY_SECONDS, DISK_SECONDS
from secure_chat.server.core.lookups import Lookups
from secure_chat.server.core.mailbox import (
    BUFFERED,
    PAGE_BYTES,
    RESERVE,
    Entry,
    Mailbox,
    Place,
)
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.recent import RecentIds
from secure_chat.server.core.session import Session, Stage
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.unwritten import Unwritten
from secure_chat.server.core.wire import PmHeader
from secure_chat.server.store import Store, mail
from secure_chat.server.store.mail import Letter, Stored, Waiting

_HELD: Final = 1_024
_SWEEP_SECONDS: Final = 15.0
_REFUSED: Final = {Stored.OTHER: Code.DUPLICATE_ID, Stored.NO_DEVICE: Code.UNKNOWN_USER}


class Post:
    """Brings messages to mailboxes. Lives on the I/O thread."""

    def __init__(self, store: Store, settings: Settings, lookups: Lookups) -> None:
        self._store = store
        self._lookups = lookups
        self._counters = store.counters
        self._settings = settings
        self._clock = store.clock.wall
        self._rate = Buckets(settings.messages)
        self.mailboxes = Mailboxes(store)
        self._logged_in: dict[Session, Mailbox] = {}
        self._held = 0  # messages that wait for a mailbox to be loaded
        self._pending: dict[bytes, Entry] = {}  # by key: in flight or on the way to the disk
        self._recent = RecentIds()
        self._unwritten = Unwritten()
        self._turn, self._time = 0.0, self._clock()
        self._acknowledged = Acknowledged(store)
        self._behind: set[Mailbox] = set()
        self._swept_at = 0.0
        self._writes = 0  # not committed yet

    def reconfigure(self, settings: Settings) -> None:
        """Follow other settings from now on."""
        self._settings = settings

    @property
    def logged_in(self) -> int:
        """Devices that are logged in."""
        return len(self._logged_in)

    @property
    def outstanding(self) -> int:
        """Writes that are not committed yet."""
        return self._writes + self._acknowledged.outstanding

    # ------------------------------------------------------------ sending

    def pm(self, session: Session, header: PmHeader, body: bytes, now: float) -> None:
        """A client sends a message."""
        cost = 1 + len(body) // limits.MESSAGE_TOKEN
        wait = self._rate.take(session.account_id, now, cost)
        if self._lookups.by_name and not wait:
            wait = self._lookups.wait(session.account_id, now)
        if wait:
            self._refuse(session, header, Code.RATE_LIMITED, wait)
            return
        mailbox = self.mailboxes.known.get(header.to)
        if mailbox is not None:
            self._route(session, mailbox, header, body, now)
        elif self._held >= _HELD:
            self._refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
        else:
            self._held += 1
            self.mailboxes.with_one(
                header.to, partial(self._held_route, session, header, body, now)
            )

    def _held_route(
        self, session: Session, header: PmHeader, body: bytes, now: float, mailbox: Mailbox | Code
    ) -> None:
        self._held -= 1
        if session.account_id in self.mailboxes.barred:
            return
        if isinstance(mailbox, Code):
            wait = None if mailbox is Code.UNKNOWN_USER else DISK_SECONDS
            if wait is None:
                self._lookups.missed(session.account_id, now)
            self._refuse(session, header, mailbox, wait)
        else:
            self._route(session, mailbox, header, body, now)

    def _route(
        self, session: Session, mailbox: Mailbox, header: PmHeader, body: bytes, now: float
    ) -> None:
        letters = header.id
        if header.transient:
            self._push_transient(session, mailbox, letters, body)
            return
        if header.manifest and header.manifest < mailbox.account.counter:
            self._refuse(session, header, Code.DEVICES_CHANGED)
            return
        mailbox.used_at = now
        key = mailbox.tag + letters + session.stamp
        known = key in self._pending or self._recent.knows(key)
        if known and self._is_repetition(session, header, key, body, now):
            return
        if now != self._turn:  # one look at the clock for all that came together
            self._turn, self._time = now, self._clock()
        entry = Entry(
            mailbox, key, letters, mailbox.last_seq + 1, session.stamp, self._time, len(body), body,
            session, now + self._settings.store_after_seconds,
        )  # fmt: skip
        if mailbox.may_push(self._settings.unacknowledged):
            if self._unwritten.full:
                self._refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
                return
            mailbox.push(entry)
            self._pending[key] = entry
            self._unwritten.add(entry)
        else:
            self._to_disk(session, mailbox, header, entry)
        if mailbox.last_seq + RESERVE // 2 > mailbox.reserving:
            self._reserve(mailbox)

    def _push_transient(
        self, session: Session, mailbox: Mailbox, letters: bytes, body: bytes
    ) -> None:
        to = mailbox.session
        if to is not None and to.connection.buffered < BUFFERED:
            to.connection.send(wire.delivery(letters, 0, self._clock(), session.stamp, body))

    def _is_repetition(
        self, session: Session, header: PmHeader, key: bytes, body: bytes, now: float
    ) -> bool:
        """Answer a delivery id that is known already; False for a new one."""
        entry = self._pending.get(key)
        if entry is not None:
            if not entry.is_of(body):
                self._refuse(session, header, Code.DUPLICATE_ID)
            elif entry.place is Place.DISK:
                self._say_accepted(session, header.id)
            else:
                entry.waiter = session
                if entry.body is None:  # the disk failed: now it is asked again
                    entry.body, entry.due = body, now + self._settings.store_after_seconds
                    self._unwritten.add(entry)
            return True
        digest = self._recent.digest(key)
        if digest is None:
            return False
        if digest == hash(body):
            self._say_accepted(session, header.id)
        else:
            self._refuse(session, header, Code.DUPLICATE_ID)
        return True

    def _to_disk(self, session: Session, mailbox: Mailbox, header: PmHeader, entry: Entry) -> None:
        """A message that cannot be pushed now waits on disk."""
        full = mailbox.refusal(entry.sender, entry.size, self._settings)
        if not self._write(mailbox, entry, full=full):
            self._refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
        elif full is None:
            mailbox.last_seq = mailbox.tail = entry.seq
            mailbox.writing[entry.seq] = entry
            mailbox.add(entry)
            self._pending[entry.key] = entry
            if mailbox.session is not None:
                self._behind.add(mailbox)

    # ------------------------------------------------------------ the disk

    def _write(
        self, mailbox: Mailbox, entry: Entry, *, full: Code | None = None, force: bool = False
    ) -> bool:
        """Hand a message to the writer; ``full``: only look whether it is there already."""
        assert entry.body is not None
        letter = Letter(
            mailbox.device_id,
            entry.seq,
            wire.id_of(entry.letters),
            entry.sender.decode(),
            entry.time,
            entry.body,
            self._store.clock.now_ms(),
            full is not None,
        )
        told = partial(self._written, mailbox, entry, full)
        if not self._store.store(letter, told, force=force):
            return False
        entry.place = Place.WRITING
        self._writes += 1
        return True

    def _written(
        self, mailbox: Mailbox, entry: Entry, full: Code | None, outcome: Stored | Exception
    ) -> None:
        self._writes -= 1
        if isinstance(outcome, Exception):
            self._write_failed(mailbox, entry)
        else:
            entry.place = Place.DISK  # there is nothing more to write
            entry.let_body_go()
            if outcome is Stored.YES:
                self._accept(entry)
            else:
                self._not_stored(mailbox, entry, full, outcome)
        if not entry.in_flight:
            if mailbox.writing.get(entry.seq) is entry:  # a mere look-up has no sequence of its own
                del mailbox.writing[entry.seq]
            if self._pending.get(entry.key) is entry:
                del self._pending[entry.key]
        self._pump(mailbox)

    def _not_stored(
        self, mailbox: Mailbox, entry: Entry, full: Code | None, outcome: Stored
    ) -> None:
        """The disk knew this delivery id, or there was no room or no device for it."""
        mailbox.remove(entry)  # its row is another one, or none
        if outcome is Stored.ALREADY:
            self._accept(entry)
        else:
            code = full if full is not None and outcome is Stored.NO else _REFUSED[outcome]
            self._refuse_entry(entry, code)

    def _write_failed(self, mailbox: Mailbox, entry: Entry) -> None:
        """Nothing was kept, and its sender knows.

        What is in flight may still be acknowledged. Its body is let go all the same: its sender
        repeats it, and a full disk must not fill the memory too.
        """
        mailbox.remove(entry)
        self._refuse_entry(entry, Code.STORAGE_UNAVAILABLE, DISK_SECONDS)
        entry.place = Place.MEMORY
        entry.let_body_go()

    def _reserve(self, mailbox: Mailbox) -> None:
        seq = mailbox.last_seq + RESERVE

        def reserved(outcome: Any) -> None:
            self._writes -= 1
            if isinstance(outcome, Exception):
                mailbox.reserving = mailbox.reserved  # the next message asks again
            else:
                mailbox.reserved = max(mailbox.reserved, seq)

        def job(connection: Any) -> None:
            mail.reserve(connection, mailbox.device_id, seq)

        if self._store.write(job, reserved):
            self._writes += 1
            mailbox.reserving = seq

    # ------------------------------------------------------------ receiving

    def ack(self, session: Session, seq: int) -> bool:
        """A device has everything up to ``seq``; False if it was never sent that."""
        mailbox = self._logged_in.get(session)
        if mailbox is None:  # draining: what is acknowledged now is sent again after a login
            return True
        done = mailbox.acknowledge(seq)
        if done is None:
            return False
        if done:
            stored = self._settle(mailbox, done)
            self._acknowledged.note(mailbox, stored=stored)
        if not mailbox.drained:
            self._pump(mailbox)
        return True

    def _settle(self, mailbox: Mailbox, done: list[Entry]) -> bool:
        """Messages are with their device; whether the disk has to forget some of them."""
        stored = False
        told: dict[Session, list[bytes]] = {}
        for entry in done:
            if entry.waiter is not None:
                told.setdefault(entry.waiter, []).append(wire.accepted(entry.letters))
                entry.waiter = None
            if self._pending.get(entry.key) is entry:
                del self._pending[entry.key]
            self._recent.add(entry.key, entry.let_body_go())
            if entry.counted:
                mailbox.remove(entry)
            if entry.place is not Place.MEMORY:
                stored = True
        self._counters.delivered += len(done)
        for session, frames in told.items():
            self._counters.accepted += len(frames)
            if session.stage is not Stage.GONE:
                session.connection.send(b"".join(frames))
        return stored

    def attach(self, mailbox: Mailbox, session: Session) -> None:
        """The device of a mailbox has logged in."""
        self._logged_in[session] = mailbox
        mailbox.attach(session)
        self._pump(mailbox)

    def detach(self, session: Session, now: float) -> None:
        """A connection is gone: what its device has not acknowledged goes to the disk."""
        mailbox = self._logged_in.pop(session, None)
        if mailbox is None or mailbox.session is not session:
            return
        mailbox.used_at = now
        for entry in list(mailbox.in_flight):
            # From now on the disk knows its id; or, if the disk failed, nobody.
            if entry.body is None and self._pending.get(entry.key) is entry:
                del self._pending[entry.key]
        for entry in mailbox.detach():
            if entry.place is Place.MEMORY:
                mailbox.add(entry)
                self._write(mailbox, entry, force=True)

    def _pump(self, mailbox: Mailbox) -> None:
        """Read the next page from disk if there is something to send and room for it."""
        page = mailbox.next_page(self._settings.unacknowledged)
        if page is None:
            if mailbox.session is not None and not mailbox.drained:
                self._behind.add(mailbox)
            return
        after, before, most = page
        session = mailbox.session

        def job(connection: Any) -> list[Waiting]:
            return mail.page(connection, mailbox.device_id, after, before, most, PAGE_BYTES)

        mailbox.reading = self._store.read(
            job, partial(self._page_read, mailbox, session, before, most)
        )
        self._behind.add(mailbox)

    def _page_read(
        self,
        mailbox: Mailbox,
        session: Session | None,
        before: int,
        most: int,
        outcome: list[Waiting] | Exception,
    ) -> None:
        mailbox.reading = False
        if not isinstance(outcome, Exception) and mailbox.session is session:
            for waiting in outcome:
                self._push_stored(mailbox, waiting)
            size = sum(len(waiting.body) for waiting in outcome)
            if len(outcome) < most and size < PAGE_BYTES:
                mailbox.page_read(before)
        if not isinstance(outcome, Exception):  # after a failure the next tick tries again
            self._pump(mailbox)

    def _push_stored(self, mailbox: Mailbox, waiting: Waiting) -> None:
        letters, sender = wire.letters_of(waiting.delivery_id), waiting.sender.encode()
        entry = Entry(
            mailbox, mailbox.tag + letters + sender, letters, waiting.seq, sender, waiting.time,
            len(waiting.body), waiting.body, place=Place.DISK, counted=True,
        )  # fmt: skip
        if waiting.seq <= mailbox.early_ack:
            mailbox.sent = mailbox.acked = waiting.seq
            self._settle(mailbox, [entry])
            self._acknowledged.note(mailbox, stored=True)
            return
        mailbox.push(entry)
        entry.let_body_go()
        self._pending[entry.key] = entry

    # ------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """Write what nobody acknowledged in time, forget on disk what was, read on."""
        self._write_late(now)
        self._acknowledged.flush(now)
        for mailbox in list(self._behind):
            if mailbox.session is None or mailbox.drained:
                self._behind.discard(mailbox)
            else:
                self._pump(mailbox)
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            self._rate.forget_full(now)
            self.mailboxes.sweep(now, self._acknowledged)

    def _write_late(self, now: float) -> None:
        for entry in self._unwritten.due(now):
            if not entry.in_flight or entry.place is not Place.MEMORY:
                continue
            if self._write(entry.mailbox, entry):
                entry.mailbox.add(entry)
            else:  # the writer has too much to do
                entry.due = now + BUSY_SECONDS
                self._unwritten.add(entry)

    def drain(self, now: float) -> None:
        """Put everything on disk that is not there."""
        for session in list(self._logged_in):
            self.detach(session, now)
        self._acknowledged.flush(now, everything=True)

    # ------------------------------------------------------------ answers

    def _accept(self, entry: Entry) -> None:
        waiter, entry.waiter = entry.waiter, None
        if waiter is not None:
            self._say_accepted(waiter, entry.letters)

    def _say_accepted(self, session: Session, letters: bytes) -> None:
        self._counters.accepted += 1
        if session.stage is not Stage.GONE:
            session.connection.send(wire.accepted(letters))

    def _refuse_entry(self, entry: Entry, code: Code, retry_after: float | None = None) -> None:
        waiter, entry.waiter = entry.waiter, None
        if waiter is not None:
            waiter.refuse(code, id=wire.id_of(entry.letters), retry_after=retry_after)

    def _refuse(
        self, session: Session, header: PmHeader, code: Code, retry_after: float | None = None
    ) -> None:
        if not header.transient:  # those are not answered, whatever happens
            session.refuse(code, id=DeliveryId(wire.id_of(header.id)), retry_after=retry_after)


def check_body(body: bytes) -> bool:
    """Whether a body leaves room for the header that the server writes before it."""
    return len(body) <= limits.BODY
