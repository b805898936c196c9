"""One open conversation: its rows as far as they are read, and what a person does in it."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.events import (
    Conversation,
    Event,
    FileProgress,
    Message,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import actions
from secure_chat.client.presenter.actions import MenuItem
from secure_chat.client.presenter.bubbles import key_of
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.composing import Ask, Composing
from secure_chat.client.presenter.rows import Fact
from secure_chat.client.presenter.timeline import Change, Rearranged, Revealed, Timeline
from secure_chat.protocol.addresses import UserId

_PAGE = 200  # messages read from the vault at a time


class Talk:
    """What `Chat` holds of the conversation that is selected; another one is another object."""

    def __init__(
        self,
        engine: Engine,
        user_id: UserId,
        words: Words,
        times: Times,
        ask: Ask,
        monotonic: Callable[[], float],
        *,
        standing: Conversation | None = None,
    ) -> None:
        self._engine, self._ = engine, words
        self._times = times
        self._ask = ask
        self.user_id = user_id
        self.timeline = Timeline(words, times)
        self.composing = Composing(engine, user_id, words, ask, monotonic)
        if standing is not None:
            self.timeline.call(standing.name)
            self.composing.name = standing.name
        self.changes: list[Change] = []
        self.chosen: set[int] = set()  # numbers of the messages that are selected
        self._seen: int | None = None  # the last message in view; None: the end is
        first_unread = standing.first_unread if standing is not None else 0
        if standing is not None and first_unread:
            self.timeline.unread_from = first_unread
            self.timeline.unread_count = standing.unread
            self._seen = first_unread - 1
            self._load_around(first_unread)
        else:
            self.to_end()

    # ------------------------------------------------------------ reading

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

    def load_later(self) -> bool:
        """Read a later page, if what is shown ends before the newest; whether there was one."""
        last = self.timeline.last_number
        if last is None or self.timeline.at_end:
            return False
        page = self._engine.history(self.user_id, limit=_PAGE, after=last)
        self.changes += self.timeline.load_later(page)
        self.timeline.at_end = len(page) < _PAGE
        return bool(page)

    def to_end(self) -> None:
        """Show the newest messages."""
        page = self._engine.history(self.user_id, limit=_PAGE)
        self.timeline.complete, self.timeline.at_end = len(page) < _PAGE, True
        self.changes = [self.timeline.load(page)]

    def jump(self, number: int) -> bool:
        """Go to a message, wherever it stands; False if it is not here any more."""
        if self.timeline.message(number) is None:
            page = self._engine.history(self.user_id, before=number + 1, limit=1)
            if not page or page[0].number != number:
                return False
            self._load_around(number)
        self.changes.append(Revealed(key_of(number)))
        return True

    def _load_around(self, number: int) -> None:
        before = self._engine.history(self.user_id, before=number, limit=_PAGE // 2)
        after = self._engine.history(self.user_id, limit=_PAGE, after=number - 1)
        self.timeline.complete = len(before) < _PAGE // 2
        self.timeline.at_end = len(after) < _PAGE
        self.changes = [self.timeline.load(before + after, anchor=number)]

    def viewed(self, index: int) -> None:
        """The person sees the rows up to this one."""
        if index >= len(self.timeline.rows) - 1 and self.timeline.at_end:
            self._seen = None
        else:
            self._seen = self.timeline.number_at(index)

    def read(self, unread: Conversation) -> None:
        """Tell the engine what the person has seen of what is unread."""
        seen = self.timeline.last_number if self._seen is None else self._seen
        if seen is not None and seen >= unread.first_unread:
            self._ask(lambda: self._engine.mark_read(self.user_id, seen))

    # ------------------------------------------------------------ what the engine tells

    def take(self, event: Event) -> bool:
        """A message here is new, has changed, or is gone; whether the composer looks different."""
        match event:
            case MessageAdded(message=message) | MessageChanged(message=message):
                if message.user_id != self.user_id:
                    return False
                self.changes += self.timeline.put(message)
                # One of ours may be held now, or not any more.
                return self.composing.changed(message) or message.ours
            case FileProgress(user_id=user_id, number=number, done=done, total=total):
                if user_id == self.user_id:
                    self.changes += self.timeline.moved(number, done, total)
            case MessageRemoved(user_id=user_id, number=number) if user_id == self.user_id:
                self.chosen.discard(number)
                if self.timeline.remove(number):
                    self.changes.append(Rearranged())
                return self.composing.removed(number)
        return False

    def call(self, name: str) -> None:
        """What we call the other side from now on; empty: by the account's name."""
        self.composing.name = name
        if self.timeline.call(name):
            self.changes.append(Rearranged())

    def tick(self) -> None:
        """Time has passed; asked about once a second."""
        self.changes += self.timeline.tick()
        self.composing.tick()

    # ------------------------------------------------------------ one message

    def menu(self, number: int, *, may_write: bool) -> list[MenuItem]:
        """What can be done with a message."""
        message = self.timeline.message(number)
        return actions.menu(message, self._, may_write=may_write) if message is not None else []

    def details(self, number: int) -> list[Fact]:
        """All that is known of a message but its text."""
        message = self.timeline.message(number)
        return actions.details(message, self._, self._times) if message is not None else []

    def versions(self, number: int) -> list[Fact]:
        """The texts that a message has had, the newest first."""
        texts: list[Fact] = []
        self._ask(
            lambda: texts.extend(
                actions.versions(self._engine.versions(self.user_id, number), self._times)
            )
        )
        return texts

    def reply(self, number: int) -> bool:
        """Begin an answer; whether that is possible."""
        message = self.timeline.message(number)
        if message is None or message.is_notice or message.deleted:
            return False
        self.composing.reply(message)
        return True

    def edit(self, number: int | None = None) -> bool:
        """Begin to edit a message of ours, the last one unless told which."""
        timeline = self.timeline
        message = timeline.last_own() if number is None else timeline.message(number)
        if message is None or not message.ours or message.deleted or message.is_notice:
            return False
        self.composing.edit(message)
        return True

    def react(self, number: int, emoji: str) -> bool:
        """React, or take the same reaction back."""
        message = self.timeline.message(number)
        if message is None:
            return False
        ours = [reaction.emoji for reaction in message.reactions if reaction.ours]
        wanted = "" if emoji in ours else emoji
        return self._ask(lambda: self._engine.react(self.user_id, number, wanted))

    def delete(self, numbers: Iterable[int]) -> None:
        """Take messages of ours back on both sides."""
        for number in sorted(numbers):
            self._ask(partial(self._engine.delete, self.user_id, number))
        self.chosen.clear()

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove messages from this device alone."""
        for number in sorted(numbers):
            self._ask(partial(self._engine.remove, self.user_id, number))
        self.chosen.clear()

    def retry(self) -> None:
        """Try again to send what is held."""
        self._ask(lambda: self._engine.retry(self.user_id))

    def span(self, seconds: int) -> str:
        """After how long messages disappear, in few letters."""
        return self._times.span(seconds)

    # ------------------------------------------------------------ files

    def send_file(self, path: Path) -> bool:
        """Send a file, with what is written as its caption; False leaves that in the field."""
        engine = self._engine
        caption, reply_to = self.composing.caption
        if not self._ask(
            lambda: engine.send_file(self.user_id, path, caption=caption, reply_to=reply_to)
        ):
            return False
        self.composing.sent()
        return True

    def save_file(self, number: int, folder: Path) -> None:
        """Fetch the file of a message."""
        self._ask(lambda: self._engine.save_file(self.user_id, number, folder))

    def cancel_file(self, number: int) -> None:
        """Stop a file that is under way."""
        self._ask(lambda: self._engine.cancel_file(self.user_id, number))

    def set_timer(self, seconds: int) -> bool:
        """After how long new messages disappear; 0: never."""
        return self._ask(lambda: self._engine.set_timer(self.user_id, seconds))

    # ------------------------------------------------------------ several messages

    def choose(self, number: int) -> None:
        """Add a message to those that are selected, or take it out."""
        message = self.timeline.message(number)
        if message is not None and not message.is_notice:
            self.chosen ^= {number}

    def alive(self, numbers: Iterable[int]) -> list[int]:
        """Those of these messages that can be forwarded, in order."""
        return [m.number for m in self._messages(numbers) if not m.deleted and not m.is_notice]

    def copied(self, numbers: Iterable[int]) -> str:
        """These messages as a text for the clipboard."""
        return actions.copied(self._messages(numbers), self._engine.user_id, self._times)

    def _messages(self, numbers: Iterable[int]) -> list[Message]:
        found = (self.timeline.message(number) for number in sorted(numbers))
        return [message for message in found if message is not None]
