"""What the log says of a mistake in this program: where it happened, and not what people sent."""

import logging
import traceback

log = logging.getLogger(__name__)


def note_bug(bug: BaseException) -> None:
    """Log the type of an exception and its place."""
    log.error("internal error: %s", described(bug))


def described(bug: BaseException) -> str:
    """Type and place of an exception; its text could hold a message or a key."""
    places = traceback.extract_tb(bug.__traceback__)[-3:]
    where = " < ".join(f"{place.name}:{place.lineno}" for place in reversed(places))
    return f"{type(bug).__name__} in {where}"
