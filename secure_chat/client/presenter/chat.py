"""The conversation screen without its widgets: events and actions in, rows and texts out.

`Shown` holds the state and what is drawn, `Hearing` takes in what the engine tells, and here is
what a person does.
"""

from collections.abc import Iterable
from functools import partial

from secure_chat.client.presenter.deciding import Deed
from secure_chat.client.presenter.hearing import Hearing
from secure_chat.client.presenter.rows import Action, Part
from secure_chat.protocol.addresses import UserId


class Chat(Hearing):
    """All that the conversation screen shows, and all that a person can do there.

    Only the window's thread calls it. What has to be drawn gathers; the window takes it
    (`take_changes`) after each `poll` and after each action.
    """

    def find(self, text: str) -> None:
        """Narrow the list to people of that name, and look for messages."""
        self._people.search = text
        self._do(lambda: self._search.find(text))
        self._need(Part.PEOPLE)

    def select(self, user_id: UserId) -> None:
        """Open a conversation."""
        if user_id == self.selected:
            return
        self._leave()
        self._open(user_id)
        self._do(lambda: self._engine.open_conversation(user_id, seen=False))
        self._read_selected()
        self._need(*Part)

    def open_at(self, user_id: UserId, number: int) -> bool:
        """Open a conversation at one of its messages; False if that is not here any more."""
        self.select(user_id)
        return self._talk is not None and self._talk.jump(number)

    def resume(self) -> bool:
        """Open the conversation that was open when the program ended; whether there was one."""
        last = self._engine.last_opened()
        if last is None or self._people.conversation(last) is None:
            return False
        self.select(last)
        return True

    def viewed(self, index: int) -> None:
        """The person sees the rows of the selected conversation up to this one."""
        if self._talk is not None:
            self._talk.viewed(index)
            self._read_selected()

    def select_next(self, step: int) -> None:
        """The conversation so many lines further down (up: negative)."""
        rows = self.people
        if not rows:
            return
        here = rows.place(self.selected)
        if here is None:
            here = -1 if step > 0 else 0
        self.select(rows[(here + step) % len(rows)].user_id)

    def keep_draft(self, text: str) -> None:
        """Remember what is being written while another conversation is open."""
        if self._talk is not None:
            self._talk.composing.text = text
            self._talk.composing.save()

    def need_composer(self) -> None:
        """An answer or an edit begins or ends."""
        self._need(Part.COMPOSER)

    def written(self, text: str) -> None:
        """The composer holds another text."""
        if self._talk is not None and self._talk.composing.written(text):
            self._need(Part.COMPOSER)

    def send(self, text: str) -> bool:
        """Send to the selected contact; False leaves the text in the composer."""
        talk = self._talk
        if talk is None or not self.composer.enabled:
            return False
        talk.composing.text = text
        if not talk.composing.send():
            return False
        if not talk.timeline.at_end:
            talk.to_end()
        self._need(Part.COMPOSER)
        return True

    def forward(self, numbers: Iterable[int], user_id: UserId) -> bool:
        """Send these messages, texts and files, to somebody, and go there."""
        if self._talk is None:
            return False
        origin, alive = self._talk.user_id, self._talk.alive(numbers)
        sent = all(
            self._do(partial(self._engine.forward, origin, number, user_id)) for number in alive
        )
        if sent and alive:
            self.select(user_id)
        return sent and bool(alive)

    def load_earlier(self) -> bool:
        """Read an earlier page of the conversation; whether there was one."""
        return self._talk is not None and self._talk.load_earlier()

    def act(self, action: Action) -> None:
        """A button in a banner that needs no dialogue."""
        if action is Action.RECONNECT:
            self._do(self._engine.reconnect)
        elif action is Action.RETRY and self._talk is not None:
            self._talk.retry()
        elif action is Action.UNBLOCK and self.selected is not None:
            self.decide(self.selected, Deed.UNBLOCK)
            self.poll()

    def dismiss_problem(self) -> None:
        """The person has read it."""
        self._problem = str
        self._need(Part.PROBLEM)

    def look(self, *, looking: bool) -> None:
        """The window came to the front or went away: what is in front counts as read."""
        self.looking = looking
        if looking:
            self._read_selected()

    def _leave(self) -> None:
        """What was being written stays for the next time."""
        if self._talk is not None:
            self._talk.composing.leave()

    def close(self) -> None:
        """The window closes: keep what is being written."""
        self._leave()


__all__ = ["Chat", "Part"]
