"""The conversation: a Canvas that draws only the rows in view (100,000 scroll like ten)."""

import tkinter as tk
from collections import OrderedDict
from collections.abc import Sequence
from tkinter import ttk
from typing import Protocol

from secure_chat.client.presenter.rows import BubbleRow, DayRow, NoticeRow, Row, UnreadRow
from secure_chat.client.presenter.timeline import (
    Appended,
    Change,
    Prepended,
    Rearranged,
    Reset,
    Revealed,
    Updated,
)
from secure_chat.client.presenter.virtual import Viewport
from secure_chat.client.window.drawing import RowPainter
from secure_chat.client.window.drawn import Drawn, Hit, Target
from secure_chat.client.window.jump_button import JumpButton
from secure_chat.client.window.ui import Ui

_KEPT_LAYOUTS = 400
_EARLIER_BEFORE = 12  # rows before the edge of the view from which another page is asked for
_WHEEL_LINES = 3
_NEAR_TOP, _WITH_CONTEXT = 0.08, 0.33  # of the view's height
_SHIFT, _CONTROL = 1, 4


class Reader(Protocol):
    """What a person does in the list; ``number`` is a message's."""

    def load_earlier(self) -> object: ...
    def load_later(self) -> object: ...
    def to_end(self) -> object: ...
    def viewed(self, index: int) -> object: ...
    def press(self, number: int, hit: Hit) -> object: ...
    def menu(self, number: int, x: int, y: int) -> object: ...
    def choose(self, number: int) -> object: ...
    def copy(self, number: int) -> object: ...
    def reply(self, number: int) -> object: ...
    def remove(self, number: int) -> object: ...
    def leave(self) -> object: ...
    def typed(self, text: str) -> object: ...


class MessageList(tk.Frame):
    """Shows rows and says what is done to them, by mouse or by keyboard."""

    def __init__(self, parent: tk.Misc, ui: Ui, reader: Reader) -> None:
        super().__init__(parent, background=ui.colors.chat)
        self._ui, self._reader = ui, reader
        self._rows: Sequence[Row] = ()
        self._view = Viewport()
        self._layouts: OrderedDict[str, Drawn] = OrderedDict()
        self._expanded: set[str] = set()
        self._chosen: set[int] = set()
        self._current: str | None = None  # the key of the row that the keyboard is on
        self._due: str | None = None
        self._laid_out_for = 0  # the width of all layouts
        self._viewed = -1
        self._goal: tuple[str, float] | None = None  # a row, and how far down it is wanted
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
        self.jump_button = JumpButton(self, self._ui, self._reader.to_end)
        bind = self.canvas.bind
        bind("<Configure>", self._on_resize)
        bind(
            "<MouseWheel>", lambda e: self._scroll_lines(_WHEEL_LINES * (-1 if e.delta > 0 else 1))
        )
        bind("<Button-4>", lambda _: self._scroll_lines(-_WHEEL_LINES))
        bind("<Button-5>", lambda _: self._scroll_lines(_WHEEL_LINES))
        bind("<Button-1>", self._on_click)
        bind("<Double-Button-1>", self._on_double)
        bind("<Button-3>", self._on_right_click)
        bind("<Motion>", self._on_motion)
        for key in ("<Up>", "<Shift-Up>"):
            bind(key, lambda event: self._move(-1, event))
        for key in ("<Down>", "<Shift-Down>"):
            bind(key, lambda event: self._move(1, event))
        bind("<Prior>", lambda _: self._scroll(-self._view.height * 9 // 10))
        bind("<Next>", lambda _: self._scroll(self._view.height * 9 // 10))
        bind("<Home>", lambda _: self._jump(0))
        bind("<End>", lambda _: self._reader.to_end())
        bind("<Return>", lambda _: self._activate())
        bind("<Menu>", lambda _: self._key_menu())
        bind("<Shift-F10>", lambda _: self._key_menu())
        bind("<space>", lambda _: self._on_number(self._reader.choose))
        bind("<Control-c>", lambda _: self._on_number(self._reader.copy))
        bind("<Control-r>", lambda _: self._on_number(self._reader.reply))
        bind("<Delete>", lambda _: self._on_number(self._reader.remove))
        bind("<Escape>", lambda _: self._reader.leave())
        bind("<Key>", self._on_key)
        bind("<FocusIn>", lambda _: self._draw_soon())
        bind("<FocusOut>", lambda _: self._draw_soon())

    # ------------------------------------------------------------ rows

    def show(self, rows: Sequence[Row], changes: Sequence[Change]) -> None:
        """The rows as they are now, and how they came about."""
        anchor = self._anchor() if any(isinstance(c, Rearranged) for c in changes) else None
        self._rows = rows
        for change in changes:
            self._apply(change)
        if len(self._view.heights) != len(rows):  # several changes at once do not add up
            self._rearrange(anchor)
        self._draw_soon()

    def choose(self, chosen: set[int]) -> None:
        """These messages are selected."""
        if chosen != self._chosen:
            self._chosen = set(chosen)
            self._draw_soon()

    def to_end(self) -> None:
        """Show the newest row."""
        self._view.at_end = True
        self._view.settle()
        self._current = self._rows[-1].key if self._rows else None
        self._draw_soon()

    def _apply(self, change: Change) -> None:
        view = self._view
        match change:
            case Reset(anchor=anchor):
                self._layouts.clear()
                self._current, self._viewed = None, -1
                view.show(map(self._estimate, self._rows))
                self._goal = (anchor, _NEAR_TOP) if anchor else None
            case Prepended(count=count):
                view.prepend([self._estimate(row) for row in self._rows[:count]])
            case Appended(count=count, ours=ours):
                for row in self._rows[len(view.heights) :][:count]:
                    view.append(self._estimate(row))
                if ours:
                    view.at_end = True
                    view.settle()
            case Updated(index=index):
                self._layouts.pop(self._rows[index].key, None)
            case Rearranged():
                view.heights.reset(())  # `show` puts all of them in their places
            case Revealed(key=key):
                self._reveal(key)

    def _anchor(self) -> tuple[str, int] | None:
        """The first row in view, and how far above it the view begins; None: stay at the end."""
        view = self._view
        if view.at_end or not self._rows or len(view.heights) != len(self._rows):
            return None
        index = view.heights.at(view.top)
        return self._rows[index].key, view.top - view.heights.top(index)

    def _rearrange(self, anchor: tuple[str, int] | None) -> None:
        view, at_end = self._view, anchor is None and self._view.at_end
        known = self._layouts
        view.heights.reset(
            known[row.key].height if row.key in known else self._estimate(row) for row in self._rows
        )
        index = self._index_of(anchor[0]) if anchor is not None else None
        if anchor is not None and index is not None:
            view.scroll_to(view.heights.top(index) + anchor[1])
        else:
            view.at_end = at_end
            view.settle()

    def _reveal(self, key: str) -> None:
        index = self._index_of(key)
        if index is None:
            return
        self._current = key
        view = self._view
        if len(view.heights) != len(self._rows):
            self._rearrange(None)
        if self._goal is not None or index not in view.visible()[1:-1]:
            self._goal = key, _WITH_CONTEXT
        self.canvas.focus_set()

    def _estimate(self, row: Row) -> int:
        return self._painter.estimate(row, self._width)

    def _layout(self, row: Row) -> Drawn:
        found = self._layouts.get(row.key)
        if found is None or found.row is not row:
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
        self._reach_goal()
        self._measure_visible()
        if view.top + view.height >= view.heights.total:
            view.at_end = True  # there is room for all of it
        canvas.delete("all")
        focused = canvas.focus_get() is canvas
        for index in view.visible():
            row = self._rows[index]
            chosen = None
            if self._chosen and isinstance(row, BubbleRow):
                chosen = row.number in self._chosen
            self._painter.draw(
                self._layout(row), view.heights.top(index) - view.top + 2, view.height,
                current=focused and row.key == self._current, chosen=chosen,
            )  # fmt: skip
        self._bar.set(*view.fractions)
        self.jump_button.show(away=not view.at_end)
        self._tell()

    def _tell(self) -> None:
        """Say what is in view, and ask for more rows before it comes to their end."""
        view = self._view
        if not self._rows or not self.canvas.winfo_viewable():
            return
        visible = view.visible()
        if visible.start < _EARLIER_BEFORE:
            self.after_idle(self._reader.load_earlier)
        if visible.stop > len(self._rows) - _EARLIER_BEFORE:
            self.after_idle(self._reader.load_later)
        edge = view.top + view.height
        whole = [i for i in visible if view.heights.top(i) + view.heights[i] <= edge + 2]
        last = whole[-1] if whole else visible.start
        if last != self._viewed:
            self._viewed = last
            self.after_idle(self._reader.viewed, last)

    def _reach_goal(self) -> None:
        """Have a row where it is wanted, whatever the heights around it turn out to be."""
        if self._goal is None or not self.canvas.winfo_viewable():
            return
        (key, share), self._goal = self._goal, None
        index, view = self._index_of(key), self._view
        if index is None:
            return
        for _ in range(3):
            view.at_end = False
            view.scroll_to(view.heights.top(index) - round(view.height * share))
            self._measure_visible()

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

    def _index_of(self, key: str | None) -> int | None:
        if not key:
            return None
        return next((i for i, row in enumerate(self._rows) if row.key == key), None)

    def _move(self, step: int, event: "tk.Event[tk.Misc]") -> str:
        here = self._index_of(self._current)
        last = len(self._rows) - 1
        extend = isinstance(event.state, int) and event.state & _SHIFT
        if extend and not self._chosen:
            self._on_number(self._reader.choose)
        self._jump(last if here is None else max(0, min(last, here + step)), step)
        if extend:
            number = self._number()
            if number is not None and number not in self._chosen:
                self._reader.choose(number)
        return "break"

    def _jump(self, index: int, step: int = 1) -> str:
        """Go to a row, or to the next message beyond one that is none."""
        while 0 <= index < len(self._rows) and isinstance(self._rows[index], DayRow | UnreadRow):
            index += step
        if 0 <= index < len(self._rows):
            self._current = self._rows[index].key
            self._view.reveal(index)
            self._draw_soon()
        return "break"

    # ------------------------------------------------------------ one row

    def _number(self) -> int | None:
        """The number of the message that the keyboard is on."""
        index = self._index_of(self._current)
        row = self._rows[index] if index is not None else None
        return row.number if isinstance(row, BubbleRow | NoticeRow) else None

    def _on_number(self, act: "object") -> str:
        number = self._number()
        if number is not None and callable(act):
            act(number)
        return "break"

    def _row_at(self, y: int) -> tuple[int, Row] | None:
        """The row at a height of the window, and where it begins there."""
        index = self._view.heights.at(self._view.top + y - 2)
        if not 0 <= index < len(self._rows):
            return None
        return self._view.heights.top(index) - self._view.top + 2, self._rows[index]

    def _hit(self, event: "tk.Event[tk.Misc]") -> Hit | None:
        found = self._row_at(event.y)
        return self._layout(found[1]).hit(event.x, event.y - found[0]) if found else None

    def _on_motion(self, event: "tk.Event[tk.Misc]") -> None:
        cursor = "hand2" if self._hit(event) is not None else ""
        if str(self.canvas.cget("cursor")) != cursor:
            self.canvas.configure(cursor=cursor)

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        found = self._row_at(event.y)
        if found is None:
            return
        self._current = found[1].key
        self._draw_soon()
        number, hit = self._number(), self._hit(event)
        control = isinstance(event.state, int) and event.state & _CONTROL
        if number is None:
            return
        if self._chosen or control:
            self._reader.choose(number)
        elif hit is not None and hit.target is Target.MORE:
            self._toggle()
        elif hit is not None:
            self._reader.press(number, hit)

    def _on_double(self, event: "tk.Event[tk.Misc]") -> None:
        number = self._number()
        if number is not None and not self._chosen and self._hit(event) is None:
            self._reader.reply(number)

    def _on_right_click(self, event: "tk.Event[tk.Misc]") -> None:
        self.canvas.focus_set()
        found = self._row_at(event.y)
        if found is not None:
            self._current = found[1].key
            self._draw_soon()
            number = self._number()
            if number is not None:
                self._reader.menu(number, event.x_root, event.y_root)

    def _key_menu(self) -> str:
        index, number = self._index_of(self._current), self._number()
        if index is not None and number is not None:
            canvas, view = self.canvas, self._view
            y = view.heights.top(index) - view.top + min(view.heights[index], self._ui.px(40))
            inside = max(0, min(y, view.height - self._ui.px(20)))
            self._reader.menu(
                number, canvas.winfo_rootx() + canvas.winfo_width() // 3,
                canvas.winfo_rooty() + inside,
            )  # fmt: skip
        return "break"

    def _activate(self) -> str:
        """Unfold a long message, or show what can be done with a short one."""
        index = self._index_of(self._current)
        if index is not None and self._layout(self._rows[index]).foldable:
            self._toggle()
        else:
            self._key_menu()
        return "break"

    def _toggle(self) -> None:
        """Show all of a long message, or fold it again."""
        if self._current is not None:
            self._expanded ^= {self._current}
            self._layouts.pop(self._current, None)
            self._draw_soon()

    def _on_key(self, event: "tk.Event[tk.Misc]") -> str | None:
        """Who types while looking at a message means the composer."""
        modified = isinstance(event.state, int) and event.state & ~(_SHIFT | 0x2 | 0x10 | 0x2000)
        if event.char and event.char.isprintable() and not modified:
            self._reader.typed(event.char)
            return "break"
        return None
