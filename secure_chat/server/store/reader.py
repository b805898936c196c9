"""A thread for short questions and for checks that take long: reads, signatures."""

import contextlib
import logging
import threading
from collections import deque
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine

from secure_chat.errors import SecureChatError, StorageUnreadable
from secure_chat.server.bugs import note_bug
from secure_chat.server.store.database import DISK_ERRORS
from secure_chat.server.store.trouble import Trouble, refusal
from secure_chat.server.store.writer import Deliver, Done, Job, hand_over

log = logging.getLogger(__name__)

_JOBS: Final = 2_000


class Reader(threading.Thread):
    """Owns a query-only connection; runs jobs one by one. `submit` is thread-safe."""

    def __init__(self, name: str, engine: Engine, deliver: Deliver, *, most: int = _JOBS) -> None:
        super().__init__(name=name, daemon=True)
        self.deliver = deliver
        self._engine = engine
        self._most = most  # jobs that may wait
        self._connection: Connection | None = None
        self._wake = threading.Condition()  # guards the two below
        self._jobs: deque[tuple[Job, Done]] = deque()
        self._closing = False
        self._trouble = Trouble(log)

    def submit(self, job: Job, done: Done, *, force: bool = False) -> bool:
        """Queue a job; ``done`` gets its result or its error.

        False if the queue is full (never with ``force``) or closed.
        """
        with self._wake:
            if self._closing or (len(self._jobs) >= self._most and not force):
                return False
            self._jobs.append((job, done))
            self._wake.notify()
        return True

    @property
    def waiting(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    def stop(self) -> None:
        """Finish what waits, then end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self.is_alive():
            self.join()

    def run(self) -> None:
        """The thread: jobs until `stop`."""
        while True:
            with self._wake:
                while not (self._jobs or self._closing):
                    self._wake.wait()
                if not self._jobs:
                    break
                job, done = self._jobs.popleft()
            result = self._run(job)
            hand_over(self.deliver, partial(done, result))
        self._disconnect()

    def _run(self, job: Job) -> Any:
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                result = job(self._connection)
            self._trouble.passed()
            return result
        except SecureChatError as refused:
            return refused
        except DISK_ERRORS as wrong:
            self._trouble.met("read", wrong)
            self._disconnect()
            return refusal(wrong, StorageUnreadable)
        except Exception as bug:
            note_bug(bug)
            return bug

    def _disconnect(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*DISK_ERRORS):
                self._connection.close()
            self._connection = None
