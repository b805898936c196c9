"""The pages of the account itself: what the server holds about it, and deleting it."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from secure_chat.client.api import Engine
from secure_chat.client.events import AccountDeletion, Event, ServersData
from secure_chat.client.held_words import title
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.jobs import Job, failure_words
from secure_chat.client.text import one_line
from secure_chat.protocol.held import HeldRow

_LONGEST_VALUE = 90  # characters; the command line's JSON has all of them
_MOST_ROWS = 30  # of one table: one-time keys come in hundreds


@dataclass(frozen=True)
class HeldTable:
    """What the server holds of one kind: each row as (column, value) pairs."""

    title: str
    count: str
    rows: tuple[tuple[tuple[str, str], ...], ...]
    more: str = ""  # how many rows are not shown


class Held:
    """The open book of the server, as far as it says."""

    def __init__(self, engine: Engine, words: Words) -> None:
        self._ = words
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
            grouped = groupby(event.rows, key=lambda row: row.table)
            self.tables = tuple(self._table(name, list(rows)) for name, rows in grouped)
        return True

    def _table(self, name: str, rows: list[HeldRow]) -> HeldTable:
        shown = tuple(
            tuple((column, _shown(value)) for column, value in row.values.items())
            for row in rows[:_MOST_ROWS]
        )
        left = len(rows) - len(shown)
        more = self._.plural("{number} more row", "{number} more rows", left) if left else ""
        count = self._.plural("{number} row", "{number} rows", len(rows))
        return HeldTable(one_line(title(name, self._), 100), count, shown, more)


def _shown(value: object) -> str:
    return "–" if value is None else one_line(str(value), _LONGEST_VALUE)


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
