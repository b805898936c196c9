"""The messages that a search has found: a Canvas of equal rows; those in view are drawn."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from secure_chat.client.presenter.rows import ResultRow
from secure_chat.client.text import marked_lines
from secure_chat.client.window.drawn import Anchor
from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui


class ResultsList(tk.Frame):
    """Shows rows and says which one was chosen, by mouse or by keyboard."""

    def __init__(self, parent: tk.Misc, ui: Ui, on_choose: Callable[[ResultRow], object]) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._on_choose = ui, on_choose
        self._rows: Sequence[ResultRow] = ()
        self._top = self._current = 0
        self._row_height = ui.px(54)
        self._title = ui.label(self, font="small_bold", color=ui.colors.muted)
        self._title.pack(anchor=ui.start_anchor, padx=ui.px(16), pady=(ui.px(8), ui.px(2)))
        self.canvas = tk.Canvas(
            self, background=ui.colors.ground, borderwidth=0, takefocus=True,
            highlightthickness=ui.px(2),
            highlightbackground=ui.colors.ground, highlightcolor=ui.colors.accent, width=1,
            cursor="hand2",
        )  # fmt: skip
        self._pen = Pen(self.canvas, ui.discs, ui.colors)
        self._bar = ttk.Scrollbar(self, style="Slim.Vertical.TScrollbar", command=self._on_bar)
        self._bar.pack(side=ui.end, fill="y")
        self.canvas.pack(side=ui.start, fill="both", expand=True)
        bind = self.canvas.bind
        bind("<Configure>", lambda _: self._draw())
        bind("<Button-1>", self._on_click)
        bind("<MouseWheel>", lambda e: self._scroll(-1 if e.delta > 0 else 1))
        bind("<Button-4>", lambda _: self._scroll(-1))
        bind("<Button-5>", lambda _: self._scroll(1))
        bind("<Up>", lambda _: self._move(-1))
        bind("<Down>", lambda _: self._move(1))
        bind("<Return>", lambda _: self._choose())
        bind("<space>", lambda _: self._choose())
        bind("<FocusIn>", lambda _: self._draw())
        bind("<FocusOut>", lambda _: self._draw())

    def show(self, rows: Sequence[ResultRow]) -> None:
        """Other results."""
        if list(rows) != list(self._rows):
            self._rows = list(rows)
            self._top = self._current = 0
            said = self._ui.words.plural("{number} message", "{number} messages", len(rows))
            self._ui.write(self._title, said, font="small_bold")
            self._draw()

    # ------------------------------------------------------------ moving

    def _scroll(self, rows: int) -> None:
        self._top += rows * self._row_height
        self._draw()

    def _on_bar(self, kind: str, amount: str, _unit: str = "") -> None:
        if kind == "moveto":
            self._top = round(float(amount) * len(self._rows) * self._row_height)
            self._draw()
        else:
            self._scroll(int(amount))

    def _move(self, step: int) -> str:
        if self._rows:
            self._current = max(0, min(len(self._rows) - 1, self._current + step))
            start = self._current * self._row_height
            end = start + self._row_height - self.canvas.winfo_height()
            self._top = min(start, max(self._top, end))
            self._draw()
        return "break"

    def _choose(self) -> str:
        if self._current < len(self._rows):
            self._on_choose(self._rows[self._current])
        return "break"

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        index = (self._top + event.y) // self._row_height
        if index < len(self._rows):
            self._current = index
            self._choose()

    # ------------------------------------------------------------ drawing

    def _draw(self) -> None:
        canvas, height = self.canvas, self._row_height
        view = max(canvas.winfo_height(), 1)
        total = len(self._rows) * height
        self._top = max(0, min(self._top, total - view))
        canvas.delete("all")
        first = self._top // height
        for index in range(first, min(len(self._rows), first + view // height + 2)):
            self._draw_row(self._rows[index], index * height - self._top, index)
        whole = max(total, 1)
        self._bar.set(self._top / whole, min(1.0, (self._top + view) / whole))

    def _draw_row(self, row: ResultRow, y: int, index: int) -> None:
        ui, colors, canvas = self._ui, self._ui.colors, self.canvas
        width, rtl = canvas.winfo_width(), ui.words.rtl
        if canvas.focus_get() is canvas and index == self._current:
            box = (ui.px(6), y + 2, width - ui.px(6), y + self._row_height - 2)
            self._pen.rounded(box, ui.px(8), fill=colors.raised, outline=colors.accent)
        start, end = ui.px(16), width - ui.px(16)
        if rtl:
            start, end = end, start
        lead: Anchor = "e" if rtl else "w"
        trail: Anchor = "w" if rtl else "e"
        name_y, text_y = y + round(self._row_height * 0.3), y + round(self._row_height * 0.68)
        canvas.create_text(start, name_y, text=ui.say(row.name), anchor=lead,
                           font=ui.fonts["small_bold"], fill=colors.text)  # fmt: skip
        canvas.create_text(end, name_y, text=ui.say(row.when), anchor=trail,
                           font=ui.fonts["small"], fill=colors.muted)  # fmt: skip
        self._draw_snippet(row, text_y, abs(end - start))

    def _draw_snippet(self, row: ResultRow, y: int, room: int) -> None:
        """The line around the word that was meant, which is drawn in the accent's colour."""
        ui, colors = self._ui, self._ui.colors
        text = ui.drawable(row.before + row.match + row.after)
        spans = [(len(row.before), len(row.before) + len(row.match))] if row.match else []
        line = marked_lines(ui.layout("small"), text, room, spans)[0]
        measure = ui.fonts["small"].measure
        used = sum(measure(part.text) for part in line.parts)
        side = ui.px(16)
        x = self.canvas.winfo_width() - side - used if line.rtl else side
        for part in line.parts:
            marked = part.mark >= 0
            self.canvas.create_text(
                x, y, text=part.text, anchor="w", font=ui.fonts["small"],
                fill=colors.accent if marked else colors.muted,
            )  # fmt: skip
            x += measure(part.text)
