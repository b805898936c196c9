"""What the engine tells, taken into what the conversation screen shows."""

import logging
from collections.abc import Iterable

from secure_chat.client.events import (
    AccountDeletion,
    ChangeSent,
    ConnectionChanged,
    ConnectionState,
    Conversation,
    ConversationChanged,
    Event,
    FileProgress,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
    PeopleChanged,
    Problem,
    ServersData,
    TypingChanged,
)
from secure_chat.client.presenter.deciding import decided
from secure_chat.client.presenter.rows import Part
from secure_chat.client.presenter.shown import Shown
from secure_chat.client.presenter.timeline import Change
from secure_chat.client.said import Said

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
_EVENTS_A_POLL, _SECONDS_A_POLL = 500, 0.03
"""So that a flood of events cannot hold the window's thread."""


class Hearing(Shown):
    """The part of `Chat` that hears the engine."""

    def poll(self, first: Iterable[Event] = ()) -> None:
        """Take in what has happened since the last call, for a moment at most."""
        for event in first:
            self._take(event)
        end = self._monotonic() + _SECONDS_A_POLL
        for _ in range(_EVENTS_A_POLL):
            if self._engine.events.empty() or self._monotonic() > end:
                break
            self._take(self._engine.events.get_nowait())
        if self._connection.tick():
            self._need(Part.BANNER)
        if self._talk is not None and self._monotonic() >= self._next_tick:
            self._next_tick = self._monotonic() + _TICK_SECONDS
            self._talk.tick()

    def take_changes(self) -> tuple[set[Part], list[Change]]:
        """What has to be drawn, and forget it."""
        changed, self.changed = self.changed, set()
        rows: list[Change] = []
        if self._talk is not None:
            rows, self._talk.changes = self._talk.changes, rows
        return changed, rows

    def _take(self, event: Event) -> None:
        for hear in tuple(self.listeners):
            hear(event)
        match event:
            case ConnectionChanged():
                self._connection.take(event)
                self._need(Part.BANNER)
                if event.state is ConnectionState.ONLINE:
                    self._need(Part.PANEL)  # our keys are made with the first connection
                else:
                    self._need(Part.HEADER, Part.PEOPLE)
            case PeopleChanged(people=people, complete=complete, listed=listed):
                self._people.update(people, complete=complete, listed=listed)
                self._need(Part.PEOPLE, Part.HEADER)
                if any(person.user_id == self.selected for person in people):
                    self._need(Part.PANEL, Part.COMPOSER)
            case ConversationChanged(conversation=conversation):
                self._take_conversation(conversation)
            case MessageAdded() | MessageChanged() | MessageRemoved() | FileProgress():
                if self._talk is not None and self._talk.take(event):
                    self._need(Part.COMPOSER)
            case KeyChanged(user_id=user_id):
                self._need(Part.PEOPLE)
                if user_id == self.selected:
                    self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
            case _:
                self._take_rarer(event)

    def _take_rarer(self, event: Event) -> None:
        match event:
            case ChangeSent(problem=problem):
                if problem:
                    self.report(problem)
            case ServersData() | AccountDeletion():
                pass  # a page's, which listens by itself
            case TypingChanged(user_id=user_id, active=active):
                self._people.set_writing(user_id, active=active)
                self._need(Part.PEOPLE)
                if user_id == self.selected:
                    self._need(Part.HEADER)
            case Problem(error=error, user_id=user_id):
                self.report(Said.of(error), user_id)
            case _:
                _log.warning("Unknown event %s", type(event).__name__)

    def _take_conversation(self, conversation: Conversation) -> None:
        before = self._people.conversation(conversation.user_id)
        self._people.put(conversation)
        self._need(Part.PEOPLE, Part.TITLE)
        if conversation.user_id != self.selected:
            return
        if self._talk is not None:
            self._talk.call(conversation.name)
        if before is not None and before.timer != conversation.timer:
            self._need(Part.HEADER)
        if before is None or before.trust is not conversation.trust:
            # Not for each message: a safety number costs thousands of hashes.
            self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
        elif decided(before) != decided(conversation):
            self._need(Part.HEADER, Part.COMPOSER)
        self._read_selected()

    def _read_selected(self) -> None:
        """What a person is looking at counts as read."""
        talk = self._talk
        if talk is None or not self.looking:
            return
        conversation = self._people.conversation(talk.user_id)
        if conversation is not None and conversation.unread:
            talk.read(conversation)
