"""Slow work beside the window: a thread each, its outcome polled by the window's own thread."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from secure_chat.bugs import described
from secure_chat.client.i18n import Words
from secure_chat.errors import SecureChatError

_log = logging.getLogger(__name__)
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

    def wait(self) -> None:
        """Until it has ended, well or not."""
        self._thread.join()

    def result(self) -> _T:
        """Wait for the end; the value, or the exception that the work raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value[0]


def failure_words(error: BaseException, words: Words) -> str:
    """What a person reads of a job that failed; a mistake of the program is logged as well."""
    if isinstance(error, SecureChatError):
        return words.error(error)
    if isinstance(error, OSError) and error.strerror:
        return words("The system does not allow it: {reason}.", reason=error.strerror)
    _log.error(
        "A job failed: %s", described(error) if isinstance(error, Exception) else type(error)
    )
    return words("It failed, and nothing was changed ({kind}).", kind=type(error).__name__)
