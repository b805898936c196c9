"""One open conversation: its rows as far as they are read, and what a person does in it."""

from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.events import Message
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.timeline import Change, Reset, Timeline
from secure_chat.protocol.addresses import UserId

_PAGE = 200  # messages read from the vault at a time
Ask = Callable[[Callable[[], object]], bool]
"""Asks the engine for something; a refusal is said to the person, and answered with False."""


class Talk:
    """What `Chat` holds of the conversation that is selected; another one is another object."""

    def __init__(
        self, engine: Engine, user_id: UserId, words: Words, times: Times, ask: Ask
    ) -> None:
        self._engine = engine
        self._ask = ask
        self.user_id = user_id
        self.timeline = Timeline(words, times)
        page = engine.history(user_id, limit=_PAGE)
        self.timeline.complete = len(page) < _PAGE
        self.changes: list[Change] = [self.timeline.load(page)]

    def load_earlier(self) -> bool:
        """Read an earlier page of the conversation; whether there was one."""
        first = self.timeline.first_number
        if first is None or self.timeline.complete:
            return False
        page = self._engine.history(self.user_id, before=first, limit=_PAGE)
        self.timeline.complete = len(page) < _PAGE
        if page:
            self.changes.append(self.timeline.load_earlier(page))
        return bool(page)

    def put(self, message: Message) -> None:
        """A message is new, or has changed."""
        change = self.timeline.put(message)
        if change is not None:
            self.changes.append(change)

    def removed(self, number: int) -> None:
        """A message is gone from this device."""
        if self.timeline.remove(number):
            self.changes.append(Reset())

    def send(self, text: str) -> bool:
        """Send what is written; False leaves it in the composer."""
        return self._ask(lambda: self._engine.send_text(self.user_id, text))

    def read(self) -> None:
        """The person has seen everything that is shown."""
        last = self.timeline.last_number
        if last is not None:
            self._ask(lambda: self._engine.mark_read(self.user_id, last))
