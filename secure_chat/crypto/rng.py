"""Randomness, passed in as an argument and never trusted blindly.

A source that repeats itself would make every key guessable without any visible symptom, so each
draw is looked at: the chance that sound randomness is refused is below 2^-63.
"""

import os
from collections.abc import Callable

from secure_chat.errors import DeadRandomness

Random = Callable[[int], bytes]
"""``random(size)`` returns that many fresh random bytes."""

_SMALLEST_CHECKED = 12


def draw(random: Random, size: int) -> bytes:
    """``size`` bytes from ``random``; raise `DeadRandomness` if they visibly repeat.

    Checked are draws of 12 bytes and more: a wrong length, a period of 1, 2 or 4 bytes, and from
    16 bytes on a draw whose halves are alike.
    """
    data = random(size)
    if random is system_random:  # it has looked itself
        return data
    if len(data) != size:
        raise DeadRandomness(size=len(data), symptom=f"should have been {size}")
    if size >= _SMALLEST_CHECKED and _repeats(data):
        raise DeadRandomness(size=size, symptom="repeat themselves")
    return data


def _repeats(data: bytes) -> bool:
    if data[:4] == data[4:8] and _has_period(data, 4):
        return True
    half = len(data) // 2
    return half >= 8 and data[:half] == data[-half:]


def _has_period(data: bytes, period: int) -> bool:
    return data[period:] == data[:-period]


def draw_other(random: Random, size: int, *earlier: bytes) -> bytes:
    """As `draw`; also raise `DeadRandomness` if the bytes equal one of ``earlier``."""
    data = draw(random, size)
    if data in earlier:
        raise DeadRandomness(size=size, symptom="came before")
    return data


def _watched(source: Random) -> Random:
    """``source`` with a look at whether it moves."""
    last = b""

    def random(size: int) -> bytes:
        nonlocal last
        data = source(size)
        if size >= _SMALLEST_CHECKED:
            if _repeats(data):
                raise DeadRandomness(size=size, symptom="repeat themselves")
            if data == last:
                raise DeadRandomness(size=size, symptom="came before")
            last = data
        return data

    return random


system_random: Random = _watched(os.urandom)
"""The operating system's randomness; raises `DeadRandomness` when it visibly repeats."""
