"""Looks for a text in bytes, in every form that it could have without being encrypted."""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 12
"""Any so many characters of a line count as the line: a part of it is a leak as well."""

_BEGINNING = 8  # bytes of a needle
_STRETCH = 65_536  # bytes of hay


def forms(text: str) -> Iterator[tuple[str, bytes]]:
    """``(name, bytes)`` of the ways in which ``text`` could be written down."""
    for name in ("utf-8", "utf-16-le", "utf-16-be"):
        data = text.encode(name)
        yield name, data
        yield f"{name}, hex", data.hex().encode()
        yield f"{name}, HEX", data.hex().upper().encode()
        for shift in range(3):  # where a text stands in a longer base64 decides its letters
            whole = base64.b64encode(bytes(shift) + data)
            inner = whole[-(-shift * 8 // 6) : -4]
            yield f"{name}, base64", inner
            yield f"{name}, base64url", inner.translate(bytes.maketrans(b"+/", b"-_"))
    yield "utf-8, percent-encoded", urllib.parse.quote(text).encode()
    yield "JSON", json.dumps(text).strip('"').encode()
    yield "utf-8, reversed", text[::-1].encode()


def pieces(text: str) -> list[str]:
    """The runs of `PIECE` characters in ``text``; all of it when it is shorter."""
    return [text[at : at + PIECE] for at in range(max(1, len(text) - PIECE + 1))]


def find(texts: Iterable[str], places: dict[str, bytes]) -> list[str]:
    """A sentence for each place that holds a piece of a text in some form.

    There are thousands of needles: a stretch of the hay is looked through for the beginnings of all
    at once, and only what begins like one is searched for it.
    """
    needles: dict[bytes, list[tuple[bytes, str]]] = {}
    for text in texts:
        for piece in pieces(text):
            for form, needle in forms(piece):
                said = f"holds {piece!r} ({form})"
                needles.setdefault(needle[:_BEGINNING], []).append((needle, said))
    short = [begin for begin in needles if len(begin) < _BEGINNING]
    long = needles.keys() - set(short)
    found = set()
    for place, data in places.items():
        begun = {begin for begin in short if begin in data}
        for start in range(0, len(data), _STRETCH):
            begun |= long & {
                data[at : at + _BEGINNING] for at in range(start, min(start + _STRETCH, len(data)))
            }
        for begin in begun:
            found |= {f"{place} {said}" for needle, said in needles[begin] if needle in data}
    return sorted(found)


def folder(path: Path) -> dict[str, bytes]:
    """Every file below ``path``, by its name there."""
    held = {}
    for file in sorted(path.rglob("*")):
        try:
            if file.is_file():
                held[str(file.relative_to(path))] = file.read_bytes()
        except FileNotFoundError:  # a journal that was just removed
            continue
    return held
