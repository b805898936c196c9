"""One conversation as rows: days between messages, notices apart from bubbles, states in words."""

import bisect
from dataclasses import dataclass

from secure_chat.client.events import Message, MessageState
from secure_chat.client.i18n import N_, Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import BubbleRow, DayRow, Delivery, NoticeRow, Row

_CLOCK_OFF = 10 * 60 * 1000  # ms between the sender's clock and ours from which it is said

DELIVERIES = {
    MessageState.WAITING: (Delivery.WAITING, N_("Waiting to be sent")),
    MessageState.HELD: (Delivery.HELD, N_("Held back")),
    MessageState.ACCEPTED: (Delivery.ACCEPTED, N_("On the server")),
    MessageState.DELIVERED: (Delivery.DELIVERED, N_("With the recipient")),
    MessageState.READ: (Delivery.READ, N_("Read")),
    MessageState.RECEIVED: (Delivery.NONE, ""),
}


@dataclass(frozen=True)
class Reset:
    """All rows are others; show the end."""


@dataclass(frozen=True)
class Prepended:
    """So many rows came in front."""

    count: int


@dataclass(frozen=True)
class Appended:
    """So many rows came at the end; ``ours``: we wrote the last, so scroll to it."""

    count: int
    ours: bool


@dataclass(frozen=True)
class Updated:
    """One row looks different."""

    index: int


Change = Reset | Prepended | Appended | Updated


class Timeline:
    """The messages of one conversation that have been read so far, and their rows."""

    def __init__(self, words: Words, times: Times) -> None:
        self._ = words
        self._times = times
        self._messages: list[Message] = []  # by number
        self.rows: list[Row] = []
        self.complete = False  # the beginning has been read

    @property
    def first_number(self) -> int | None:
        """Where an earlier page ends."""
        return self._messages[0].number if self._messages else None

    @property
    def last_number(self) -> int | None:
        """The newest line that is shown."""
        return self._messages[-1].number if self._messages else None

    @property
    def held(self) -> str:
        """Why the newest message that is held waits; nothing if none does."""
        held = (m for m in reversed(self._messages) if m.state is MessageState.HELD)
        message = next(held, None)
        if message is None:
            return ""
        return self._.sentence(message.problem, message.user_id) or self._("Messages wait here.")

    def load(self, messages: list[Message]) -> Reset:
        """Start with these."""
        self._messages = sorted(messages, key=_number)
        self.rows = self._build(self._messages)
        return Reset()

    def load_earlier(self, messages: list[Message]) -> Prepended:
        """Put an earlier page in front."""
        known = {message.number for message in self._messages}
        earlier = [message for message in messages if message.number not in known]
        before, was_first = len(self.rows), self._messages[0]
        earlier.sort(key=_number)
        self._messages = earlier + self._messages
        # Only the seam changes: the row that was first may have no day of its own any more.
        seam = self._rows_for(was_first, earlier[-1] if earlier else None)
        self.rows = self._build(earlier) + seam + self.rows[2:]
        return Prepended(len(self.rows) - before)

    def put(self, message: Message) -> Change | None:
        """A message that is new or has changed; None if it lies before what has been read."""
        at = bisect.bisect_left(self._messages, message.number, key=_number)
        if at < len(self._messages) and self._messages[at].number == message.number:
            self._messages[at] = message
            return self._update(message)
        if at == len(self._messages):
            return self._append(message)
        if at == 0 and not self.complete:
            return None
        self._messages.insert(at, message)
        self.rows = self._build(self._messages)
        return Reset()

    def remove(self, number: int) -> bool:
        """A message that disappeared leaves the screen at once; whether it was there."""
        left = [message for message in self._messages if message.number != number]
        if len(left) == len(self._messages):
            return False
        self._messages = left
        self.rows = self._build(left)
        return True

    def _append(self, message: Message) -> Appended:
        previous = self._messages[-1] if self._messages else None
        self._messages.append(message)
        added = self._rows_for(message, previous)
        self.rows += added
        return Appended(len(added), message.ours and not message.is_notice)

    def _update(self, message: Message) -> Updated | None:
        key = _key(message)
        # What changes is nearly always near the end.
        for index in range(len(self.rows) - 1, -1, -1):
            old = self.rows[index]
            if old.key == key:
                first = isinstance(old, BubbleRow) and old.first
                self.rows[index] = self._row(message, first=first)
                return Updated(index)
        return None

    def _build(self, messages: list[Message]) -> list[Row]:
        rows: list[Row] = []
        previous: Message | None = None
        for message in messages:
            rows += self._rows_for(message, previous)
            previous = message
        return rows

    def _rows_for(self, message: Message, previous: Message | None) -> list[Row]:
        """The message's row, after a day's row where a day begins."""
        day = self._times.day_of(message.time)
        same_day = previous is not None and self._times.day_of(previous.time) == day
        same_side = (
            previous is not None
            and same_day
            and not previous.is_notice
            and previous.ours == message.ours
        )
        row = self._row(message, first=not same_side)
        if same_day:
            return [row]
        return [DayRow(f"day {day} {message.number}", self._times.day(message.time)), row]

    def _row(self, message: Message, *, first: bool) -> Row:
        when = self._times.of_day(message.time)
        if message.is_notice:
            said = message.problem or message.text
            return NoticeRow(_key(message), self._.sentence(said, message.user_id), when)
        delivery, state = DELIVERIES[message.state]
        emoji = [reaction.emoji for reaction in message.reactions]
        return BubbleRow(
            key=_key(message),
            text=self._("This message was deleted.") if message.deleted else message.text,
            ours=message.ours,
            when=self._("edited {time}", time=when) if message.edited else when,
            delivery=delivery,
            state=self._(state) if state else "",
            problem=self._.sentence(message.problem, message.user_id),
            first=first,
            flag=" ".join(filter(None, (*emoji, self._clock_flag(message)))),
        )

    def _clock_flag(self, message: Message) -> str:
        if message.ours or not message.claimed_time:
            return ""
        if abs(message.claimed_time - message.time) < _CLOCK_OFF:
            return ""
        claimed = self._times.full(message.claimed_time)
        return self._("The sender's clock says {time}", time=claimed)


def _number(message: Message) -> int:
    return message.number


def _key(message: Message) -> str:
    return f"message {message.number}"
