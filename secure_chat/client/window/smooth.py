"""Smooth discs for a Canvas, which draws its own ovals with jagged edges.

A disc becomes a small PNG with an alpha channel, made once for each colour and size.
"""

import struct
import tkinter as tk
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

Coverage = list[bytes]
"""How much of each pixel is covered, 0 to 255, row by row."""
Layer = tuple[str, Coverage]
"""A colour, and where it is."""
_STEPS = 4  # samples a side of a pixel
_TRUECOLOR_ALPHA = 6
_PIXEL = 4  # bytes
_MIDDLE = (96, 24)  # pixels between the corners of a box


class Discs:
    """The images of one window, by their Tcl names; they live as long as its interpreter.

    Not `tkinter.PhotoImage`: its destructor calls Tk from whichever thread collects garbage.
    """

    def __init__(self, root: tk.Misc) -> None:
        self._root = root
        self._images: dict[tuple[str, int, str], str] = {}
        self._quarters: dict[tuple[str, int, str], tuple[str, ...]] = {}
        self._boxes: dict[tuple[str, str, int, int], str] = {}

    def disc(self, color: str, diameter: int, ground: str = "") -> str:
        """A filled circle; ``ground`` as for `quarters`."""
        key = color, diameter, ground
        if key not in self._images:
            self._images[key] = self._image(color, _coverage(diameter), ground)
        return self._images[key]

    def quarters(self, color: str, radius: int, ground: str = "") -> tuple[str, ...]:
        """The four corners of a rounded box: top left, top right, bottom left, bottom right.

        On one colour of ``ground`` they are opaque: Tk asks the screen back for whatever lies
        under an alpha channel, and waits for the answer.
        """
        key = color, radius, ground
        if key not in self._quarters:
            rows = _coverage(2 * radius)
            top, bottom = rows[:radius], rows[radius:]
            parts = [
                [row[side] for row in half]
                for half in (top, bottom)
                for side in (slice(0, radius), slice(radius, None))
            ]
            self._quarters[key] = tuple(self._image(color, part, ground) for part in parts)
        return self._quarters[key]

    def box(self, fill: str, border: str, radius: int, thick: int) -> str:
        """A rounded box with a border; what lies between its corners may be repeated.

        There is much of it, since Ttk fills a widget with copies of it, each as slow as a large
        one: with two pixels a button takes 6 ms.
        """
        key = fill, border, radius, thick
        if key not in self._boxes:
            outer, inner = _box_coverage(radius, 0), _box_coverage(radius, thick)
            inside, edge = _rgb(fill), _rgb(border)
            rows = []
            for outer_row, inner_row in zip(outer, inner, strict=True):
                row = bytearray()
                for alpha, share in zip(outer_row, inner_row, strict=True):
                    row += _mixed(inside, edge, share)
                    row.append(alpha)
                rows.append(_widened(bytes(row), radius))
            middle = [rows[radius]] * _MIDDLE[1]
            self._boxes[key] = self._png(
                rows[:radius] + middle + rows[-radius:], len(rows[0]) // _PIXEL
            )
        return self._boxes[key]

    def stacked(self, ground: str, layers: Sequence[Layer]) -> str:
        """One colour over another, on a ground of one colour."""
        size = len(layers[0][1])
        rows = [[_rgb(ground)] * size for _ in range(size)]
        for color, coverage in layers:
            ink = _rgb(color)
            for row, shares in zip(rows, coverage, strict=True):
                row[:] = [_mixed(ink, under, a) for under, a in zip(row, shares, strict=True)]
        return self._png([b"".join(pixel + b"\xff" for pixel in row) for row in rows], size)

    def _image(self, color: str, alpha: list[bytes], ground: str = "") -> str:
        ink = _rgb(color)
        if ground:
            under = _rgb(ground)
            rows = [b"".join(_mixed(ink, under, a) + b"\xff" for a in row) for row in alpha]
        else:
            rows = [b"".join(ink + bytes([a]) for a in row) for row in alpha]
        return self._png(rows, len(alpha[0]))

    def _png(self, pixels: list[bytes], width: int) -> str:
        """An image of rows of RGBA pixels."""
        rows = b"".join(b"\0" + row for row in pixels)
        header = struct.pack(">IIBBBBB", width, len(pixels), 8, _TRUECOLOR_ALPHA, 0, 0, 0)
        data = b"\x89PNG\r\n\x1a\n" + b"".join(
            _chunk(kind, content)
            for kind, content in (
                (b"IHDR", header),
                (b"IDAT", zlib.compress(rows)),
                (b"IEND", b""),
            )
        )
        return str(self._root.tk.call("image", "create", "photo", "-data", data))


def _rgb(color: str) -> bytes:
    return bytes.fromhex(color.removeprefix("#"))


def _widened(row: bytes, radius: int) -> bytes:
    """A row of pixels with more of them in its middle."""
    edge = radius * _PIXEL
    return row[:edge] + row[edge : edge + _PIXEL] * _MIDDLE[0] + row[-edge:]


def _mixed(one: bytes, other: bytes, share: int) -> bytes:
    """A colour with ``share`` of 255 parts of the first."""
    pairs = zip(one, other, strict=True)
    return bytes((a * share + b * (255 - share)) // 255 for a, b in pairs)


def _box_coverage(radius: int, inset: int) -> list[bytes]:
    """How much of each pixel of a box with round corners is covered, ``inset`` from its edges."""
    side, corner = 2 * radius + 2, max(radius - inset, 1)
    disc = _coverage(2 * corner)

    def at(place: int) -> int | None:
        """The disc's row or column for one of the box; None in the middle; -1 outside."""
        inner = place - inset
        if inner < 0 or place >= side - inset:
            return -1
        if inner < corner:
            return inner
        after = place - (side - inset - corner)
        return corner + after if after >= 0 else None

    places = [at(place) for place in range(side)]
    rows = []
    for y in places:
        row = bytearray()
        for x in places:
            outside = x == -1 or y == -1
            row.append(0 if outside else 255 if x is None or y is None else disc[y][x])
        rows.append(bytes(row))
    return rows


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


@lru_cache(64)
def _coverage(diameter: int) -> Coverage:
    """A disc's."""
    return circle(diameter, 0)


def circle(size: int, inset: float) -> Coverage:
    """A disc in a square of ``size``, so far from its edges."""
    middle, radius = size / 2, size / 2 - inset
    half = (size + 1) // 2  # the other quarters are this one's reflections
    squares = [
        [(place + (step + 0.5) / _STEPS - middle) ** 2 for step in range(_STEPS)]
        for place in range(half)
    ]
    most, samples = radius * radius, _STEPS**2
    quarter = [
        bytes(
            sum([a + b <= most for a in across for b in down]) * 255 // samples
            for across in squares
        )
        for down in squares
    ]
    left = [row + row[: size // 2][::-1] for row in quarter]
    return left + left[: size // 2][::-1]


def box(size: int, inset: float, radius: float) -> Coverage:
    """A square with round corners in a square of ``size``."""
    low, high = inset + radius, size - inset - radius

    def inside(x: float, y: float) -> bool:
        dx, dy = max(low - x, x - high, 0.0), max(low - y, y - high, 0.0)
        return dx * dx + dy * dy <= radius * radius

    return _sampled(size, inside)


def stroke(size: int, points: Sequence[tuple[float, float]], width: float) -> Coverage:
    """A line through points that are given in parts of ``size``, with round ends."""
    ends = [(x * size, y * size) for x, y in points]

    def inside(x: float, y: float) -> bool:
        return any(
            _distance_squared(x, y, one, two) <= width * width / 4 for one, two in pairwise(ends)
        )

    return _sampled(size, inside)


def _distance_squared(
    x: float, y: float, one: tuple[float, float], two: tuple[float, float]
) -> float:
    """From a point to a line between two others."""
    dx, dy = two[0] - one[0], two[1] - one[1]
    along = ((x - one[0]) * dx + (y - one[1]) * dy) / (dx * dx + dy * dy)
    along = max(0.0, min(1.0, along))
    return (x - one[0] - along * dx) ** 2 + (y - one[1] - along * dy) ** 2


def _sampled(size: int, inside: Callable[[float, float], bool]) -> Coverage:
    offsets = [(step + 0.5) / _STEPS for step in range(_STEPS)]
    return [
        bytes(
            sum(inside(x + dx, y + dy) for dx in offsets for dy in offsets) * 255 // _STEPS**2
            for x in range(size)
        )
        for y in range(size)
    ]
