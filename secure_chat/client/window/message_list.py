"""The conversation: a Canvas that draws only the rows in view (100,000 scroll like ten)."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import Protocol

from secure_chat.client.presenter.rows import BubbleRow, Row
from secure_chat.client.presenter.timeline import Change, Reset, Revealed
from secure_chat.client.window.drawing import RowPainter
from secure_chat.client.window.drawn import Hit, Target
from secure_chat.client.window.jump_button import JumpButton
from secure_chat.client.window.laid_rows import LaidRows, Placed
from secure_chat.client.window.soon import Soon
from secure_chat.client.window.ui import Ui

_EARLIER_BEFORE = 12  # rows before the edge of the view from which another page is asked for
_WHEEL_LINES = 3
_EDGE = 2  # pixels of the Canvas's focus ring, above the rows and below them
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
        self._chosen: set[int] = set()
        self._due = False
        self._soon = Soon(self)
        self._viewed = -1
        self._build()
        self.laid = LaidRows(self._painter, self._width)
        self._bind_mouse()
        self._bind_keys()

    def _build(self) -> None:
        colors = self._ui.colors
        self.canvas = tk.Canvas(
            self, background=colors.chat, borderwidth=0, takefocus=True, highlightthickness=_EDGE,
            highlightbackground=colors.chat, highlightcolor=colors.accent, yscrollincrement=1,
        )  # fmt: skip
        self._painter = RowPainter(self._ui, self.canvas)
        self._bar = ttk.Scrollbar(self, style="Chat.Slim.Vertical.TScrollbar", command=self._on_bar)
        self._bar.pack(side=self._ui.end, fill="y")
        self.canvas.pack(side=self._ui.start, fill="both", expand=True)
        self.jump_button = JumpButton(self, self._ui, self._reader.to_end)

    def _bind_mouse(self) -> None:
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

    def _bind_keys(self) -> None:
        bind, reader, view = self.canvas.bind, self._reader, self.laid.view
        for key in ("<Up>", "<Shift-Up>"):
            bind(key, lambda event: self._move(-1, event))
        for key in ("<Down>", "<Shift-Down>"):
            bind(key, lambda event: self._move(1, event))
        bind("<Prior>", lambda _: self._scroll(-view.height * 9 // 10))
        bind("<Next>", lambda _: self._scroll(view.height * 9 // 10))
        bind("<Home>", lambda _: self._to_first())
        bind("<End>", lambda _: reader.to_end())
        bind("<Return>", lambda _: self._activate())
        for key in ("<Menu>", "<Shift-F10>"):
            bind(key, lambda _: self._key_menu())
        bind("<space>", lambda _: self._on_number(reader.choose))
        bind("<Control-c>", lambda _: self._on_number(reader.copy))
        bind("<Control-r>", lambda _: self._on_number(reader.reply))
        bind("<Delete>", lambda _: self._on_number(reader.remove))
        bind("<Escape>", lambda _: reader.leave())
        bind("<Key>", self._on_key)
        for change in ("<FocusIn>", "<FocusOut>"):
            bind(change, lambda _: self._draw_soon())

    # ------------------------------------------------------------ rows

    def show(self, rows: Sequence[Row], changes: Sequence[Change]) -> None:
        """The rows as they are now, and how they came about."""
        if any(isinstance(change, Reset) for change in changes):
            self._viewed = -1
        self.laid.show(rows, changes)
        if any(isinstance(c, Revealed) and c.key == self.laid.current for c in changes):
            self.canvas.focus_set()
        self._draw_soon()

    def choose(self, chosen: set[int]) -> None:
        """These messages are selected."""
        if chosen != self._chosen:
            self._chosen = set(chosen)
            self._draw_soon()

    def to_end(self) -> None:
        """Show the newest row."""
        self.laid.to_end()
        self._draw_soon()

    @property
    def _width(self) -> int:
        return max(self.canvas.winfo_width() - 2 * _EDGE, self._ui.px(200))

    # ------------------------------------------------------------ drawing

    def _draw_soon(self) -> None:
        if not self._due:
            self._due = True
            self._soon(self.draw)

    def draw(self) -> None:
        """Draw what is in view."""
        self._due = False
        canvas, laid, view = self.canvas, self.laid, self.laid.view
        view.height = max(canvas.winfo_height() - 2 * _EDGE, 1)
        laid.settle(viewable=bool(canvas.winfo_viewable()))
        canvas.delete("all")
        focused = canvas.focus_get() is canvas
        for placed in laid.in_view():
            row, chosen = placed.row, None
            if self._chosen and isinstance(row, BubbleRow):
                chosen = row.number in self._chosen
            self._painter.draw(
                laid.layout(row), placed.y + _EDGE, view.height,
                current=focused and row.key == laid.current, chosen=chosen,
            )  # fmt: skip
        self._bar.set(*view.fractions)
        self.jump_button.show(away=not view.at_end)
        self._tell()

    def _tell(self) -> None:
        """Say what is in view, and ask for more rows before it comes to their end."""
        laid = self.laid
        if not laid.rows or not self.canvas.winfo_viewable():
            return
        visible = laid.view.visible()
        if visible.start < _EARLIER_BEFORE:
            self._soon(self._reader.load_earlier)
        if visible.stop > len(laid.rows) - _EARLIER_BEFORE:
            self._soon(self._reader.load_later)
        last = laid.last_whole()
        if last != self._viewed:
            self._viewed = last
            self._soon(self._reader.viewed, last)

    # ------------------------------------------------------------ moving

    def _on_resize(self, _event: "tk.Event[tk.Misc]") -> None:
        self.laid.resize(self._width)
        self._draw_soon()

    def _on_bar(self, kind: str, amount: str, unit: str = "") -> None:
        view = self.laid.view
        if kind == "moveto":
            view.scroll_to(round(float(amount) * view.heights.total))
            self._draw_soon()
        elif unit == "pages":
            self._scroll(int(amount) * view.height)
        else:
            self._scroll_lines(int(amount))

    def _scroll_lines(self, lines: int) -> None:
        self._scroll(lines * self._ui.line_height)

    def _scroll(self, pixels: int) -> None:
        self.laid.view.scroll_by(pixels)
        self._draw_soon()

    def _move(self, step: int, event: "tk.Event[tk.Misc]") -> str:
        extend = isinstance(event.state, int) and event.state & _SHIFT
        if extend and not self._chosen:
            self._on_number(self._reader.choose)
        self.laid.step(step)
        self._draw_soon()
        if extend:
            number = self.laid.number()
            if number is not None and number not in self._chosen:
                self._reader.choose(number)
        return "break"

    def _to_first(self) -> str:
        self.laid.jump(0)
        self._draw_soon()
        return "break"

    # ------------------------------------------------------------ one row

    def _on_number(self, act: Callable[[int], object]) -> str:
        number = self.laid.number()
        if number is not None:
            act(number)
        return "break"

    def _at(self, event: "tk.Event[tk.Misc]") -> Placed | None:
        return self.laid.at(event.y - _EDGE)

    def _hit(self, event: "tk.Event[tk.Misc]") -> Hit | None:
        found = self._at(event)
        if found is None:
            return None
        return self.laid.layout(found.row).hit(event.x, event.y - _EDGE - found.y)

    def _on_motion(self, event: "tk.Event[tk.Misc]") -> None:
        cursor = "hand2" if self._hit(event) is not None else ""
        if str(self.canvas.cget("cursor")) != cursor:
            self.canvas.configure(cursor=cursor)

    def _take_keyboard(self, event: "tk.Event[tk.Misc]") -> int | None:
        """The keyboard goes where the mouse was pressed; the number of the message there."""
        self.canvas.focus_set()
        found = self._at(event)
        if found is None:
            return None
        self.laid.current = found.row.key
        self._draw_soon()
        return self.laid.number()

    def _on_click(self, event: "tk.Event[tk.Misc]") -> None:
        number, hit = self._take_keyboard(event), self._hit(event)
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
        number = self.laid.number()
        if number is not None and not self._chosen and self._hit(event) is None:
            self._reader.reply(number)

    def _on_right_click(self, event: "tk.Event[tk.Misc]") -> None:
        number = self._take_keyboard(event)
        if number is not None:
            self._reader.menu(number, event.x_root, event.y_root)

    def _key_menu(self) -> str:
        laid, canvas, view = self.laid, self.canvas, self.laid.view
        index, number = laid.index_of(laid.current), laid.number()
        if index is not None and number is not None:
            y = view.heights.top(index) - view.top + min(view.heights[index], self._ui.px(40))
            inside = max(0, min(y, view.height - self._ui.px(20)))
            self._reader.menu(
                number, canvas.winfo_rootx() + canvas.winfo_width() // 3,
                canvas.winfo_rooty() + inside,
            )  # fmt: skip
        return "break"

    def _activate(self) -> str:
        """Unfold a long message, or show what can be done with a short one."""
        index = self.laid.index_of(self.laid.current)
        if index is not None and self.laid.layout(self.laid.rows[index]).foldable:
            self._toggle()
        else:
            self._key_menu()
        return "break"

    def _toggle(self) -> None:
        """Show all of a long message, or fold it again."""
        self.laid.toggle()
        self._draw_soon()

    def _on_key(self, event: "tk.Event[tk.Misc]") -> str | None:
        """Who types while looking at a message means the composer."""
        modified = isinstance(event.state, int) and event.state & ~(_SHIFT | 0x2 | 0x10 | 0x2000)
        if event.char and event.char.isprintable() and not modified:
            self._reader.typed(event.char)
            return "break"
        return None
