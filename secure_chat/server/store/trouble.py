"""What the log says of a disk that fails: when it begins, now and then, and when it is over."""

import logging
import time
from typing import Final

from secure_chat.errors import StorageDamaged, StorageUnavailable

_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_SAY_AGAIN_SECONDS: Final = 60.0


class Trouble:
    """Says when a disk begins to fail, again each minute, and when that is over.

    A line for each failure would fill what is left of a full disk.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._since: float | None = None
        self._said = 0.0
        self._failures = 0

    def met(self, what: str, wrong: BaseException) -> None:
        """An attempt to ``what`` (a verb) failed."""
        now = time.monotonic()
        if self._since is None:
            self._since, self._failures = now, 0
            self._said = now - _SAY_AGAIN_SECONDS
        self._failures += 1
        if now - self._said >= _SAY_AGAIN_SECONDS:
            self._said = now
            self._log.error(
                "the store cannot %s: %s (%d times in %.0f s); it goes on trying",
                what, kind_of(wrong), self._failures, now - self._since,
            )  # fmt: skip

    def passed(self) -> None:
        """An attempt succeeded."""
        if self._since is not None:
            seconds = time.monotonic() - self._since
            self._log.warning("the store works again after %.0f s", seconds)
            self._since = None


def refusal(wrong: BaseException, otherwise: type[StorageUnavailable]) -> StorageUnavailable:
    """What is told to whoever asked: that the database is damaged, or ``otherwise``."""
    if is_damage(wrong):
        return StorageDamaged(reason=str(_first(wrong)).rstrip("."))
    return otherwise()


def is_damage(wrong: BaseException) -> bool:
    """Whether SQLite found the database itself broken, and not the disk for the moment."""
    return kind_of(wrong).startswith(_DAMAGED)


def kind_of(wrong: BaseException) -> str:
    """An error without its statement and parameters, which hold what people send.

    SQLite ends a transaction by itself when its disk is full, so the error that arrives is often
    the one of a rollback: the first of the chain tells the reason.
    """
    first = _first(wrong)
    return getattr(first, "sqlite_errorname", "") or type(first).__name__


def _first(wrong: BaseException) -> BaseException:
    while wrong.__context__ is not None:
        wrong = wrong.__context__
    return wrong
