"""What the log says of a mistake in this program: where it happened, and not what people sent."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from secure_chat.bugs import described

log = logging.getLogger(__name__)


def note_bug(bug: BaseException, what: str = "internal error") -> None:
    """Log the type of an exception and its place, after ``what`` failed."""
    log.error("%s: %s", what, described(bug))


@contextmanager
def noted(what: str) -> Iterator[None]:
    """Whatever goes wrong within is logged with ``what``, and ends there."""
    try:
        yield
    except Exception as bug:
        note_bug(bug, what)


def note_lost_thread(lost: threading.ExceptHookArgs) -> None:
    """For `threading.excepthook`, which would print the exception's text."""
    if lost.exc_value is not None and lost.exc_type is not SystemExit:
        name = lost.thread.name if lost.thread is not None else "unknown"
        log.critical("the thread %s has ended: %s", name, described(lost.exc_value))
