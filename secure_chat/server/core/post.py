"""Takes messages from senders and brings them to mailboxes (PROTOCOL.md 3, Delivery).

The sender hears `accepted` when the message is on disk, or when the device has acknowledged it. A
message that was pushed at once gets a moment for that acknowledgement before it is written.
"""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.server.core import wire
from secure_chat.server.core.acknowledged import Acknowledged
from secure_chat.server.core.answers import Answers
from secure_chat.server.core.desk import BUSY_SECONDS, DISK_SECONDS
from secure_chat.server.core.lookups import Lookups
from secure_chat.server.core.mailbox import (
    BUFFERED,
    PAGE_BYTES,
    RESERVE,
    TAG,
    Entry,
    Mailbox,
    Place,
)
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.recent import RecentIds
from secure_chat.server.core.scribe import Scribe
from secure_chat.server.core.session import Session
from secure_chat.server.core.settings import Settings
from secure_chat.server.core.wire import PmHeader
from secure_chat.server.store import Store, mail
from secure_chat.server.store.mail import Waiting

_HELD: Final = 1_024  # messages that may wait until their mailboxes are loaded
_SWEEP_SECONDS: Final = 15.0
_SENDER_AT: Final = TAG + 22  # in the key of a message: mailbox's tag ‖ delivery id ‖ sender


class Post:
    """Brings messages to mailboxes. Lives on the I/O thread."""

    def __init__(self, store: Store, settings: Settings, rates: Rates, lookups: Lookups) -> None:
        self._store = store
        self._lookups = lookups
        self._counters = store.counters
        self._settings = settings
        self._clock = store.clock.wall
        self._rate = rates.messages
        self.mailboxes = Mailboxes(store)
        self._logged_in: dict[Session, Mailbox] = {}
        self._held = 0  # messages that wait for a mailbox to be loaded
        self._pending: dict[bytes, Entry] = {}  # by key: in flight or on the way to the disk
        self._recent = RecentIds()
        self._answers = Answers(store.counters)
        self._scribe = Scribe(store, self._pending, self._answers, self._pump)
        self._turn, self._time = 0.0, self._clock()
        self._acknowledged = Acknowledged(store)
        self._behind: set[Mailbox] = set()
        self._swept_at = 0.0

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
        return self._scribe.outstanding + self._acknowledged.outstanding

    def count_ids(self) -> tuple[Counter[str], Counter[str]]:
        """How many ids are remembered of messages that each account sent or got.

        First those under way, then those that are done. Takes up to 20 ms.
        """
        owners = {mailbox.tag: mailbox.account.user_id for mailbox in self.mailboxes}

        def count(keys: Iterable[bytes]) -> Counter[str]:
            found: Counter[str] = Counter()
            for key in keys:
                sender = key[_SENDER_AT:].partition(b"/")[0].decode()
                recipient = owners.get(key[:TAG], sender)
                found[sender] += 1
                if recipient != sender:
                    found[recipient] += 1
            return found

        return count(self._pending), count(self._recent)

    # ------------------------------------------------------------ sending

    def pm(self, session: Session, header: PmHeader, body: bytes, now: float) -> None:
        """A client sends a message."""
        cost = 1 + len(body) // limits.MESSAGE_TOKEN
        wait = self._rate.take(session.account_id, now, cost)
        if self._lookups.by_name and not wait:
            wait = self._lookups.wait(session.account_id, now)
        if wait:
            self._answers.refuse(session, header, Code.RATE_LIMITED, wait)
            return
        mailbox = self.mailboxes.known.get(header.to)
        if mailbox is not None:
            self._route(session, mailbox, header, body, now)
        elif self._held >= _HELD:
            self._answers.refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
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
            self._answers.refuse(session, header, mailbox, wait)
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
            self._answers.refuse(session, header, Code.DEVICES_CHANGED)
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
            if self._scribe.unwritten.full:
                self._answers.refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
                return
            mailbox.push(entry)
            self._pending[key] = entry
            self._scribe.unwritten.add(entry)
        else:
            self._to_disk(session, mailbox, header, entry)
        if mailbox.last_seq + RESERVE // 2 > mailbox.reserving:
            self._scribe.reserve(mailbox)

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
                self._answers.refuse(session, header, Code.DUPLICATE_ID)
            elif entry.place is Place.DISK:
                self._answers.accepted(session, header.id)
            else:
                entry.waiter = session
                if entry.body is None:  # the disk failed: now it is asked again
                    entry.body, entry.due = body, now + self._settings.store_after_seconds
                    self._scribe.unwritten.add(entry)
            return True
        digest = self._recent.digest(key)
        if digest is None:
            return False
        if digest == hash(body):
            self._answers.accepted(session, header.id)
        else:
            self._answers.refuse(session, header, Code.DUPLICATE_ID)
        return True

    def _to_disk(self, session: Session, mailbox: Mailbox, header: PmHeader, entry: Entry) -> None:
        """A message that cannot be pushed now waits on disk."""
        full = mailbox.refusal(entry.sender, entry.size, self._settings)
        if not self._scribe.write(mailbox, entry, full=full):
            self._answers.refuse(session, header, Code.OVERLOADED, BUSY_SECONDS)
        elif full is None:
            mailbox.last_seq = mailbox.tail = entry.seq
            mailbox.writing[entry.seq] = entry
            mailbox.add(entry)
            self._pending[entry.key] = entry
            if mailbox.session is not None:
                self._behind.add(mailbox)

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
        self._answers.accepted_together(told)
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
                self._scribe.write(mailbox, entry, force=True)

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
        self._scribe.write_late(now)
        self._acknowledged.flush(now)
        for mailbox in list(self._behind):
            if mailbox.session is None or mailbox.drained:
                self._behind.discard(mailbox)
            else:
                self._pump(mailbox)
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            self.mailboxes.sweep(now, self._acknowledged)

    def drain(self, now: float) -> None:
        """Put everything on disk that is not there."""
        for session in list(self._logged_in):
            self.detach(session, now)
        self._acknowledged.flush(now, everything=True)


def check_body(body: bytes) -> bool:
    """Whether a body leaves room for the header that the server writes before it."""
    return len(body) <= limits.BODY
