"""``listen``: unread messages first, then each as it comes.

A message is marked as read only after it was written out, so that a script that dies loses none.
"""

from argparse import Namespace

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.events import (
    ChangeSent,
    Conversation,
    ConversationChanged,
    Message,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
    Problem,
    TypingChanged,
)
from secure_chat.errors import NotDone
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.encoding import b64url

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
        elif isinstance(event, MessageChanged):
            printer.changed(event.message)
        elif isinstance(event, ConversationChanged):
            printer.conversation(event.conversation)
        elif isinstance(event, MessageRemoved | TypingChanged | ChangeSent):
            printer.happened(event)
        elif isinstance(event, Problem):
            said = words.error(event.error)
            output.note(f"{event.user_id}: {said}" if event.user_id else said)
        if printer.full:
            return
        if engine.events.empty():  # what came together is marked together
            printer.mark()


class _Printer:
    """Writes messages of others and counts them."""

    def __init__(self, engine: Engine, chosen: Namespace) -> None:
        self._engine = engine
        self._json: bool = chosen.json
        self._shown: dict[int, object] = {}  # by number: what text mode last said of a message
        self._sender: UserId | None = chosen.sender
        self._count: int | None = chosen.count
        self._seen: dict[UserId, int] = {}  # written out and not marked as read yet
        self._asked: set[UserId] = set()
        self.printed = 0

    @property
    def full(self) -> bool:
        """Whether --count is reached."""
        return self._count is not None and self.printed >= self._count

    def unread(self) -> None:
        """What came while nobody listened."""
        for conversation in reversed(self._engine.conversations()):
            self.conversation(conversation)
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
            found = [one for one in page if not (one.ours or one.is_notice or one.deleted)] + found
            before = page[0].number
        return found[len(found) - unread :] if unread else []

    def mark(self) -> None:
        """Mark as read what was written out."""
        while self._seen:
            self._engine.mark_read(*self._seen.popitem())

    def changed(self, message: Message) -> None:
        """Another text, state or reaction. As text, only what a reader would see."""
        if self._is_other(message.user_id):
            return
        if self._json:
            facts = output.message_facts(message)
            output.say_json(output.json_line(**facts | {"type": "changed"}))
            return
        now = (message.text, message.deleted, message.reactions)
        before = self._shown.get(message.number)
        self._shown[message.number] = now
        if now != before and (message.edited or message.deleted or message.reactions):
            output.say(output.message_text(message))

    def conversation(self, conversation: Conversation) -> None:
        """Say once that a stranger waits."""
        user_id = conversation.user_id
        if not conversation.request or user_id in self._asked or self._is_other(user_id):
            return
        self._asked.add(user_id)
        if self._json:
            output.say_json(output.json_line(**{"type": "request", "from": user_id}))
        else:
            output.note(
                words(
                    "{user_id} wants to write to you. See it: secure-chat accept {user_id}. "
                    "Never hear of them: secure-chat block {user_id}.",
                    user_id=user_id,
                )
            )

    def happened(self, event: MessageRemoved | TypingChanged | ChangeSent) -> None:
        """What is no message: a script may follow it, a reader is not told."""
        if self._json and not self._is_other(event.user_id):
            output.say_json(output.json_line(**_facts(event)))

    def _is_other(self, user_id: UserId) -> bool:
        return self._sender is not None and user_id != self._sender

    def message(self, message: Message) -> None:
        """Write one out."""
        if message.ours or self._is_other(message.user_id):
            return
        if self._json:
            output.say_json(output.message_json(message))
        else:
            output.say(output.message_text(message))
        self._seen[message.user_id] = max(message.number, self._seen.get(message.user_id, 0))
        self.printed += not message.is_notice


def _facts(event: MessageRemoved | TypingChanged | ChangeSent) -> dict[str, object]:
    match event:
        case MessageRemoved(user_id=user_id, number=number, content_id=content_id):
            return {
                "type": "removed", "with": user_id, "number": number, "id": b64url(content_id),
            }  # fmt: skip
        case TypingChanged(user_id=user_id, active=active):
            return {"type": "typing", "from": user_id, "active": active}
        case ChangeSent(user_id=user_id, content_id=content_id, state=state, problem=problem):
            facts = {
                "type": "sent", "with": user_id, "id": b64url(content_id), "state": state.value,
            }  # fmt: skip
            return {**facts, **({"problem": problem} if problem else {})}
