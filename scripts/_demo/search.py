"""Looks for a text in bytes, in every form that it could have without being encrypted."""

import base64
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECE = 12
"""Any so many characters of a line count as the line: a part of it is a leak as well."""


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
    """A sentence for each place that holds a piece of a text in some form."""
    found = set()
    for text in texts:
        for piece in pieces(text):
            for form, needle in forms(piece):
                found |= {
                    f"{place} holds {piece!r} ({form})"
                    for place, data in places.items()
                    if needle in data
                }
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
