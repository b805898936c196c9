"""Hands blocking work to the store's threads and its results back to the session that asked."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection

from secure_chat.errors import Code, Refused, StorageUnavailable
from secure_chat.server.bugs import note_bug
from secure_chat.server.core.session import ENDED, MOST_JOBS, Session

BUSY_SECONDS: Final = 1.0
"""The ``retry_after`` of a full queue."""

DISK_SECONDS: Final = 5.0
"""The ``retry_after`` of a disk that takes nothing."""

Job = Callable[[Connection], Any]
Queue = Callable[[Job, Callable[[Any], None]], bool]


def ask(
    session: Session,
    queue: Queue,
    job: Job,
    done: Callable[[Any], None],
    *,
    ref: int | None = None,
    failed: Callable[[], None] = lambda: None,
) -> None:
    """Run ``job`` on one of the store's threads, then ``done`` with its result on this one.

    A result that is a `Code` is a refusal; so are a full queue and a failed disk. ``done`` is not
    called then, nor when the session is leaving or gone; ``failed`` is called before the refusal
    is sent.
    """

    def came_back(outcome: Any) -> None:
        session.jobs -= 1
        if session.stage in ENDED:
            return
        with_care(session, lambda: _settle(session, outcome, done, ref, failed))

    if session.jobs >= MOST_JOBS or not queue(job, came_back):
        failed()
        session.refuse(Code.OVERLOADED, ref=ref, retry_after=BUSY_SECONDS)
    else:
        session.jobs += 1


def _settle(
    session: Session,
    outcome: Any,
    done: Callable[[Any], None],
    ref: int | None,
    failed: Callable[[], None],
) -> None:
    if isinstance(outcome, Refused):
        outcome = outcome.code
    if isinstance(outcome, Code):
        failed()
        session.refuse(outcome, ref=ref)
    elif isinstance(outcome, StorageUnavailable):
        failed()
        session.refuse(Code.STORAGE_UNAVAILABLE, ref=ref, retry_after=DISK_SECONDS)
    elif isinstance(outcome, Exception):
        failed()
        session.refuse(Code.INTERNAL_ERROR)
    else:
        done(outcome)


def with_care(session: Session, action: Callable[[], None]) -> None:
    """A bug costs the connection that met it, and no other."""
    try:
        action()
    except Exception as bug:
        note_bug(bug)
        session.refuse(Code.INTERNAL_ERROR)
