"""What the senders of messages are told: accepted, or why not."""

from secure_chat.errors import Code
from secure_chat.protocol.wiretypes import DeliveryId
from secure_chat.server.core import wire
from secure_chat.server.core.mailbox import Entry
from secure_chat.server.core.session import Session, Stage
from secure_chat.server.core.wire import PmHeader
from secure_chat.server.counters import Counters


class Answers:
    """Speaks to sessions, those that are gone excepted. Lives on the I/O thread."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def accepted(self, session: Session, letters: bytes) -> None:
        """A message is on disk, or with its device."""
        self._counters.accepted += 1
        if session.stage is not Stage.GONE:
            session.connection.send(wire.accepted(letters))

    def accepted_entry(self, entry: Entry) -> None:
        """The same to whoever waits to hear it, if somebody does."""
        waiter, entry.waiter = entry.waiter, None
        if waiter is not None:
            self.accepted(waiter, entry.letters)

    def accepted_together(self, told: dict[Session, list[bytes]]) -> None:
        """Many at once: frames of `accepted` by session."""
        for session, frames in told.items():
            self._counters.accepted += len(frames)
            if session.stage is not Stage.GONE:
                session.connection.send(b"".join(frames))

    @staticmethod
    def refuse(
        session: Session, header: PmHeader, code: Code, retry_after: float | None = None
    ) -> None:
        """A message is not taken."""
        if not header.transient:  # those are not answered, whatever happens
            session.refuse(code, id=DeliveryId(wire.id_of(header.id)), retry_after=retry_after)

    @staticmethod
    def refuse_entry(entry: Entry, code: Code, retry_after: float | None = None) -> None:
        """A message that had been taken is not kept."""
        waiter, entry.waiter = entry.waiter, None
        if waiter is not None:
            waiter.refuse(code, id=wire.id_of(entry.letters), retry_after=retry_after)
