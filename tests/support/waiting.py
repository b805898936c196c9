"""Waiting for conditions; nothing in the tests sleeps for luck."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_STEP = 0.01


def wait_for(condition: Callable[[], _T], seconds: float = 20.0, what: str = "") -> _T:
    """The first true value of ``condition``; AssertionError after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what or condition}")
        time.sleep(_STEP)
    return value
