"""What several commands are told: arguments, checked as they are read, and answers."""

import argparse
import re
import sys

from secure_chat.protocol.limits import DAY, HOUR, MINUTE

_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_MAX_LABEL = 100
_MOST_DIGITS = 20


def duration(text: str) -> int:
    """``30m``, ``12h``, ``7d`` as seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 12h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def label(text: str) -> str:
    """A note of the operator's: short, printable."""
    if len(text) > _MAX_LABEL or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a label has at most {_MAX_LABEL} printable characters")
    return text


def typed(question: str) -> str:
    """What a person at the terminal answers, in lower case; empty where the input ends."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower()


class Number:
    """A whole number from ``least`` to ``most``."""

    def __init__(self, least: int, most: int) -> None:
        self._range = least, most

    def __call__(self, text: str) -> int:
        least, most = self._range
        plain = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
        if not (plain and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {least} to {most}")
        return int(text)
