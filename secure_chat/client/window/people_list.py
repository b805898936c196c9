"""The list of people: a Canvas of rows under headings, of which only those in view are drawn."""

import tkinter as tk
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.people import PersonRows
from secure_chat.client.presenter.rows import PersonRow
from secure_chat.client.window.person_pen import PersonPen
from secure_chat.client.window.soon import Soon
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

Menu = Callable[[UserId, int, int], object]
"""What can be decided about somebody, at a point of the screen."""


class PeopleList(tk.Frame):
    """Shows rows and says which one was chosen, by mouse or by keyboard."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        on_choose: Callable[[UserId], object],
        on_menu: Menu | None = None,
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui = ui
        self._on_choose, self._on_menu = on_choose, on_menu
        self._rows = PersonRows([], _nobody)
        self._heads: list[int] = []  # the rows that have a heading above them
        self._hint = ""
        self._top = 0
        self._current = 0
        self._row_height, self._head_height = ui.px(58), ui.px(28)
        self._due = False
        self._soon = Soon(self)
        self._build()

    def _build(self) -> None:
        colors = self._ui.colors
        self.canvas = tk.Canvas(
            self, background=colors.ground, borderwidth=0, takefocus=True,
            highlightthickness=self._ui.px(2),
            highlightbackground=colors.ground, highlightcolor=colors.accent, width=self._ui.px(270),
        )  # fmt: skip
        self._pen = PersonPen(self.canvas, self._ui)
        self._bar = ttk.Scrollbar(self, style="Slim.Vertical.TScrollbar", command=self._on_bar)
        self._bar.pack(side=self._ui.end, fill="y")
        self.canvas.pack(side=self._ui.start, fill="both", expand=True)
        bind = self.canvas.bind
        bind("<Configure>", lambda _: self._draw_soon())
        bind("<Button-1>", self._on_click)
        bind("<Button-3>", self._on_right_click)
        bind("<MouseWheel>", lambda e: self._scroll(-1 if e.delta > 0 else 1))
        bind("<Button-4>", lambda _: self._scroll(-1))
        bind("<Button-5>", lambda _: self._scroll(1))
        bind("<Up>", lambda _: self._move(-1))
        bind("<Down>", lambda _: self._move(1))
        bind("<Home>", lambda _: self._move(-len(self._rows)))
        bind("<End>", lambda _: self._move(len(self._rows)))
        bind("<Return>", lambda _: self._choose())
        bind("<space>", lambda _: self._choose())
        bind("<Menu>", lambda _: self._menu_of_current())
        bind("<Shift-F10>", lambda _: self._menu_of_current())
        bind("<FocusIn>", lambda _: self._draw_soon())
        bind("<FocusOut>", lambda _: self._draw_soon())

    def show(self, rows: PersonRows, hint: str) -> None:
        """Other rows, or ``hint`` where there are none. The keyboard stays on its person."""
        here = self._rows[self._current].user_id if self._current < len(self._rows) else None
        self._rows, self._hint = rows, hint
        self._heads = sorted(rows.headings)
        self._current = rows.place(here) or 0
        self._draw_soon()

    # ------------------------------------------------------------ where rows are

    def _y(self, index: int) -> int:
        """The top of a row, below its heading."""
        heads = bisect_right(self._heads, index)
        return index * self._row_height + heads * self._head_height

    def _total(self) -> int:
        return len(self._rows) * self._row_height + len(self._heads) * self._head_height

    def _at(self, y: int) -> int | None:
        """The row at a height; None on a heading or below the last."""
        after = bisect_right(range(len(self._rows)), y, key=self._y)
        index = after - 1
        return index if index >= 0 and y < self._y(index) + self._row_height else None

    # ------------------------------------------------------------ moving

    def _height(self) -> int:
        return max(self.canvas.winfo_height(), 1)

    def _clamp(self) -> None:
        self._top = max(0, min(self._top, max(0, self._total() - self._height())))

    def _scroll(self, rows: int) -> None:
        self._top += rows * self._row_height
        self._draw_soon()

    def _on_bar(self, kind: str, amount: str, _unit: str = "") -> None:
        if kind == "moveto":
            self._top = round(float(amount) * self._total())
            self._draw_soon()
        else:
            self._scroll(int(amount))

    def _move(self, step: int) -> str:
        if self._rows:
            self._current = max(0, min(len(self._rows) - 1, self._current + step))
            start = self._y(self._current)
            end = start + self._row_height - self._height()
            above = self._head_height if self._current in self._rows.headings else 0
            self._top = min(start - above, max(self._top, end))
            self._draw_soon()
        return "break"

    def _choose(self) -> str:
        if self._current < len(self._rows):
            self._on_choose(self._rows[self._current].user_id)
        return "break"

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        index = self._at(self._top + event.y)
        if index is not None:
            self._current = index
            self._choose()

    def _on_right_click(self, event: "tk.Event[tk.Misc]") -> str:
        self.canvas.focus_set()
        index = self._at(self._top + event.y)
        if index is not None and self._on_menu is not None:
            self._current = index
            self._draw_soon()
            self._on_menu(self._rows[index].user_id, event.x_root, event.y_root)
        return "break"

    def _menu_of_current(self) -> str:
        if self._current < len(self._rows) and self._on_menu is not None:
            x = self.canvas.winfo_rootx() + self.canvas.winfo_width() // 2
            y = self.canvas.winfo_rooty() + self._y(self._current) - self._top
            self._on_menu(self._rows[self._current].user_id, x, y + self._row_height // 2)
        return "break"

    # ------------------------------------------------------------ drawing

    def _draw_soon(self) -> None:
        if not self._due:
            self._due = True
            self._soon(self._draw)

    def _draw(self) -> None:
        self._due = False
        self._clamp()
        canvas, end = self.canvas, self._top + self._height()
        canvas.delete("all")
        count = range(len(self._rows))
        first = max(0, bisect_left(count, self._top - self._row_height, key=self._y))
        focused = canvas.focus_get() is canvas
        for index in range(first, len(self._rows)):
            y = self._y(index)
            if y - self._head_height > end:
                break
            if index in self._rows.headings:
                head_y = y - self._head_height - self._top
                self._pen.heading(self._rows.headings[index], head_y, self._head_height)
            self._pen.row(
                self._rows[index], y - self._top, self._row_height,
                focused=focused and index == self._current,
            )  # fmt: skip
        total = max(self._total(), 1)
        self._bar.set(self._top / total, min(1.0, end / total))
        if not self._rows and self._hint:
            self._draw_hint()

    def _draw_hint(self) -> None:
        ui, width = self._ui, self.canvas.winfo_width()
        self.canvas.create_text(
            width // 2, ui.px(30), anchor="n", justify="center", font=ui.fonts["small"],
            text=ui.paragraph(self._hint, width - ui.px(40), "small"), fill=ui.colors.muted,
        )  # fmt: skip


def _nobody(user_id: UserId) -> PersonRow:
    raise AssertionError(user_id)
