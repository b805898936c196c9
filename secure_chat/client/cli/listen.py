"""``listen``: unread messages first, then each as it comes.

A message is marked as read only after it was written out, so that a script that dies loses none.
"""

from argparse import Namespace

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.events import Message, MessageAdded, Problem
from secure_chat.errors import NotDone
from secure_chat.protocol.addresses import UserId

_PAGE = 100


def listen(chosen: Namespace, backend: Backend) -> int:
    """Print messages until interrupted, or until --count or --for is reached."""
    with closing(open_engine(chosen, backend)) as engine:
        printer = _Printer(engine, chosen)
        try:
            printer.unread()
            if not printer.full:
                _print_as_they_come(engine, printer, chosen.seconds)
        finally:
            printer.mark()
    if chosen.count is not None and not printer.full:
        raise NotDone(
            what=words(
                "Only {n} of {count} messages came within {seconds:g} s.",
                n=printer.printed,
                count=chosen.count,
                seconds=chosen.seconds,
            )
        )
    return 0


def _print_as_they_come(engine: Engine, printer: "_Printer", seconds: float | None) -> None:
    events = Events(engine, told=True)
    engine.start()
    for event in events.until(None if seconds is None else deadline_in(seconds)):
        if isinstance(event, MessageAdded):
            printer.message(event.message)
        elif isinstance(event, Problem):
            output.note(f"{event.user_id}: {event.error}" if event.user_id else str(event.error))
        if printer.full:
            return
        if engine.events.empty():  # what came together is marked together
            printer.mark()


class _Printer:
    """Writes messages of others and counts them."""

    def __init__(self, engine: Engine, chosen: Namespace) -> None:
        self._engine = engine
        self._line = output.message_json if chosen.json else output.message_text
        self._sender: UserId | None = chosen.sender
        self._count: int | None = chosen.count
        self._seen: dict[UserId, int] = {}  # written out and not marked as read yet
        self.printed = 0

    @property
    def full(self) -> bool:
        """Whether --count is reached."""
        return self._count is not None and self.printed >= self._count

    def unread(self) -> None:
        """What came while nobody listened."""
        for conversation in reversed(self._engine.conversations()):
            for message in self._last(conversation.user_id, conversation.unread):
                if self.full:
                    return
                self.message(message)

    def _last(self, user_id: UserId, unread: int) -> list[Message]:
        """The newest ``unread`` messages of the other side, in order."""
        found: list[Message] = []
        before: int | None = None
        while len(found) < unread:
            page = self._engine.history(user_id, before, _PAGE)
            if not page:
                break
            found = [message for message in page if not message.ours] + found
            before = page[0].number
        return found[len(found) - unread :] if unread else []

    def mark(self) -> None:
        """Mark as read what was written out."""
        while self._seen:
            self._engine.mark_read(*self._seen.popitem())

    def message(self, message: Message) -> None:
        """Write one out."""
        if message.ours or (self._sender is not None and message.user_id != self._sender):
            return
        output.say(self._line(message))
        self._seen[message.user_id] = message.number
        self.printed += not message.is_notice
