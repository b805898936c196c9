"""Giving memory back to the system after a crowd."""

import ctypes
from collections.abc import Callable
from contextlib import suppress


def _find_trim() -> Callable[[int], int] | None:
    with suppress(OSError, AttributeError, TypeError):  # other C libraries do it by themselves
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return trim
    return None


_trim = _find_trim()


def give_back() -> None:
    """Return freed memory to the system. glibc keeps it else: 2,000 stalled handshakes, 70 MB."""
    if _trim is not None:
        _trim(0)
