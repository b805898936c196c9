"""How a row looks: bubbles, days, and notices that no bubble can imitate.

A bubble always has a ground of its own at one side. A notice stands in the middle, in a frame with
the sign of our program before it: nothing that a person writes is ever drawn so.
"""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.rows import BubbleRow, NoticeRow, Row, UnreadRow
from secure_chat.client.text import Line
from secure_chat.client.window.bubble import BubbleLayouter
from secure_chat.client.window.drawn import Drawn, Shape, Sign, Text
from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui

_MOST_LINES = 40  # of a notice
_FOLDED = 30


class RowPainter:
    """Lays out and draws rows with one look."""

    def __init__(self, ui: Ui, canvas: tk.Canvas) -> None:
        self._ui = ui
        self._canvas = canvas
        self._pen = Pen(canvas, ui.discs, ui.colors)
        self._bubbles = BubbleLayouter(ui)
        self._margin = ui.px(14)
        self._small = ui.fonts["small"].metrics("linespace")
        self._average = max(1, ui.fonts["text"].measure("the quick brown fox") // 19)

    # ------------------------------------------------------------ layout

    def estimator(self, width: int) -> Callable[[Row], int]:
        """What gives heights of this width for rows that have not been in view yet.

        It is asked of every row of a list, so nothing in it is worked out twice.
        """
        ui, average = self._ui, self._average
        other, room, line = self._small + ui.px(20), self._bubbles.room(width), ui.line_height
        around, most = 2 * ui.px(7) + ui.px(4), _FOLDED + 1

        def estimate(row: Row) -> int:
            if not isinstance(row, BubbleRow):
                return other
            text = row.text
            lines = 1 + len(text) * average // room + ("\n" in text and text.count("\n"))
            return min(most, lines) * line + around

        return estimate

    def layout(self, row: Row, width: int, *, expanded: bool) -> Drawn:
        """Wrap, shape and measure."""
        if isinstance(row, BubbleRow):
            return self._bubbles.layout(row, width, expanded=expanded)
        return Drawn(row, width, len(self._lines(row, width)) * self._small + self._ui.px(20))

    def _lines(self, row: Row, width: int) -> list[Line]:
        ui = self._ui
        text = f"{row.text}  ·  {row.when}" if isinstance(row, NoticeRow) else row.text
        room = width - 2 * self._margin - ui.px(60)
        lines = ui.layout("small").wrap(ui.drawable(text), room, rtl=ui.direction(text))
        return lines[:_MOST_LINES]

    # ------------------------------------------------------------ drawing

    def draw(self, drawn: Drawn, y: int, view: int, *, current: bool, chosen: bool | None) -> None:
        """Draw a row whose top is at ``y`` of a view so high.

        ``chosen``: whether it is one of those that are selected; None: none are.
        """
        row = drawn.row
        if isinstance(row, BubbleRow):
            if chosen is not None:
                self._draw_choice(drawn, y, view, chosen=chosen)
            self._draw_bubble(drawn, y, view, current=current, chosen=bool(chosen))
        elif isinstance(row, NoticeRow):
            self._draw_notice(drawn, y, current=current)
        else:
            self._draw_line(drawn, y, current=current, strong=isinstance(row, UnreadRow))

    def _draw_choice(self, drawn: Drawn, y: int, view: int, *, chosen: bool) -> None:
        ui = self._ui
        top, bottom = max(y, -10), min(y + drawn.height, view + 10)
        if chosen:
            self._canvas.create_rectangle(
                0, top, drawn.width + 4, bottom, fill=ui.colors.chosen, width=0
            )
        row = drawn.row
        size = ui.px(18)
        at_left = isinstance(row, BubbleRow) and row.ours != ui.words.rtl
        x = ui.px(20) if at_left else drawn.width - ui.px(20)
        self._pen.check(x, (top + bottom) // 2, size, on=chosen)

    def _draw_bubble(self, drawn: Drawn, y: int, view: int, *, current: bool, chosen: bool) -> None:
        canvas, pen, accent = self._canvas, self._pen, self._ui.colors.accent
        fonts = self._ui.fonts
        for thing in drawn.things:
            match thing:
                case Text():
                    at = y + thing.y
                    if at > view or at + thing.height < -thing.height:
                        continue
                    canvas.create_text(
                        thing.x, at, anchor=thing.anchor, text=thing.text, font=fonts[thing.font],
                        fill=thing.color,
                    )  # fmt: skip
                case Shape(box=(left, top, right, bottom)):
                    # X draws garbage beyond 32,767 pixels: a tall one is cut to what can be seen.
                    box = (left, max(y + top, -200), right, min(y + bottom, view + 200))
                    if box[1] >= box[3]:
                        continue
                    outline = accent if current and thing.takes_focus else thing.outline
                    pen.bubble(
                        box, thing.radii, fill=thing.fill, outline=outline,
                        ground="" if chosen and thing.takes_focus else thing.ground,
                    )  # fmt: skip
                case Sign():
                    self._draw_sign(thing, y + thing.y)
        if current and not any(isinstance(thing, Shape) for thing in drawn.things):
            self._draw_ring(drawn, y)

    def _draw_sign(self, sign: Sign, y: int) -> None:
        pen = self._pen
        if sign.kind == "delivery":
            pen.delivery(sign.x, y, sign.size, sign.delivery, sign.color)
        elif sign.kind == "clock":
            pen.clock(sign.x, y, sign.size, sign.color)
        else:
            pen.arrow(sign.x, y, sign.size, sign.color, down=sign.kind == "arrow_down")

    def _draw_ring(self, drawn: Drawn, y: int) -> None:
        """What has the keyboard and no bubble of its own."""
        self._canvas.create_rectangle(
            3,
            y + 1,
            drawn.width,
            y + drawn.height - 1,
            outline=self._ui.colors.accent,
            width=self._ui.px(2),
        )

    def _draw_line(self, drawn: Drawn, y: int, *, current: bool, strong: bool) -> None:
        """A day, or the line above what is unread."""
        colors, center, canvas = self._ui.colors, drawn.width // 2, self._canvas
        line = self._lines(drawn.row, drawn.width)[0]
        middle = y + drawn.height // 2
        half = line.width // 2 + self._ui.px(12)
        tint = colors.accent if current or strong else colors.line
        for x0, x1 in ((self._margin, center - half), (center + half, drawn.width - self._margin)):
            canvas.create_line(x0, middle, x1, middle, fill=tint, width=self._ui.px(1))
        canvas.create_text(
            center, middle, text=line.text,
            font=self._ui.fonts["small_bold" if strong else "small"],
            fill=colors.accent if strong else colors.muted,
        )  # fmt: skip

    def _draw_notice(self, drawn: Drawn, y: int, *, current: bool) -> None:
        ui, colors, center = self._ui, self._ui.colors, drawn.width // 2
        lines = self._lines(drawn.row, drawn.width)
        sign = round(self._small * 0.8)
        half = max(line.width for line in lines) // 2 + ui.px(12) + sign
        box = (center - half, y + ui.px(4), center + half, y + drawn.height - ui.px(4))
        outline = colors.accent if current else colors.line
        self._canvas.create_rectangle(
            *box, fill=colors.notice, outline=outline, width=ui.px(2 if current else 1)
        )
        rtl = ui.words.rtl
        sign_x = box[2] - ui.px(8) - sign // 2 if rtl else box[0] + ui.px(8) + sign // 2
        self._pen.information(sign_x, y + drawn.height // 2, sign, colors.on_notice, colors.notice)
        text_x = center - sign // 2 if rtl else center + sign // 2
        for number, line in enumerate(lines):
            self._canvas.create_text(
                text_x, y + ui.px(10) + number * self._small, anchor="n", text=line.text,
                font=ui.fonts["small"], fill=colors.on_notice,
            )  # fmt: skip
