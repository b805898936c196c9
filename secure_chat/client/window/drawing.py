"""How a row looks: bubbles, days, and notices that no bubble can imitate.

A bubble always has a ground of its own at one side. A notice stands in the middle, in a frame with
the sign of our program before it: nothing that a person writes is ever drawn so.
"""

import tkinter as tk
from dataclasses import dataclass, field

from secure_chat.client.presenter.rows import BubbleRow, DayRow, NoticeRow, Row
from secure_chat.client.text import Line
from secure_chat.client.window.shapes import Pen, mark_width
from secure_chat.client.window.ui import Ui

_FOLD_FROM, _FOLDED = 40, 30  # lines


@dataclass
class Drawn:
    """A row laid out for one width: lines wrapped and shaped, nothing left to measure."""

    row: Row
    width: int  # of the whole list
    height: int
    lines: list[Line] = field(default_factory=list)
    small: list[Line] = field(default_factory=list)  # why it is held, whose clock is off
    text_width: int = 0
    meta_inline: bool = True
    foldable: bool = False
    more: str = ""
    top_gap: int = 0

    def on_more(self, y: int) -> bool:
        """Whether a click at ``y`` within the row is on its last line, where it unfolds."""
        return bool(self.more) and y > self.height * 0.85


class RowPainter:
    """Lays out and draws rows with one look."""

    def __init__(self, ui: Ui, canvas: tk.Canvas) -> None:
        self._ui = ui
        self._pen = Pen(canvas, ui.discs, ui.colors)
        self._pad = ui.px(11)
        self._gap = ui.px(3)
        self._margin = ui.px(14)
        self._small_height = ui.fonts["small"].metrics("linespace")
        self._mark = round(self._small_height * 0.72)
        self._average = max(1, ui.fonts["text"].measure("the quick brown fox") // 19)

    # ------------------------------------------------------------ layout

    def estimate(self, row: Row, width: int) -> int:
        """A height for a row that has not been in view yet."""
        ui = self._ui
        if not isinstance(row, BubbleRow):
            return self._small_height + ui.px(20)
        text_width = self._text_room(width)
        lines = 1 + len(row.text) * self._average // text_width + min(row.text.count("\n"), 40)
        return min(lines, _FOLDED + 1) * ui.line_height + 2 * ui.px(7) + ui.px(4)

    def layout(self, row: Row, width: int, *, expanded: bool) -> Drawn:
        """Wrap, shape and measure."""
        if isinstance(row, BubbleRow):
            return self._layout_bubble(row, width, expanded=expanded)
        ui = self._ui
        text = row.text if isinstance(row, DayRow) else f"{row.text}  ·  {row.when}"
        room = width - 2 * self._margin - ui.px(60)
        lines = ui.layout("small").wrap(ui.drawable(text), room, rtl=ui.direction(text))
        lines = lines[:_FOLD_FROM]
        height = len(lines) * self._small_height + ui.px(20)
        return Drawn(row, width, height, lines, text_width=max(line.width for line in lines))

    def _text_room(self, width: int) -> int:
        return max(min(round(width * 0.74), self._ui.px(620)) - 2 * self._pad, self._ui.px(80))

    def _layout_bubble(self, row: BubbleRow, width: int, *, expanded: bool) -> Drawn:
        ui = self._ui
        room = self._text_room(width)
        lines = ui.layout("text").wrap(ui.drawable(row.text), room)
        drawn = Drawn(row, width, 0, lines, foldable=len(lines) > _FOLD_FROM)
        if drawn.foldable and not expanded:
            drawn.more = ui.say(
                ui.words.plural("Show the {number} line", "Show all {number} lines", len(lines))
            )
            drawn.lines = lines[:_FOLDED]
        drawn.small = self._layout_small(row, room)
        meta = self._meta_width(row)
        last = lines[-1].width if not drawn.more else room
        gap = ui.px(12)
        drawn.meta_inline = last + gap + meta <= room and not drawn.small
        drawn.text_width = max(
            *(line.width for line in drawn.lines),
            *(line.width for line in drawn.small),
            ui.fonts["text"].measure(drawn.more),
            last + gap + meta if drawn.meta_inline else meta,
            ui.px(40),
        )
        drawn.top_gap = ui.px(10) if row.first else ui.px(2)
        count = len(drawn.lines) + bool(drawn.more)
        under = 0 if drawn.meta_inline else self._small_height
        drawn.height = (
            drawn.top_gap + 2 * ui.px(7) + count * ui.line_height
            + len(drawn.small) * self._small_height + under + self._gap
        )  # fmt: skip
        return drawn

    def _layout_small(self, row: BubbleRow, room: int) -> list[Line]:
        ui, lines = self._ui, []
        for text in (row.problem, row.flag):
            if text:
                shown = ui.drawable(text)
                lines += ui.layout("small").wrap(shown, room, rtl=ui.direction(text))
        return lines

    def _meta_width(self, row: BubbleRow) -> int:
        width = self._ui.fonts["small"].measure(row.when)
        mark = mark_width(row.delivery, self._mark)
        return width + (mark + self._ui.px(5) if mark else 0)

    # ------------------------------------------------------------ drawing

    def draw(self, canvas: tk.Canvas, drawn: Drawn, y: int, view: int, *, current: bool) -> None:
        """Draw a row whose top is at ``y`` of a view so high."""
        if isinstance(drawn.row, BubbleRow):
            self._draw_bubble(canvas, drawn, drawn.row, y, view, current=current)
        elif isinstance(drawn.row, NoticeRow):
            self._draw_notice(canvas, drawn, y, current=current)
        else:
            self._draw_day(canvas, drawn, y, current=current)

    def _draw_day(self, canvas: tk.Canvas, drawn: Drawn, y: int, *, current: bool) -> None:
        colors, center = self._ui.colors, drawn.width // 2
        middle = y + drawn.height // 2
        half = drawn.text_width // 2 + self._ui.px(12)
        tint = colors.accent if current else colors.line
        for x0, x1 in ((self._margin, center - half), (center + half, drawn.width - self._margin)):
            canvas.create_line(x0, middle, x1, middle, fill=tint)
        canvas.create_text(
            center,
            middle,
            text=drawn.lines[0].text,
            font=self._ui.fonts["small"],
            fill=colors.muted,
        )

    def _draw_notice(self, canvas: tk.Canvas, drawn: Drawn, y: int, *, current: bool) -> None:
        ui, colors, center = self._ui, self._ui.colors, drawn.width // 2
        sign = round(self._small_height * 0.8)
        half = drawn.text_width // 2 + ui.px(12) + sign
        box = (center - half, y + ui.px(4), center + half, y + drawn.height - ui.px(4))
        outline = colors.accent if current else colors.line
        canvas.create_rectangle(
            *box, fill=colors.notice, outline=outline, width=2 if current else 1
        )
        rtl = ui.words.rtl
        sign_x = box[2] - ui.px(8) - sign // 2 if rtl else box[0] + ui.px(8) + sign // 2
        self._pen.information(sign_x, y + drawn.height // 2, sign, colors.on_notice, colors.notice)
        text_x = center - sign // 2 if rtl else center + sign // 2
        for number, line in enumerate(drawn.lines):
            canvas.create_text(
                text_x, y + ui.px(10) + number * self._small_height, anchor="n", text=line.text,
                font=ui.fonts["small"], fill=colors.on_notice,
            )  # fmt: skip

    def _draw_bubble(
        self, canvas: tk.Canvas, drawn: Drawn, row: BubbleRow, y: int, view: int, *, current: bool
    ) -> None:
        ui, colors = self._ui, self._ui.colors
        ground, ink, faint = (
            (colors.ours, colors.on_ours, colors.ours_muted)
            if row.ours
            else (colors.theirs, colors.on_theirs, colors.theirs_muted)
        )
        left, right = self._sides(drawn, ours=row.ours)
        top, bottom = y + drawn.top_gap, y + drawn.height - self._gap
        # X draws garbage beyond 32,767 pixels: a tall bubble is cut to what can be in view.
        box = (left, max(top, -200), right, min(bottom, view + 200))
        self._pen.rounded(box, ui.px(12), fill=ground, outline=colors.accent if current else "")
        inner_left, inner_right = left + self._pad, right - self._pad
        at = top + ui.px(7)
        at = self._draw_lines(canvas, drawn.lines, (inner_left, inner_right), at, view, "text", ink)
        if drawn.more:
            canvas.create_text(
                inner_right if ui.words.rtl else inner_left, at, text=drawn.more,
                anchor="ne" if ui.words.rtl else "nw", font=ui.fonts["text"], fill=colors.accent,
            )  # fmt: skip
            at += ui.line_height
        if drawn.small:
            tint = colors.danger if row.problem else faint
            at = self._draw_lines(
                canvas, drawn.small, (inner_left, inner_right), at, view, "small", tint
            )
        self._draw_meta(canvas, drawn, row, inner_left, inner_right, bottom - ui.px(7), faint)

    def _sides(self, drawn: Drawn, *, ours: bool) -> tuple[int, int]:
        """Ours stand where lines end, theirs where they start."""
        width = drawn.text_width + 2 * self._pad
        if ours != self._ui.words.rtl:
            return drawn.width - self._margin - width, drawn.width - self._margin
        return self._margin, self._margin + width

    def _draw_lines(
        self,
        canvas: tk.Canvas,
        lines: list[Line],
        sides: tuple[int, int],
        top: int,
        view: int,
        font: str,
        color: str,
    ) -> int:
        """Draw the lines that are in view; returns where the next one would stand."""
        height = self._ui.line_height if font == "text" else self._small_height
        for number, line in enumerate(lines):
            y = top + number * height
            if y > view or y + height < 0:
                continue
            canvas.create_text(
                sides[1] if line.rtl else sides[0], y, anchor="ne" if line.rtl else "nw",
                text=line.text, font=self._ui.fonts[font], fill=color,
            )  # fmt: skip
        return top + len(lines) * height

    def _draw_meta(
        self,
        canvas: tk.Canvas,
        drawn: Drawn,
        row: BubbleRow,
        left: int,
        right: int,
        bottom: int,
        color: str,
    ) -> None:
        """Time and delivery mark, where the last line leaves room."""
        ui = self._ui
        middle = bottom - self._small_height // 2 + ui.px(1)
        mark = mark_width(row.delivery, self._mark)
        last_rtl = drawn.lines[-1].rtl if drawn.meta_inline else ui.words.rtl
        start = left if last_rtl else right - self._meta_width(row)
        canvas.create_text(
            start, middle, anchor="w", text=row.when, font=ui.fonts["small"], fill=color
        )
        if mark:
            x = start + self._meta_width(row) - mark
            self._pen.delivery(x, middle, self._mark, row.delivery, color)
