"""The list of people: a Canvas of equal rows, of which only those in view are drawn."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Literal

from secure_chat.client.presenter.people import PersonRows
from secure_chat.client.presenter.rows import PersonRow
from secure_chat.client.window.palette import AVATARS
from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId


class PeopleList(tk.Frame):
    """Shows rows and says which one was chosen, by mouse or by keyboard."""

    def __init__(self, parent: tk.Misc, ui: Ui, on_choose: Callable[[UserId], object]) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui = ui
        self._on_choose = on_choose
        self._rows: Sequence[PersonRow] = ()
        self._hint = ""
        self._top = 0
        self._current = 0
        self._row_height = ui.px(58)
        self._due: str | None = None
        self._build()

    def _build(self) -> None:
        colors = self._ui.colors
        self.canvas = tk.Canvas(
            self, background=colors.ground, borderwidth=0, takefocus=True, highlightthickness=2,
            highlightbackground=colors.ground, highlightcolor=colors.accent, width=self._ui.px(270),
        )  # fmt: skip
        self._pen = Pen(self.canvas, self._ui.discs, colors)
        self._bar = ttk.Scrollbar(self, style="Slim.Vertical.TScrollbar", command=self._on_bar)
        self._bar.pack(side=self._ui.end, fill="y")
        self.canvas.pack(side=self._ui.start, fill="both", expand=True)
        bind = self.canvas.bind
        bind("<Configure>", lambda _: self._draw_soon())
        bind("<Button-1>", self._on_click)
        bind("<MouseWheel>", lambda e: self._scroll(-1 if e.delta > 0 else 1))
        bind("<Button-4>", lambda _: self._scroll(-1))
        bind("<Button-5>", lambda _: self._scroll(1))
        bind("<Up>", lambda _: self._move(-1))
        bind("<Down>", lambda _: self._move(1))
        bind("<Home>", lambda _: self._move(-len(self._rows)))
        bind("<End>", lambda _: self._move(len(self._rows)))
        bind("<Return>", lambda _: self._choose())
        bind("<space>", lambda _: self._choose())
        bind("<FocusIn>", lambda _: self._draw_soon())
        bind("<FocusOut>", lambda _: self._draw_soon())

    def show(self, rows: PersonRows, hint: str) -> None:
        """Other rows, or ``hint`` where there are none. The keyboard stays on its person."""
        here = self._rows[self._current].user_id if self._current < len(self._rows) else None
        self._rows, self._hint = rows, hint
        self._current = rows.place(here) or 0
        self._draw_soon()

    # ------------------------------------------------------------ moving

    def _height(self) -> int:
        return max(self.canvas.winfo_height(), 1)

    def _clamp(self) -> None:
        last = max(0, len(self._rows) * self._row_height - self._height())
        self._top = max(0, min(self._top, last))

    def _scroll(self, rows: int) -> None:
        self._top += rows * self._row_height
        self._draw_soon()

    def _on_bar(self, kind: str, amount: str, _unit: str = "") -> None:
        if kind == "moveto":
            self._top = round(float(amount) * len(self._rows) * self._row_height)
            self._draw_soon()
        else:
            self._scroll(int(amount))

    def _move(self, step: int) -> str:
        if self._rows:
            self._current = max(0, min(len(self._rows) - 1, self._current + step))
            start = self._current * self._row_height
            end = start + self._row_height - self._height()
            self._top = min(start, max(self._top, end))
            self._draw_soon()
        return "break"

    def _choose(self) -> str:
        if self._current < len(self._rows):
            self._on_choose(self._rows[self._current].user_id)
        return "break"

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        index = (self._top + event.y) // self._row_height
        if index < len(self._rows):
            self._current = index
            self._choose()

    # ------------------------------------------------------------ drawing

    def _draw_soon(self) -> None:
        if self._due is None:
            self._due = self.after_idle(self._draw)

    def _draw(self) -> None:
        self._due = None
        canvas, height = self.canvas, self._row_height
        self._clamp()
        canvas.delete("all")
        first = self._top // height
        for index in range(first, min(len(self._rows), first + self._height() // height + 2)):
            self._draw_row(self._rows[index], index * height - self._top, index)
        total = max(len(self._rows) * height, 1)
        self._bar.set(self._top / total, min(1.0, (self._top + self._height()) / total))
        if not self._rows and self._hint:
            self._draw_hint()

    def _draw_hint(self) -> None:
        ui, width = self._ui, self.canvas.winfo_width()
        self.canvas.create_text(
            width // 2, ui.px(30), anchor="n", justify="center", font=ui.fonts["small"],
            text=ui.paragraph(self._hint, width - ui.px(40), "small"), fill=ui.colors.muted,
        )  # fmt: skip

    def _draw_row(self, row: PersonRow, y: int, index: int) -> None:
        ui, colors, canvas = self._ui, self._ui.colors, self.canvas
        width, pad = canvas.winfo_width(), ui.px(6)
        focused = canvas.focus_get() is canvas and index == self._current
        ground = colors.selected if row.selected else colors.ground
        if row.selected or focused:
            self._pen.rounded(
                (pad, y + 2, width - pad, y + self._row_height - 2), ui.px(10),
                fill=ground, outline=colors.accent if focused else "",
            )  # fmt: skip
        self._draw_avatar(row, y, ground)
        side = ui.px(64)
        name_y, preview_y = y + self._row_height * 0.33, y + self._row_height * 0.68
        end = width - ui.px(16)
        when_width = ui.fonts["small"].measure(row.when)
        self._text(end, name_y, row.when, "small", colors.muted, at_end=True)
        mark_size = round(ui.line_height * 0.68)
        room = end - side - when_width - mark_size - ui.px(14)
        name = self._fitted(ui.drawable(row.user_id), room, "bold")
        self._text(side, name_y, name, "bold", colors.text)
        mark_x = side + ui.fonts["bold"].measure(name) + ui.px(5) + mark_size // 2
        self._pen.trust(self._x(mark_x), round(name_y), mark_size, row.mark)
        badge = self._draw_unread(row, end, round(preview_y))
        self._draw_preview(row, side, preview_y, end - side - badge)

    def _draw_preview(self, row: PersonRow, side: int, y: float, room: int) -> None:
        ui, colors = self._ui, self._ui.colors
        prefix = ""
        if row.preview_is_ours:
            prefix = ui.words("You: ").strip()
        elif row.preview_is_notice:
            prefix = "ⓘ"
        font = ui.fonts["small"]
        used = font.measure(prefix + " ") if prefix else 0
        # Each part in its own direction: the text's must not turn the prefix round, nor inversely.
        shown = ui.layout("small").line(
            self._fitted(ui.drawable(row.preview), room - used, "small")
        )
        parts = [ui.say(prefix), shown] if prefix else [shown]
        line = " ".join(reversed(parts) if ui.words.rtl else parts)
        color = colors.text if row.unread else colors.muted
        self._text(side, y, line, "small", color)

    def _draw_avatar(self, row: PersonRow, y: int, ground: str) -> None:
        ui, colors, canvas = self._ui, self._ui.colors, self.canvas
        x, middle, half = self._x(ui.px(36)), y + self._row_height // 2, ui.px(19)
        tint = AVATARS[sum(row.user_id.encode()) % len(AVATARS)]
        self._pen.disc(x, middle, 2 * half, tint)
        canvas.create_text(
            x, middle, text=row.user_id[:1].upper(), font=ui.fonts["title"], fill="#ffffff"
        )
        if row.online:
            dot, at_x, at_y = ui.px(6), x + round(half * 0.72), middle + round(half * 0.72)
            self._pen.disc(at_x, at_y, 2 * dot + 4, ground)
            self._pen.disc(at_x, at_y, 2 * dot, colors.good)

    def _draw_unread(self, row: PersonRow, end: int, y: int) -> int:
        """The number of unread messages; returns the room it takes."""
        if not row.unread:
            return 0
        ui, colors = self._ui, self._ui.colors
        text = ui.words.digits(row.unread if row.unread < 1000 else "999+")
        width = max(ui.fonts["small_bold"].measure(text) + ui.px(10), ui.px(20))
        left, right = sorted((self._x(end - width), self._x(end)))
        half = ui.px(9)
        self._pen.rounded((left, y - half, right, y + half), half, fill=colors.accent)
        self.canvas.create_text(
            (left + right) // 2, y, text=text, font=ui.fonts["small_bold"], fill=colors.on_accent
        )
        return width + ui.px(8)

    def _x(self, from_start: int) -> int:
        """A distance from the side where reading starts, as a coordinate."""
        return self.canvas.winfo_width() - from_start if self._ui.words.rtl else from_start

    def _text(
        self, x: int, y: float, text: str, font: str, color: str, *, at_end: bool = False
    ) -> None:
        anchor: Literal["e", "w"] = "e" if at_end != self._ui.words.rtl else "w"
        self.canvas.create_text(
            self._x(x),
            y,
            text=text,
            anchor=anchor,
            font=self._ui.fonts[font],
            fill=color,
        )

    def _fitted(self, text: str, room: int, font: str) -> str:
        """As much of a line as there is room for."""
        measure = self._ui.fonts[font].measure
        if measure(text) <= room:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (
                (middle, high) if measure(text[:middle] + "…") <= room else (low, middle - 1)
            )
        return text[:low].rstrip() + "…"
