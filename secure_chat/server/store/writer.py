"""The one thread that writes: it commits everything that waits as one group, with one fsync.

Whoever hands it work is told afterwards, through ``deliver``, on the thread of its own choice. A
group that cannot be committed tells everybody `StorageUnavailable`, and nothing of it is kept.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from secure_chat.errors import SecureChatError, StorageUnavailable
from secure_chat.server.bugs import note_bug
from secure_chat.server.counters import Counters
from secure_chat.server.store import mail
from secure_chat.server.store.database import DISK_ERRORS, changes_of, checkpoint
from secure_chat.server.store.mail import Letter, Stored
from secure_chat.server.store.trouble import Trouble, refusal

log = logging.getLogger(__name__)

Job = Callable[[Connection], Any]
Done = Callable[[Any], None]
Deliver = Callable[[Callable[[], None]], None]

_JOBS: Final = 10_000
_BYTES: Final = 64 * 1024 * 1024
_GROUP: Final = 1_024
_CHECKPOINT_SECONDS: Final = 50.0  # delivered messages are gone from the WAL within a minute
_CHECKPOINT_AGAIN: Final = 2.0  # a reader was in the way
_PAUSE_AFTER_FAILURE: Final = 0.05

_Mail = tuple[Letter, Done]


class _Waiting(NamedTuple):
    after: int  # how many letters were queued before
    job: Job
    done: Done
    direct: bool


class Writer(threading.Thread):
    """Owns the writing connection. `submit` and `store` are thread-safe and never block."""

    def __init__(self, engine: Engine, deliver: Deliver, counters: Counters) -> None:
        super().__init__(name="store-writer", daemon=True)
        self._counters = counters
        self.deliver = deliver
        self._engine = engine
        self._connection: Connection | None = None
        self._wake = threading.Condition()  # guards the next six, `_jobs` to `_closing`
        self._jobs: deque[_Waiting] = deque()
        self._letters: deque[tuple[Letter, Done]] = deque()
        self._bytes = 0
        self._letters_in = 0
        self._letters_out = 0
        self._closing = False
        self._doubtful: list[tuple[int, int]] = []  # device and seq of the last failed commit's
        self._next_body = 0
        self._trouble = Trouble(log)

    def submit(self, job: Job, done: Done, *, force: bool = False, direct: bool = False) -> bool:
        """Queue a job for the next group; False if the queue is full (never with ``force``).

        With ``direct``, ``done`` is called on this thread, for those who wait for it.
        """
        with self._wake:
            if self._closing or (len(self._jobs) >= _JOBS and not force):
                return False
            self._jobs.append(_Waiting(self._letters_in, job, done, direct))
            self._wake.notify()
        return True

    def store(self, letter: Letter, done: Done, *, force: bool = False) -> bool:
        """Queue a message; ``done`` gets a `Stored` or an exception. False if the queue is full."""
        size = len(letter.body)
        with self._wake:
            full = len(self._letters) >= _JOBS or self._bytes + size > _BYTES
            if self._closing or (full and not force):
                return False
            self._letters.append((letter, done))
            self._bytes += size
            self._letters_in += 1
            if len(self._letters) == 1:
                self._wake.notify()
        return True

    @property
    def waiting(self) -> tuple[int, int]:
        """Messages and jobs that wait for a commit."""
        return len(self._letters), len(self._jobs)

    def stop(self) -> None:
        """Commit what waits, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """The thread: groups until `stop`."""
        next_checkpoint = time.monotonic() + _CHECKPOINT_SECONDS
        dirty = False
        while True:
            letters, jobs, closing = self._take(next_checkpoint if dirty else None)
            if letters or jobs:
                self._commit(letters, jobs)
                dirty = True
            elif closing:
                break
            if dirty and time.monotonic() >= next_checkpoint:
                dirty = not self._checkpoint()
                pause = _CHECKPOINT_AGAIN if dirty else _CHECKPOINT_SECONDS
                next_checkpoint = time.monotonic() + pause
        self._checkpoint()
        self._disconnect()

    def _take(self, until: float | None) -> tuple[list[_Mail], list[_Waiting], bool]:
        """The next group; waits for one until the time of the checkpoint."""
        with self._wake:
            while not (self._letters or self._jobs or self._closing):
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    break
                self._wake.wait(left)
            letters = [self._letters.popleft() for _ in range(min(_GROUP, len(self._letters)))]
            self._letters_out += len(letters)
            self._bytes -= sum(len(letter.body) for letter, _ in letters)
            # A job may rely on the letters that were queued before it: it never overtakes them.
            jobs: list[_Waiting] = []
            while self._jobs and len(jobs) < _GROUP and self._jobs[0].after <= self._letters_out:
                jobs.append(self._jobs.popleft())
            return letters, jobs, self._closing

    def _commit(self, letters: list[_Mail], jobs: list[_Waiting]) -> None:
        """One transaction for the group; then everybody is told."""
        stored, results, failed = self._attempt([letter for letter, _ in letters], jobs)
        if failed:
            if letters and jobs:  # what frees room must not fail for the sake of what needs it
                _, results, _ = self._attempt([], jobs)
            time.sleep(_PAUSE_AFTER_FAILURE)  # a full disk must not be hammered
        outcomes = [(done, outcome) for (_, done), outcome in zip(letters, stored, strict=True)]
        for waiting, outcome in zip(jobs, results, strict=True):
            if waiting.direct:
                waiting.done(outcome)
            else:
                outcomes.append((waiting.done, outcome))
        if outcomes:
            hand_over(self.deliver, partial(_tell, outcomes))

    def _count(self, stored: list[Stored], seconds: float) -> None:
        self._counters.committed(seconds)
        self._counters.stored += stored.count(Stored.YES)

    def _attempt(
        self, letters: list[Letter], jobs: list[_Waiting]
    ) -> tuple[list[Any], list[Any], bool]:
        """What became of each, and whether nothing could be committed."""
        begun = time.monotonic()
        tried = False
        try:
            connection = self._connected()
            self._settle_doubts(connection)
            changes = changes_of(connection)
            tried = True
            with connection.begin():
                stored: list[Any] = self._store(connection, letters) if letters else []
                results = [_run(connection, waiting.job) for waiting in jobs]
        except Exception as wrong:  # this thread must not end: nothing would be stored any more
            if not isinstance(wrong, DISK_ERRORS):
                note_bug(wrong)
            self._trouble.met("commit", wrong)
            self._counters.commits_failed += 1
            if tried:
                self._doubtful = [(letter.device_id, letter.seq) for letter in letters]
            self._disconnect()
            refused = refusal(wrong, StorageUnavailable)
            return [refused] * len(letters), [refused] * len(jobs), True
        self._count(stored, time.monotonic() - begun)
        if changes_of(connection) != changes:  # else the disk was not needed
            self._trouble.passed()
        return stored, results, False

    def _settle_doubts(self, connection: Connection) -> None:
        """Remove what a failed commit brought to the disk after all, before anything else.

        Nothing new is tried before: never is more than one group in doubt.
        """
        if self._doubtful:
            with connection.begin():
                mail.forget(connection, self._doubtful)
            self._doubtful = []

    def _store(self, connection: Connection, letters: list[Letter]) -> list[Stored]:
        first = self._next_body
        self._next_body += len(letters)
        return mail.store_letters(connection, letters, first)

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._engine.connect()
            with connection.begin():
                self._next_body = mail.highest_body(connection) + 1
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        """Let go of a connection that may be broken; the next group opens another."""
        if self._connection is not None:
            with contextlib.suppress(*DISK_ERRORS):
                self._connection.close()
            self._connection = None

    def _checkpoint(self) -> bool:
        try:
            return checkpoint(self._connected())
        except DISK_ERRORS as wrong:
            self._trouble.met("checkpoint", wrong)
            self._disconnect()
            return False


def _run(connection: Connection, job: Job) -> Any:
    """A job's result, or the error that stopped this job alone."""
    try:
        with connection.begin_nested():
            return job(connection)
    except SecureChatError as refused:
        return refused
    except IntegrityError as bug:  # of this job alone: the others' work is not to be refused for it
        note_bug(bug)
        return bug
    except DISK_ERRORS:
        raise
    except Exception as bug:
        note_bug(bug)
        return bug


def _tell(outcomes: list[tuple[Done, Any]]) -> None:
    for done, outcome in outcomes:
        try:
            done(outcome)
        except Exception as bug:  # one listener's mistake must not cost the others their answer
            note_bug(bug)


def hand_over(deliver: Deliver, call: Callable[[], None]) -> None:
    """Give results away; a listener that fails costs the store no thread."""
    try:
        deliver(call)
    except Exception as bug:
        note_bug(bug)
