"""The conversation: a Canvas that draws only the rows in view (100,000 scroll like ten)."""

import tkinter as tk
from collections import OrderedDict
from collections.abc import Callable, Sequence
from tkinter import ttk

from secure_chat.client.presenter.rows import BubbleRow, DayRow, NoticeRow, Row
from secure_chat.client.presenter.timeline import Appended, Change, Prepended, Reset, Updated
from secure_chat.client.presenter.virtual import Viewport
from secure_chat.client.window.drawing import Drawn, RowPainter
from secure_chat.client.window.ui import Ui

_KEPT_LAYOUTS = 400
_EARLIER_BEFORE = 12  # rows above the view below which an earlier page is asked for
_WHEEL_LINES = 3


class MessageList(tk.Frame):
    """Shows rows; tells when the beginning comes into view. Rows can be selected and copied."""

    def __init__(self, parent: tk.Misc, ui: Ui, on_top: Callable[[], object]) -> None:
        super().__init__(parent, background=ui.colors.chat)
        self._ui = ui
        self._on_top = on_top
        self._rows: Sequence[Row] = ()
        self._view = Viewport()
        self._layouts: OrderedDict[str, Drawn] = OrderedDict()
        self._expanded: set[str] = set()
        self._current: str | None = None  # the key of the row that the keyboard is on
        self._due: str | None = None
        self._laid_out_for = 0  # the width of all layouts
        self._build()

    def _build(self) -> None:
        colors = self._ui.colors
        self.canvas = tk.Canvas(
            self, background=colors.chat, borderwidth=0, takefocus=True, highlightthickness=2,
            highlightbackground=colors.chat, highlightcolor=colors.accent, yscrollincrement=1,
        )  # fmt: skip
        self._painter = RowPainter(self._ui, self.canvas)
        self._bar = ttk.Scrollbar(self, style="Chat.Slim.Vertical.TScrollbar", command=self._on_bar)
        self._bar.pack(side=self._ui.end, fill="y")
        self.canvas.pack(side=self._ui.start, fill="both", expand=True)
        self._menu = tk.Menu(self, tearoff=False)
        self._menu.add_command(label=self._ui.say(self._ui.words("Copy")), command=self.copy)
        bind = self.canvas.bind
        bind("<Configure>", self._on_resize)
        bind(
            "<MouseWheel>",
            lambda e: self._scroll_lines(-_WHEEL_LINES if e.delta > 0 else _WHEEL_LINES),
        )
        bind("<Button-4>", lambda _: self._scroll_lines(-_WHEEL_LINES))
        bind("<Button-5>", lambda _: self._scroll_lines(_WHEEL_LINES))
        bind("<Button-1>", self._on_click)
        bind("<Button-3>", self._on_menu)
        bind("<Up>", lambda _: self._move(-1))
        bind("<Down>", lambda _: self._move(1))
        bind("<Prior>", lambda _: self._scroll(-self._view.height * 9 // 10))
        bind("<Next>", lambda _: self._scroll(self._view.height * 9 // 10))
        bind("<Home>", lambda _: self._jump(0))
        bind("<End>", lambda _: self._jump(len(self._rows) - 1))
        bind("<Return>", lambda _: self._toggle())
        bind("<Control-c>", lambda _: self.copy())
        bind("<FocusIn>", lambda _: self._draw_soon())
        bind("<FocusOut>", lambda _: self._draw_soon())

    # ------------------------------------------------------------ rows

    def show(self, rows: Sequence[Row], changes: Sequence[Change]) -> None:
        """The rows as they are now, and how they came about."""
        self._rows = rows
        for change in changes:
            self._apply(change)
        if len(self._view.heights) != len(rows):  # several changes at once do not add up
            self._view.show(map(self._estimate, rows))
        self._draw_soon()

    def _apply(self, change: Change) -> None:
        match change:
            case Reset():
                self._layouts.clear()
                self._current = None
                self._view.show(map(self._estimate, self._rows))
            case Prepended(count=count):
                self._view.prepend([self._estimate(row) for row in self._rows[:count]])
            case Appended(count=count, ours=ours):
                for row in self._rows[len(self._view.heights) :][:count]:
                    self._view.append(self._estimate(row))
                if ours:
                    self._view.at_end = True
                    self._view.settle()
            case Updated(index=index):
                self._layouts.pop(self._rows[index].key, None)

    def _estimate(self, row: Row) -> int:
        return self._painter.estimate(row, self._width)

    def _layout(self, row: Row) -> Drawn:
        found = self._layouts.get(row.key)
        if found is None:
            found = self._painter.layout(row, self._width, expanded=row.key in self._expanded)
            self._layouts[row.key] = found
            if len(self._layouts) > _KEPT_LAYOUTS:
                self._layouts.popitem(last=False)
        else:
            self._layouts.move_to_end(row.key)
        return found

    @property
    def _width(self) -> int:
        return max(self.canvas.winfo_width() - 4, self._ui.px(200))

    # ------------------------------------------------------------ drawing

    def _draw_soon(self) -> None:
        if self._due is None:
            self._due = self.after_idle(self.draw)

    def draw(self) -> None:
        """Draw what is in view."""
        self._due = None
        canvas, view = self.canvas, self._view
        view.height = max(canvas.winfo_height() - 4, 1)
        self._measure_visible()
        canvas.delete("all")
        focused = canvas.focus_get() is canvas
        for index in view.visible():
            row = self._rows[index]
            y = view.heights.top(index) - view.top + 2
            self._painter.draw(
                canvas, self._layout(row), y, view.height,
                current=focused and row.key == self._current,
            )  # fmt: skip
        self._bar.set(*view.fractions)
        if self._rows and view.visible().start < _EARLIER_BEFORE:
            self.after_idle(self._on_top)

    def _measure_visible(self) -> None:
        """Replace estimates by real heights until the view stands on measured rows only."""
        view = self._view
        view.settle()
        for _ in range(4):
            changed = False
            for index in view.visible():
                height = self._layout(self._rows[index]).height
                if height != view.heights[index]:
                    view.measured(index, height)
                    changed = True
            view.settle()
            if not changed:
                return

    # ------------------------------------------------------------ moving

    def _on_resize(self, _event: "tk.Event[tk.Misc]") -> None:
        if self._width == self._laid_out_for:
            self._draw_soon()
            return
        self._laid_out_for = self._width
        at_end, here = self._view.at_end, self._view.heights.at(self._view.top)
        self._layouts.clear()
        self._view.heights.reset(map(self._estimate, self._rows))
        self._view.at_end = at_end
        if not at_end:
            self._view.top = self._view.heights.top(here)
        self._draw_soon()

    def _on_bar(self, kind: str, amount: str, unit: str = "") -> None:
        if kind == "moveto":
            self._view.scroll_to(round(float(amount) * self._view.heights.total))
            self._draw_soon()
        elif unit == "pages":
            self._scroll(int(amount) * self._view.height)
        else:
            self._scroll_lines(int(amount))

    def _scroll_lines(self, lines: int) -> None:
        self._scroll(lines * self._ui.line_height)

    def _scroll(self, pixels: int) -> None:
        self._view.scroll_by(pixels)
        self._draw_soon()

    def _index(self) -> int | None:
        return next((i for i, row in enumerate(self._rows) if row.key == self._current), None)

    def _move(self, step: int) -> str:
        here = self._index()
        last = len(self._rows) - 1
        self._jump(last if here is None else max(0, min(last, here + step)))
        return "break"

    def _jump(self, index: int) -> None:
        if not 0 <= index < len(self._rows):
            return
        self._current = self._rows[index].key
        self._view.reveal(index)
        self._draw_soon()

    # ------------------------------------------------------------ one row

    def _row_at(self, y: int) -> int | None:
        index = self._view.heights.at(self._view.top + y - 2)
        return index if index < len(self._rows) else None

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        index = self._row_at(event.y)
        if index is None:
            return
        again = self._rows[index].key == self._current
        self._current = self._rows[index].key
        top = self._view.heights.top(index) - self._view.top
        if again or self._layout(self._rows[index]).on_more(event.y - top):
            self._toggle()
        self._draw_soon()

    def _on_menu(self, event: "tk.Event[tk.Misc]") -> None:
        self._on_click(event)
        self._menu.tk_popup(event.x_root, event.y_root)

    def _toggle(self) -> None:
        """Show all of a long message, or fold it again."""
        index = self._index()
        if index is None or not self._layout(self._rows[index]).foldable:
            return
        key = self._rows[index].key
        self._expanded ^= {key}
        self._layouts.pop(key, None)
        self._draw_soon()

    def copy(self) -> None:
        """The row's text as it was written, in logical order, to the clipboard."""
        index = self._index()
        if index is None:
            return
        row = self._rows[index]
        assert isinstance(row, BubbleRow | NoticeRow | DayRow)
        self.clipboard_clear()
        self.clipboard_append(row.text)
