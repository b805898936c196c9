"""One conversation as rows: days between messages, groups, and a line above what is unread."""

import bisect
from dataclasses import dataclass, replace

from secure_chat.client.events import Message, MessageState
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.bubbles import Bubbles, key_of
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.rows import BubbleRow, DayRow, Row, UnreadRow

_GROUP_MS = 5 * 60 * 1000  # messages of one side so close to each other stand together


@dataclass(frozen=True)
class Reset:
    """All rows are others; show the one with this key at the top, or the end."""

    anchor: str = ""


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


@dataclass(frozen=True)
class Rearranged:
    """Rows have gone or come in between; what is in view stays where it is."""


@dataclass(frozen=True)
class Revealed:
    """The person goes to this row."""

    key: str


Change = Reset | Prepended | Appended | Updated | Rearranged | Revealed


class Timeline:
    """The messages of one conversation that have been read so far, and their rows.

    What is loaded has no gaps, but it may end before the newest message (``at_end``).
    """

    def __init__(self, words: Words, times: Times) -> None:
        self._ = words
        self._times = times
        self._bubbles = Bubbles(words, times)
        self._messages: list[Message] = []  # by number
        self._timed: set[int] = set()  # numbers of those whose time runs
        self._held: set[int] = set()  # numbers of those that wait for the person
        self._moved: dict[int, tuple[int, int]] = {}  # of files that are under way
        self.rows: list[Row] = []
        self.complete = False  # the beginning has been read
        self.at_end = True  # the newest has been read
        self.unread_from = 0  # the first message that was unread when the conversation was opened
        self.unread_count = 0

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
        message = self.message(max(self._held, default=0))
        if message is None:
            return ""
        return self._.sentence(message.problem, message.user_id) or self._("Messages wait here.")

    def message(self, number: int) -> Message | None:
        """A line by its number, if it is loaded."""
        at = self._place(number)
        found = at < len(self._messages) and self._messages[at].number == number
        return self._messages[at] if found else None

    def row(self, number: int) -> BubbleRow | None:
        """The row of a message, if it is loaded and no line of our own."""
        key = key_of(number)
        found = next((row for row in reversed(self.rows) if row.key == key), None)
        return found if isinstance(found, BubbleRow) else None

    def last_own(self) -> Message | None:
        """The newest message of ours that can be edited, of those that are loaded."""
        own = (m for m in reversed(self._messages) if m.ours and not m.deleted and not m.is_notice)
        return next(own, None)

    def number_at(self, index: int) -> int | None:
        """The number of the message at, or next above, a row."""
        for place in range(min(index, len(self.rows) - 1), -1, -1):  # a slice would copy them all
            row = self.rows[place]
            if not isinstance(row, DayRow | UnreadRow):
                return row.number
        return None

    # ------------------------------------------------------------ pages

    def load(self, messages: list[Message], anchor: int = 0) -> Reset:
        """Start with these; ``anchor`` is the message to show first, 0: the end."""
        self._messages = sorted(messages, key=_number)
        self._rebuild()
        if anchor and anchor == self.unread_from:
            return Reset("unread")
        return Reset(key_of(anchor) if anchor else "")

    def load_earlier(self, messages: list[Message]) -> Prepended:
        """Put an earlier page in front."""
        first_known = self._messages[0].number if self._messages else 0
        earlier = sorted((m for m in messages if m.number < first_known), key=_number)
        if not earlier:
            return Prepended(0)
        before, was_first = len(self.rows), self._messages[0]
        old_seam = len(self._rows_for(was_first, None))
        self._messages = earlier + self._messages
        # Only the seam changes: the row that was first may have no day of its own any more.
        seam = self._rows_for(was_first, earlier[-1])
        first = self.rows[old_seam - 1]
        if isinstance(first, BubbleRow) and isinstance(seam[-1], BubbleRow):
            seam[-1] = replace(seam[-1], last=first.last)
        self.rows = self._build(earlier, was_first) + seam + self.rows[old_seam:]
        self._note(*earlier)
        return Prepended(len(self.rows) - before)

    def load_later(self, messages: list[Message]) -> list[Change]:
        """Put a later page at the end."""
        last = self.last_number or 0
        later = sorted((m for m in messages if m.number > last), key=_number)
        changes: list[Change] = []
        for message in later:
            changes += self._append(message, ours=False)
        return changes

    def call(self, name: str) -> bool:
        """What we call the other side from now on; whether a row may look different."""
        if name == self._bubbles.name:
            return False
        self._bubbles.name = name
        self._rebuild()
        return True

    # ------------------------------------------------------------ one message

    def put(self, message: Message) -> list[Change]:
        """A message that is new or has changed; nothing if it lies outside what has been read."""
        at = self._place(message.number)
        self._timed.discard(message.number)
        self._held.discard(message.number)
        if at < len(self._messages) and self._messages[at].number == message.number:
            self._messages[at] = message
            return self._update(message)
        if at == len(self._messages):
            return self._append(message, ours=message.ours) if self.at_end else []
        if at == 0 and not self.complete:
            return []
        self._messages.insert(at, message)
        self._rebuild()
        return [Rearranged()]

    def remove(self, number: int) -> bool:
        """A message that disappeared leaves the screen at once; whether it was there."""
        left = [message for message in self._messages if message.number != number]
        if len(left) == len(self._messages):
            return False
        self._messages = left
        self._rebuild()
        return True

    def moved(self, number: int, done: int, total: int) -> list[Change]:
        """So many bytes of a message's file were transferred."""
        message = self.message(number)
        if message is None or message.file is None:
            return []
        self._moved[number] = done, total
        return self._update(message)

    def tick(self) -> list[Change]:
        """Messages that disappear show another time now; asked about once a second."""
        changes: list[Change] = []
        for number in sorted(self._timed):
            message = self.message(number)
            if message is not None:
                changes += self._update(message)
        return changes

    def _append(self, message: Message, *, ours: bool) -> list[Change]:
        previous = self._messages[-1] if self._messages else None
        changes: list[Change] = []
        if previous is not None and self._together(previous, message):
            row = self.rows[-1]
            if isinstance(row, BubbleRow) and row.last:
                self.rows[-1] = replace(row, last=False)
                changes.append(Updated(len(self.rows) - 1))
        self._messages.append(message)
        self._note(message)
        added = self._rows_for(message, previous)
        self.rows += added
        return [*changes, Appended(len(added), ours and not message.is_notice)]

    def _update(self, message: Message) -> list[Change]:
        self._note(message)
        key = key_of(message.number)
        # What changes is nearly always near the end.
        for index in range(len(self.rows) - 1, -1, -1):
            old = self.rows[index]
            if old.key == key:
                first = not isinstance(old, BubbleRow) or old.first
                last = not isinstance(old, BubbleRow) or old.last
                moved = self._moved.get(message.number)
                new = self._bubbles.row(message, first=first, last=last, moved=moved)
                self.rows[index] = new
                return [Updated(index)] if new != old else []
        return []

    # ------------------------------------------------------------ rows

    def _rebuild(self) -> None:
        self.rows = self._build(self._messages, None)
        self._timed.clear()
        self._held.clear()
        self._note(*self._messages)

    def _note(self, *messages: Message) -> None:
        """Remember which of them have to be looked at again, so that no search is needed."""
        self._timed.update(m.number for m in messages if m.expires)
        self._held.update(m.number for m in messages if m.state is MessageState.HELD)

    def _build(self, messages: list[Message], following: Message | None) -> list[Row]:
        rows: list[Row] = []
        previous: Message | None = None
        for at, message in enumerate(messages):
            after = messages[at + 1] if at + 1 < len(messages) else following
            rows += self._rows_for(message, previous, after)
            previous = message
        return rows

    def _rows_for(
        self, message: Message, previous: Message | None, following: Message | None = None
    ) -> list[Row]:
        """The message's row, after a day's row where a day begins, and the unread line."""
        day = self._times.day_of(message.time)
        rows: list[Row] = []
        if previous is None or self._times.day_of(previous.time) != day:
            rows.append(DayRow(f"day {day} {message.number}", self._times.day(message.time)))
        if message.number == self.unread_from:
            said = self._.plural(
                "{number} unread message", "{number} unread messages", self.unread_count
            )
            rows.append(UnreadRow("unread", said))
        first = previous is None or not self._together(previous, message)
        last = following is None or not self._together(message, following)
        return [*rows, self._bubbles.row(message, first=first, last=last)]

    def _together(self, one: Message, two: Message) -> bool:
        """Whether two neighbours stand as one group."""
        return (
            not one.is_notice
            and not two.is_notice
            and one.ours == two.ours
            and two.number != self.unread_from
            and two.time - one.time < _GROUP_MS
            and self._times.day_of(one.time) == self._times.day_of(two.time)
        )

    def _place(self, number: int) -> int:
        return bisect.bisect_left(self._messages, number, key=_number)


def _number(message: Message) -> int:
    return message.number
