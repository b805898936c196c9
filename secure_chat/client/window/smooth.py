"""Smooth discs for a Canvas, which draws its own ovals with jagged edges.

A disc becomes a small PNG with an alpha channel, made once for each colour and size.
"""

import struct
import tkinter as tk
import zlib
from functools import lru_cache

_STEPS = 4  # samples a side of a pixel
_TRUECOLOR_ALPHA = 6


class Discs:
    """The images of one window, by their Tcl names; they live as long as its interpreter.

    Not `tkinter.PhotoImage`: its destructor calls Tk from whichever thread collects garbage.
    """

    def __init__(self, root: tk.Misc) -> None:
        self._root = root
        self._images: dict[tuple[str, int], str] = {}
        self._quarters: dict[tuple[str, int], tuple[str, ...]] = {}

    def disc(self, color: str, diameter: int) -> str:
        """A filled circle."""
        key = color, diameter
        if key not in self._images:
            self._images[key] = self._image(color, _coverage(diameter))
        return self._images[key]

    def quarters(self, color: str, radius: int) -> tuple[str, ...]:
        """The four corners of a rounded box: top left, top right, bottom left, bottom right."""
        key = color, radius
        if key not in self._quarters:
            rows = _coverage(2 * radius)
            top, bottom = rows[:radius], rows[radius:]
            parts = [
                [row[side] for row in half]
                for half in (top, bottom)
                for side in (slice(0, radius), slice(radius, None))
            ]
            self._quarters[key] = tuple(self._image(color, part) for part in parts)
        return self._quarters[key]

    def _image(self, color: str, alpha: list[bytes]) -> str:
        rgb = bytes.fromhex(color.removeprefix("#"))
        rows = b"".join(b"\0" + b"".join(rgb + bytes([a]) for a in row) for row in alpha)
        header = struct.pack(">IIBBBBB", len(alpha[0]), len(alpha), 8, _TRUECOLOR_ALPHA, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            _chunk(kind, content)
            for kind, content in (
                (b"IHDR", header),
                (b"IDAT", zlib.compress(rows)),
                (b"IEND", b""),
            )
        )
        return str(self._root.tk.call("image", "create", "photo", "-data", data))


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


@lru_cache(64)
def _coverage(diameter: int) -> list[bytes]:
    """How much of each pixel a disc covers, 0 to 255."""
    radius = diameter / 2
    offsets = [(step + 0.5) / _STEPS for step in range(_STEPS)]
    rows = []
    for y in range(diameter):
        row = bytearray()
        for x in range(diameter):
            inside = sum(
                (x + dx - radius) ** 2 + (y + dy - radius) ** 2 <= radius * radius
                for dx in offsets
                for dy in offsets
            )
            row.append(inside * 255 // _STEPS**2)
        rows.append(bytes(row))
    return rows
