"""The pages of the account itself: what the server holds about it, and deleting it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from secure_chat.client.api import Engine
from secure_chat.client.events import AccountDeletion, Event, ServersData
from secure_chat.client.held_words import MOMENTS, SIZES, column, title
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.files import size_in_words
from secure_chat.client.presenter.jobs import Job, failure_words
from secure_chat.client.text import one_line
from secure_chat.protocol.held import HeldRow, Value

_LONGEST_VALUE = 90  # characters; the command line's JSON has all of them
_LATEST_MS = 4_102_444_800_000  # the year 2100: a server may claim any number
_MOST_ROWS = 30  # of one table: one-time keys come in hundreds
_MOST_TABLES, _MOST_COLUMNS, _MOST_VALUES = 30, 30, 500  # a server may tell without end


class HeldValue(NamedTuple):
    """A value: what it is, in words; the column's name at the server; the value."""

    what: str
    column: str
    value: str


@dataclass(frozen=True)
class HeldTable:
    """What the server holds of one kind; ``name`` is the table's name there."""

    title: str
    name: str
    count: str
    rows: tuple[tuple[HeldValue, ...], ...]
    more: str = ""  # how many rows are not shown


class Held:
    """The open book of the server, as far as it says."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._ = words
        self._times = Times(words)
        self._engine = engine
        self.busy = False
        self.problem = ""
        self.tables: tuple[HeldTable, ...] = ()

    def ask(self) -> None:
        """Ask the server; the answer comes as an event."""
        self.busy, self.problem = True, ""
        self._engine.my_data()

    def take(self, event: Event) -> bool:
        """An event of the engine; whether anything changed."""
        if not isinstance(event, ServersData):
            return False
        self.busy = False
        self.problem = self._.error(event.problem) if event.problem is not None else ""
        if event.problem is None:
            self.tables = tuple(self._bounded(event.rows))
        return True

    def _bounded(self, rows: Iterable[HeldRow]) -> Iterator[HeldTable]:
        """As much as a page can draw at once, and a word about the rest."""
        tables: dict[str, list[HeldRow]] = {}
        for row in rows:
            tables.setdefault(row.table, []).append(row)
        room, named = _MOST_VALUES, list(tables.items())
        for name, of_table in named[:_MOST_TABLES]:
            columns = max(1, min(len(of_table[0].values), _MOST_COLUMNS))
            table = self._table(name, of_table, max(1, min(_MOST_ROWS, room // columns)))
            room = max(0, room - sum(map(len, table.rows)))
            yield table
        if left := sum(len(of_table) for _, of_table in named[_MOST_TABLES:]):
            count = self._.plural("{number} more row", "{number} more rows", left)
            said = self._("More than this page can show")
            yield HeldTable(said, "secure-chat my-data", count, ())

    def _table(self, name: str, rows: list[HeldRow], most: int) -> HeldTable:
        shown = tuple(
            tuple(
                HeldValue(column(name, self._), one_line(name, 100), self._shown(name, value))
                for name, value in islice(row.values.items(), _MOST_COLUMNS)
            )
            for row in rows[:most]
        )
        left = len(rows) - len(shown)
        more = self._.plural("{number} more row", "{number} more rows", left) if left else ""
        count = self._.plural("{number} row", "{number} rows", len(rows))
        said = title(name, self._)
        return HeldTable(one_line(said, 100), one_line(name, 100), count, shown, more)

    def _shown(self, name: str, value: Value) -> str:
        if value is None:
            return "–"
        if isinstance(value, bool):
            return self._("Yes") if value else self._("No")
        if isinstance(value, str):
            return one_line(value, _LONGEST_VALUE)
        if name in SIZES:
            return size_in_words(value, self._)
        if name in MOMENTS and 0 < value < _LATEST_MS:
            return self._times.full(value)
        return self._.digits(value)


class Deleting:
    """The end of an account: the name is typed, the server says that it is gone."""

    def __init__(self, engine: Engine, words: Words, remove: Callable[[], None]) -> None:
        self._ = words
        self._engine = engine
        self._remove = remove  # the profile from this device; blocks
        self._job: Job[None] | None = None
        self._also_here = False
        self.busy = False
        self.mistake = ""
        self.done = False
        self.said = ""
        """How it ended, for the screen that comes then."""

    def begin(self, typed: str, *, also_here: bool) -> bool:
        """Delete it, if the account's name was typed; ``also_here``: the history on this device."""
        if typed.strip().lower() != self._engine.user_id:
            self.mistake = self._("Type the account's name: {name}", name=self._engine.user_id)
            return False
        self.mistake, self.busy, self._also_here = "", True, also_here
        self._engine.delete_account()
        return True

    def take(self, event: Event) -> bool:
        """An event of the engine; whether anything changed."""
        if not isinstance(event, AccountDeletion):
            return False
        if event.problem is not None:
            self.busy = False
            self.mistake = self._.error(event.problem)
        elif self._also_here:
            self._job = Job(self._remove, "remove-profile")
        else:
            self._job = Job(self._engine.stop, "stop")
        return True

    def poll(self) -> bool:
        """Look whether the profile is gone; whether anything changed."""
        if self._job is None or not self._job.done:
            return False
        job, self._job = self._job, None
        self.busy, self.done = False, True
        name = self._engine.user_id
        if self._also_here:
            self.said = self._("The account {name} is deleted, at the server and here.", name=name)
        else:
            self.said = self._(
                "The account {name} is deleted at the server. Its keys and history are still on "
                "this device, under your password.",
                name=name,
            )
        try:
            job.result()
        except Exception as wrong:  # the thread's failure must reach the person, in words
            self.said = self._(
                "The account {name} is deleted at the server, but its files are still on this "
                "device: {why}",
                name=name,
                why=failure_words(wrong, self._),
            )
        return True
