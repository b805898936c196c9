"""What the desktop is told while the window is not in front: never a text unless the person asks.

Muted, blocked and unaccepted people are silent, and so are our own lines. What comes together is
told together.
"""

from collections.abc import Callable
from dataclasses import dataclass

from secure_chat.client.events import ConversationChanged, Event, Message, MessageAdded
from secure_chat.client.i18n import Words
from secure_chat.client.text import one_line
from secure_chat.protocol.addresses import UserId

OFF, COUNT, NAME, TEXT = "off", "count", "name", "text"
STYLES = (NAME, COUNT, TEXT, OFF)
_LONGEST = 120  # characters of a message


@dataclass(frozen=True)
class Notice:
    """One notification. ``user_id``: whose conversation it opens; None: only the window."""

    title: str
    body: str
    user_id: UserId | None = None


class Notices:
    """Gathers events while nobody looks, and says at most one thing at a time."""

    def __init__(self, words: Words, style: Callable[[], str], now_ms: Callable[[], int]) -> None:
        self._ = words
        self._style, self._now = style, now_ms
        self._muted: dict[UserId, int] = {}
        self._names: dict[UserId, str] = {}
        self._requests: set[UserId] = set()
        self._new_requests: set[UserId] = set()
        self._waiting: list[Message] = []

    def know(self, change: ConversationChanged) -> None:
        """How a conversation stands, without saying anything."""
        conversation = change.conversation
        user_id = conversation.user_id
        self._muted[user_id] = conversation.muted_until
        self._names[user_id] = conversation.name or user_id
        if conversation.request:
            self._requests.add(user_id)
        else:
            self._requests.discard(user_id)

    def take(self, event: Event, *, looking: bool) -> None:
        """Something happened; ``looking``: the person has the window in front."""
        match event:
            case ConversationChanged(conversation=conversation):
                new = conversation.request and conversation.user_id not in self._requests
                self.know(event)
                if new and not looking and not self._is_muted(conversation.user_id):
                    self._new_requests.add(conversation.user_id)
            case MessageAdded(message=message):
                silent = message.ours or message.is_notice or self._is_muted(message.user_id)
                if not (silent or looking):
                    self._waiting.append(message)

    def _is_muted(self, user_id: UserId) -> bool:
        return self._muted.get(user_id, 0) > self._now()

    def due(self) -> Notice | None:
        """What to say now, if anything; what is said is forgotten."""
        messages, self._waiting = self._waiting, []
        requests, self._new_requests = self._new_requests, set()
        style = self._style()
        # A mute may have come after the message.
        messages = [one for one in messages if not self._is_muted(one.user_id)]
        if style == OFF or not (messages or requests):
            return None
        if not messages:
            return Notice(self._("Somebody new wants to write to you."), "")
        who = {one.user_id for one in messages}
        count = len(messages)
        new = self._.plural("{number} new message", "{number} new messages", count)
        if len(who) > 1 or style == COUNT:
            return Notice(new, "", None)
        user_id = who.pop()
        name = one_line(self._names.get(user_id, user_id), 64)
        if style == TEXT and count == 1:
            return Notice(name, one_line(messages[0].text, _LONGEST), user_id)
        return Notice(name, new, user_id)
