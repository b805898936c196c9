"""Small drawings on a Canvas: rounded boxes and the marks for delivery and trust.

Drawn as lines rather than as characters, so that they look alike with every font.
"""

import tkinter as tk

from secure_chat.client.presenter.rows import Delivery, Mark
from secure_chat.client.window.palette import Palette


def rounded(
    canvas: tk.Canvas, box: tuple[int, int, int, int], radius: int, *, fill: str, outline: str = ""
) -> int:
    """A box with round corners; returns the item."""
    x0, y0, x1, y1 = box
    r = min(radius, (x1 - x0) // 2, (y1 - y0) // 2)
    points = [
        (x0 + r, y0), (x0 + r, y0), (x1 - r, y0), (x1 - r, y0), (x1, y0), (x1, y0 + r),
        (x1, y0 + r), (x1, y1 - r), (x1, y1 - r), (x1, y1), (x1 - r, y1), (x1 - r, y1),
        (x0 + r, y1), (x0 + r, y1), (x0, y1), (x0, y1 - r), (x0, y1 - r), (x0, y0 + r),
        (x0, y0 + r), (x0, y0),
    ]  # fmt: skip
    flat = [coordinate for point in points for coordinate in point]
    return canvas.create_polygon(
        flat, smooth=True, fill=fill, outline=outline, width=2 if outline else 0
    )


def delivery_mark(
    canvas: tk.Canvas, x: int, y: int, size: int, delivery: Delivery, *, color: str, colors: Palette
) -> None:
    """How far a message has come, in a box of 1.5 x 1 ``size`` with its left end at (x, y)."""
    if delivery is Delivery.NONE:
        return
    if delivery is Delivery.WAITING:
        _clock(canvas, x + size // 2, y, size, color)
    elif delivery is Delivery.HELD:
        exclamation(canvas, x + size // 2, y, size, colors.danger, colors.on_danger)
    else:
        tint = colors.accent if delivery is Delivery.READ else color
        _check(canvas, x, y, size, tint)
        if delivery is not Delivery.ACCEPTED:
            _check(canvas, x + size // 2, y, size, tint)


def mark_width(delivery: Delivery, size: int) -> int:
    """The width of `delivery_mark`."""
    if delivery is Delivery.NONE:
        return 0
    return size + (size // 2 if delivery in {Delivery.DELIVERED, Delivery.READ} else 0)


def trust_mark(canvas: tk.Canvas, x: int, y: int, size: int, mark: Mark, colors: Palette) -> None:
    """A badge centred at (x, y): a tick for verified, a sign for changed, a ring for new."""
    if mark is Mark.VERIFIED:
        half = size // 2
        canvas.create_oval(x - half, y - half, x + half, y + half, fill=colors.good, width=0)
        inner = round(size * 0.62)
        _check(canvas, x - inner // 2, y, inner, colors.surface)
    elif mark is Mark.CHANGED:
        exclamation(canvas, x, y, size, colors.danger, colors.on_danger)
    elif mark is Mark.NEW:
        half = size // 2 - 1
        canvas.create_oval(
            x - half, y - half, x + half, y + half, outline=colors.muted, width=1, dash=(2, 2)
        )


def exclamation(canvas: tk.Canvas, x: int, y: int, size: int, ground: str, ink: str) -> None:
    """A round warning sign centred at (x, y)."""
    half, thick = size // 2, max(2, size // 7)
    canvas.create_oval(x - half, y - half, x + half, y + half, fill=ground, width=0)
    canvas.create_line(x, y - half * 0.55, x, y + half * 0.1, fill=ink, width=thick)
    canvas.create_line(x, y + half * 0.4, x, y + half * 0.6, fill=ink, width=thick)


def information(canvas: tk.Canvas, x: int, y: int, size: int, color: str) -> None:
    """A small i in a ring, centred at (x, y): the sign of our own program's lines."""
    half, thick = size // 2, max(1, size // 8)
    canvas.create_oval(x - half, y - half, x + half, y + half, outline=color, width=thick)
    canvas.create_line(x, y - half * 0.1, x, y + half * 0.55, fill=color, width=thick)
    canvas.create_line(x, y - half * 0.55, x, y - half * 0.35, fill=color, width=thick)


def _check(canvas: tk.Canvas, x: int, y: int, size: int, color: str) -> None:
    width = max(1, round(size / 8))
    canvas.create_line(
        x + size * 0.08, y + size * 0.02, x + size * 0.36, y + size * 0.3,
        x + size * 0.92, y - size * 0.34, fill=color, width=width, joinstyle="round", capstyle="round",
    )  # fmt: skip


def _clock(canvas: tk.Canvas, x: int, y: int, size: int, color: str) -> None:
    half = round(size * 0.42)
    canvas.create_oval(x - half, y - half, x + half, y + half, outline=color, width=1)
    canvas.create_line(x, y - half * 0.6, x, y, x + half * 0.5, y, fill=color, width=1)
