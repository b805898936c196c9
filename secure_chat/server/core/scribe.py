"""Puts messages on disk: those that cannot be pushed, or that nobody acknowledged in time."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from secure_chat.errors import Code
from secure_chat.server.core import wire
from secure_chat.server.core.answers import Answers
from secure_chat.server.core.desk import BUSY_SECONDS, DISK_SECONDS
from secure_chat.server.core.mailbox import RESERVE, Entry, Mailbox, Place
from secure_chat.server.core.unwritten import Unwritten
from secure_chat.server.store import Store, mail
from secure_chat.server.store.mail import Letter, Stored

_REFUSED: Final = {Stored.OTHER: Code.DUPLICATE_ID, Stored.NO_DEVICE: Code.UNKNOWN_USER}


class Scribe:
    """Hands messages to the store's writer, and tells their senders what became of them.

    ``pending`` are the messages under way, by key; ``settled`` is called when a mailbox may have
    something new to send. Lives on the I/O thread.
    """

    def __init__(
        self,
        store: Store,
        pending: dict[bytes, Entry],
        answers: Answers,
        settled: Callable[[Mailbox], None],
    ) -> None:
        self._store = store
        self._pending = pending
        self._answers = answers
        self._settled = settled
        self.unwritten = Unwritten()
        self.outstanding = 0  # writes that are not committed yet

    def write(
        self, mailbox: Mailbox, entry: Entry, *, full: Code | None = None, force: bool = False
    ) -> bool:
        """Hand a message to the writer; False if it has too much to do (never with ``force``).

        ``full``: only look whether it is there already, and refuse it with this code if not.
        """
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
        self.outstanding += 1
        return True

    def write_late(self, now: float) -> None:
        """Write what was pushed and not acknowledged in time."""
        for entry in self.unwritten.due(now):
            if not entry.in_flight or entry.place is not Place.MEMORY or entry.body is None:
                continue
            if self.write(entry.mailbox, entry):
                entry.mailbox.add(entry)
            else:  # the writer has too much to do
                entry.due = now + BUSY_SECONDS
                self.unwritten.add(entry)

    def reserve(self, mailbox: Mailbox) -> None:
        """Ask the disk for more sequences before those that may be given out are used up."""
        seq = mailbox.last_seq + RESERVE

        def reserved(outcome: Any) -> None:
            self.outstanding -= 1
            if isinstance(outcome, Exception):
                mailbox.reserving = mailbox.reserved  # the next message asks again
            else:
                mailbox.reserved = max(mailbox.reserved, seq)

        def job(connection: Any) -> None:
            mail.reserve(connection, mailbox.device_id, seq)

        if self._store.write(job, reserved):
            self.outstanding += 1
            mailbox.reserving = seq

    # ------------------------------------------------------------ what became of it

    def _written(
        self, mailbox: Mailbox, entry: Entry, full: Code | None, outcome: Stored | Exception
    ) -> None:
        self.outstanding -= 1
        if isinstance(outcome, Exception):
            self._failed(mailbox, entry)
        else:
            entry.place = Place.DISK  # there is nothing more to write
            entry.let_body_go()
            if outcome is Stored.YES:
                self._answers.accepted_entry(entry)
            else:
                self._not_stored(mailbox, entry, full, outcome)
        if not entry.in_flight:
            if mailbox.writing.get(entry.seq) is entry:  # a mere look-up has no sequence of its own
                del mailbox.writing[entry.seq]
            if self._pending.get(entry.key) is entry:
                del self._pending[entry.key]
        self._settled(mailbox)

    def _not_stored(
        self, mailbox: Mailbox, entry: Entry, full: Code | None, outcome: Stored
    ) -> None:
        """The disk knew this delivery id, or there was no room or no device for it."""
        mailbox.remove(entry)  # its row is another one, or none
        if outcome is Stored.ALREADY:
            self._answers.accepted_entry(entry)
        else:
            code = full if full is not None and outcome is Stored.NO else _REFUSED[outcome]
            self._answers.refuse_entry(entry, code)

    def _failed(self, mailbox: Mailbox, entry: Entry) -> None:
        """Nothing was kept, and its sender knows.

        What is in flight may still be acknowledged. Its body is let go all the same: its sender
        repeats it, and a full disk must not fill the memory too.
        """
        mailbox.remove(entry)
        self._answers.refuse_entry(entry, Code.STORAGE_UNAVAILABLE, DISK_SECONDS)
        entry.place = Place.MEMORY
        entry.let_body_go()
