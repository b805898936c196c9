"""How a mistake of this program is logged: where it happened, not what it was about."""

import traceback


def described(bug: BaseException) -> str:
    """Type and place of an exception; its text could hold a message or a key."""
    places = traceback.extract_tb(bug.__traceback__)[-4:]
    where = " < ".join(f"{place.name}:{place.lineno}" for place in reversed(places))
    return f"{type(bug).__name__} in {where}"
