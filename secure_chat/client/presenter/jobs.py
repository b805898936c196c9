"""Slow work beside the window: a thread each, its outcome polled by the window's own thread."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Job(Generic[_T]):
    """One call on a thread of its own (Argon2id takes a second, and the window must go on)."""

    def __init__(self, work: Callable[[], _T], name: str) -> None:
        self._work = work
        self._value: list[_T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value.append(self._work())
        except BaseException as error:  # handed to the thread that asks
            self._error = error

    @property
    def done(self) -> bool:
        """Whether `result` answers at once."""
        return not self._thread.is_alive()

    def result(self) -> _T:
        """Wait for the end; the value, or the exception that the work raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value[0]
