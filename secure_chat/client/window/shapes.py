"""Small drawings on a Canvas: rounded boxes and the marks for delivery and trust.

Drawn rather than written, so that they look alike with every font.
"""

import tkinter as tk
from typing import NamedTuple

from secure_chat.client.presenter.rows import Delivery, Mark
from secure_chat.client.window.palette import Palette
from secure_chat.client.window.smooth import Discs

Box = tuple[int, int, int, int]


class Radii(NamedTuple):
    """The radii of a box's corners."""

    top_left: int
    top_right: int
    bottom_left: int
    bottom_right: int


class Pen:
    """Draws on one Canvas in one set of colours."""

    def __init__(self, canvas: tk.Canvas, discs: Discs, colors: Palette) -> None:
        self._canvas, self._discs, self._colors = canvas, discs, colors

    def disc(self, x: int, y: int, diameter: int, color: str, ground: str = "") -> None:
        """A filled circle centred at (x, y), on one colour of ``ground`` or on anything."""
        self._canvas.create_image(x, y, image=self._discs.disc(color, diameter, ground))

    def rounded(
        self, box: Box, radius: int, *, fill: str, outline: str = "", ground: str = ""
    ) -> None:
        """A box with round corners, as `bubble` draws it."""
        self.bubble(box, Radii(*(radius,) * 4), fill=fill, outline=outline, ground=ground)

    def bubble(
        self, box: Box, radii: Radii, *, fill: str, outline: str = "", ground: str = ""
    ) -> None:
        """A box whose corners have radii of their own; an ``outline`` is 2 pixels wide.

        ``ground`` is the colour that it lies on, where there is only one.
        """
        if outline:
            self.bubble(box, radii, fill=outline, ground=ground)
            x0, y0, x1, y1 = box
            # What lies beyond the outline shows within the square of an inner corner: see through.
            box, ground = (x0 + 2, y0 + 2, x1 - 2, y1 - 2), ""
            radii = Radii(*(radius - 2 for radius in radii))
        x0, y0, x1, y1 = box
        most = max(1, min((x1 - x0) // 2, (y1 - y0) // 2))
        a, b, c, d = (max(1, min(radius, most)) for radius in radii)
        canvas = self._canvas
        canvas.create_polygon(  # all but the squares of the corners
            x0 + a, y0, x1 - b, y0, x1 - b, y0 + b, x1, y0 + b, x1, y1 - d, x1 - d, y1 - d,
            x1 - d, y1, x0 + c, y1, x0 + c, y1 - c, x0, y1 - c, x0, y0 + a, x0 + a, y0 + a,
            fill=fill, width=0,
        )  # fmt: skip
        corners = (x0, y0, a), (x1 - b, y0, b), (x0, y1 - c, c), (x1 - d, y1 - d, d)
        for place, (x, y, radius) in enumerate(corners):
            image = self._discs.quarters(fill, radius, ground)[place]
            canvas.create_image(x, y, image=image, anchor="nw")

    def check(self, x: int, y: int, size: int, *, on: bool) -> None:
        """Whether a row is selected, centred at (x, y)."""
        colors = self._colors
        self.disc(x, y, size, colors.accent if on else colors.muted)
        if not on:
            self.disc(x, y, size - 4, colors.chat)
            return
        inner = round(size * 0.66)
        self._check(x - inner // 2, y, inner, colors.on_accent, thick=max(2, inner // 6))

    def clock(self, x: int, y: int, size: int, color: str) -> None:
        """A clock in a box of ``size`` with its left end at (x, y)."""
        self._clock(x + size // 2, y, size, color)

    def arrow(self, x: int, y: int, size: int, color: str, *, down: bool) -> None:
        """An arrow with a line under it (a file to fetch), or up from it, centred at (x, y)."""
        half, sign = size // 2, 1 if down else -1
        width = max(2, size // 9)
        self._canvas.create_line(x, y - sign * half, x, y + sign * half // 2, fill=color,
                                 width=width, capstyle="round")  # fmt: skip
        self._canvas.create_line(
            [x - half * 0.6, y - sign * half * 0.05, x, y + sign * half * 0.55,
             x + half * 0.6, y - sign * half * 0.05],
            fill=color, width=width, capstyle="round", joinstyle="round",
        )  # fmt: skip
        self._canvas.create_line(
            x - half * 0.7, y + half, x + half * 0.7, y + half, fill=color, width=width
        )

    def delivery(self, x: int, y: int, size: int, delivery: Delivery, color: str) -> None:
        """How far a message has come, in a box of 1.5 x 1 ``size`` with its left end at (x, y)."""
        if delivery is Delivery.NONE:
            return
        if delivery is Delivery.WAITING:
            self._clock(x + size // 2, y, size, color)
        elif delivery is Delivery.HELD:
            self.exclamation(x + size // 2, y, size)
        else:
            tint = self._colors.read if delivery is Delivery.READ else color
            self._check(x, y, size, tint)
            if delivery is not Delivery.ACCEPTED:
                self._check(x + size // 2, y, size, tint)

    def trust(self, x: int, y: int, size: int, mark: Mark) -> None:
        """A badge centred at (x, y): a tick for verified, a sign for changed, a ring for new."""
        if mark is Mark.VERIFIED:
            self.disc(x, y, size, self._colors.good)
            inner = round(size * 0.62)
            self._check(x - inner // 2, y, inner, self._colors.surface, thick=max(2, inner // 6))
        elif mark is Mark.CHANGED:
            self.exclamation(x, y, size)
        elif mark is Mark.NEW:
            half, thick = size // 2 - 1, max(1, size // 14)
            self._canvas.create_oval(
                x - half, y - half, x + half, y + half, outline=self._colors.muted, width=thick,
                dash=(2 * thick, 2 * thick),
            )  # fmt: skip

    def blocked(self, x: int, y: int, size: int, color: str) -> None:
        """A ring with a bar across it, centred at (x, y)."""
        half, width = size // 2, max(1, size // 8)
        self._canvas.create_oval(x - half, y - half, x + half, y + half, outline=color, width=width)
        slant = round(half * 0.7)
        self._canvas.create_line(
            (x - slant, y - slant, x + slant, y + slant), fill=color, width=width
        )

    def muted(self, x: int, y: int, size: int, color: str) -> None:
        """A loudspeaker that is struck through, centred at (x, y)."""
        half = size / 2
        points = [
            x - half, y - half * 0.35, x - half * 0.4, y - half * 0.35, x + half * 0.2,
            y - half * 0.85, x + half * 0.2, y + half * 0.85, x - half * 0.4, y + half * 0.35,
            x - half, y + half * 0.35,
        ]  # fmt: skip
        self._canvas.create_polygon(points, fill=color, outline="")
        width = max(1, size // 8)
        for x0, y0, x1, y1 in ((0.45, -0.4, 1, 0.4), (0.45, 0.4, 1, -0.4)):
            self._canvas.create_line(
                x + half * x0, y + half * y0, x + half * x1, y + half * y1, fill=color, width=width
            )

    def pin(self, x: int, y: int, size: int, color: str) -> None:
        """A drawing pin, centred at (x, y)."""
        half = size / 2
        head = [
            x - half * 0.55, y - half, x + half * 0.55, y - half, x + half * 0.35, y - half * 0.75,
            x + half * 0.35, y - half * 0.1, x + half * 0.75, y + half * 0.3, x - half * 0.75,
            y + half * 0.3, x - half * 0.35, y - half * 0.1, x - half * 0.35, y - half * 0.75,
        ]  # fmt: skip
        self._canvas.create_polygon(head, fill=color, outline="")
        self._canvas.create_line(
            x, y + half * 0.3, x, y + half, fill=color, width=max(1, size // 8)
        )

    def exclamation(self, x: int, y: int, size: int) -> None:
        """A round warning sign centred at (x, y)."""
        half, thick, ink = size // 2, max(2, size // 7), self._colors.on_danger
        self.disc(x, y, size, self._colors.danger)
        self._canvas.create_line(x, y - half * 0.55, x, y + half * 0.1, fill=ink, width=thick)
        self._canvas.create_line(x, y + half * 0.4, x, y + half * 0.6, fill=ink, width=thick)

    def information(self, x: int, y: int, size: int, color: str, ground: str) -> None:
        """A small i in a ring, centred at (x, y): the sign of our own program's lines."""
        half, thick = size // 2, max(1, size // 8)
        self.disc(x, y, size, color)
        self.disc(x, y, size - 2 * thick, ground)
        self._canvas.create_line(x, y - half * 0.1, x, y + half * 0.55, fill=color, width=thick)
        self._canvas.create_line(x, y - half * 0.55, x, y - half * 0.35, fill=color, width=thick)

    def _check(self, x: int, y: int, size: int, color: str, thick: int = 0) -> None:
        points = [x + size * 0.08, y + size * 0.02, x + size * 0.36, y + size * 0.3]
        points += [x + size * 0.92, y - size * 0.34]
        width = thick or max(1, round(size / 8))
        self._canvas.create_line(
            points, fill=color, width=width, joinstyle="round", capstyle="round"
        )

    def _clock(self, x: int, y: int, size: int, color: str) -> None:
        half, thick = round(size * 0.42), max(1, size // 12)
        self._canvas.create_oval(x - half, y - half, x + half, y + half, outline=color, width=thick)
        self._canvas.create_line(
            [x, y - half * 0.6, x, y, x + half * 0.5, y], fill=color, width=thick
        )


def mark_width(delivery: Delivery, size: int) -> int:
    """The width that `Pen.delivery` takes."""
    if delivery is Delivery.NONE:
        return 0
    return size + (size // 2 if delivery in {Delivery.DELIVERED, Delivery.READ} else 0)


def trust_badge(parent: tk.Misc, discs: Discs, colors: Palette, mark: Mark, size: int) -> tk.Canvas:
    """A trust mark as a widget of its own."""
    badge = tk.Canvas(
        parent, width=size + 2, height=size + 2, highlightthickness=0,
        background=str(parent.cget("background")),
    )  # fmt: skip
    Pen(badge, discs, colors).trust(size // 2 + 1, size // 2 + 1, size, mark)
    return badge
