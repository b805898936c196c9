"""What commands print: tables for people, JSON for programs."""

import datetime as dt
import math
import unicodedata
from argparse import ArgumentParser
from collections.abc import Sequence

import msgspec
from msgspec import Struct

_SIZES = ("KiB", "MiB", "GiB", "TiB")


def add_json(parser: ArgumentParser) -> None:
    """The option of every command that shows something."""
    parser.add_argument("--json", action="store_true", help="for programs: one JSON value")


def json(value: Struct | Sequence[Struct]) -> str:
    """A value as JSON, in one line."""
    return msgspec.json.encode(value).decode()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their names; numbers stand to the right. A cell is printable text."""
    lines = [head, *rows]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    numeric = [all(row[i].isdecimal() for row in rows) and bool(rows) for i in range(len(head))]
    return "\n".join("  ".join(map(_padded, line, widths, numeric)).rstrip() for line in lines)


def _padded(text: str, width: int, to_the_right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if to_the_right else text + space


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def moment(milliseconds: int | None) -> str:
    """A time in this machine's zone, to the minute."""
    if milliseconds is None:
        return "never"
    return dt.datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: float) -> str:
    """Bytes in a unit that can be read: ``1.5 MiB``."""
    if count < 1024:
        return f"{count:.0f} bytes"
    steps = min(int(math.log(count, 1024)), len(_SIZES))
    return f"{count / 1024**steps:.1f} {_SIZES[steps - 1]}"


def several(count: int, what: str) -> str:
    """``1 invite``, ``2,000 invites``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
