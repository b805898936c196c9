"""What every page has: a way back, a title, a column that scrolls, fields with their mistakes."""

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk
from typing import TypeVar

from secure_chat.client.events import Event
from secure_chat.client.window.bindings import Bindings
from secure_chat.client.window.shaped_entry import ShapedEntry
from secure_chat.client.window.ui import Ui

_WIDTH = 600  # design pixels
_TAG = "SecureChatPage"
QUIT, LOCK = "<<SecureChatQuit>>", "<<SecureChatLock>>"
"""What the window does whatever covers it."""
_Value = TypeVar("_Value")


class Page(tk.Frame):
    """Covers the window. Its makers fill `body`; the window's other shortcuts are off meanwhile."""

    def __init__(self, parent: tk.Misc, ui: Ui, title: str, on_close: Callable[[], object]) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self.ui, self._close = ui, on_close
        room = self.winfo_toplevel().winfo_width() - ui.px(90)  # large letters, a small window
        self.wrap = min(ui.px(_WIDTH - 48), max(room, ui.px(240)))
        bar = ui.frame(self, ui.colors.surface)
        bar.pack(fill="x", pady=(0, 1))
        # In a line from right to left the arrow is mirrored, as a bracket is.
        self.back = ui.button(bar, f"‹ {ui.words('Back')}", on_close, "Bar")
        self.back.pack(side=ui.start, padx=ui.px(10), pady=ui.px(8))
        ui.label(bar, title, font="title").pack(side=ui.start, padx=ui.px(8))
        self._canvas = tk.Canvas(
            self, background=ui.colors.ground, highlightthickness=0, borderwidth=0, takefocus=0
        )
        self._scroll = ttk.Scrollbar(
            self, style="Slim.Vertical.TScrollbar", command=self._canvas.yview
        )
        self._canvas.configure(yscrollcommand=self._scroll.set)
        self._scroll.pack(side=ui.end, fill="y")
        self._canvas.pack(fill="both", expand=True)
        self.body = ui.frame(self._canvas)
        self._inside = self._canvas.create_window(0, 0, window=self.body, anchor="n")
        self._canvas.bind("<Configure>", lambda _: self._arrange())
        self.body.bind("<Configure>", lambda _: self._arrange())
        self._bind_tag()

    def destroy(self) -> None:
        """Its keys go with it."""
        self._bindings.release()
        super().destroy()

    # ------------------------------------------------------------ for the window

    def take(self, event: Event) -> None:
        """Something happened; pages that wait for it say so."""

    def poll(self) -> None:
        """Look at slow work. Called every few ms."""

    @property
    def position(self) -> float:
        """How far it is scrolled, of 1."""
        return float(self._canvas.yview()[0])

    def settle(self, position: float = 0.0) -> None:
        """Everything is built: the keyboard and the mouse work in all of it."""
        self.update_idletasks()
        self._arrange()
        self._canvas.yview_moveto(position)
        self.retag()

    def retag(self, inside: tk.Misc | None = None) -> None:
        """Widgets that were made since the last time (``inside`` one) obey the page's keys."""
        root = str(self.winfo_toplevel())
        first = inside or self
        for widget in (first, *descendants(first)):
            tags = widget.bindtags()
            if _TAG not in tags:
                widget.bindtags(tuple(_TAG if tag == root else tag for tag in tags))

    def close(self) -> str:
        """Leave it."""
        self._close()
        return "break"

    # ------------------------------------------------------------ what pages are made of

    def card(self, title: str = "", parent: tk.Misc | None = None) -> tk.Frame:
        """A box with a heading."""
        ui = self.ui
        outer = ui.card(parent or self.body)
        outer.pack(fill="x", pady=(ui.px(14), 0), padx=ui.px(2))
        inside = ui.frame(outer, ui.colors.surface)
        inside.pack(fill="both", expand=True, padx=ui.px(20), pady=ui.px(14))
        tk.Frame(inside, width=self.wrap, height=1, background=ui.colors.surface).pack()
        if title:
            ui.label(inside, title, font="bold").pack(anchor=ui.start_anchor, pady=(0, ui.px(2)))
        return inside

    def text(
        self, parent: tk.Misc, text: str, *, color: str = "", font: str = "text", above: int = 4
    ) -> tk.Label:
        """A paragraph."""
        ui = self.ui
        label = ui.label(parent, text, font=font, color=color, wrap=self.wrap)
        label.pack(anchor=ui.start_anchor, pady=(ui.px(above), 0))
        return label

    def small(self, parent: tk.Misc, text: str) -> tk.Label:
        """An explanation."""
        return self.text(parent, text, color=self.ui.colors.muted, font="small", above=2)

    def field(
        self, parent: tk.Misc, label: str, *, secret: bool = False, value: str = ""
    ) -> "FieldBox":
        """A label, an entry, and the place of its mistake."""
        return FieldBox(parent, self.ui, label, secret=secret, value=value, wrap=self.wrap)

    def shaped_field(self, parent: tk.Misc, label: str, value: str) -> "ShapedFieldBox":
        """The same for what people write in their own script."""
        return ShapedFieldBox(parent, self.ui, label, value=value, wrap=self.wrap)

    def choice(
        self,
        parent: tk.Misc,
        label: str,
        options: Sequence[tuple[_Value, str]],
        chosen: _Value,
        choose: Callable[[_Value], object],
    ) -> list[ttk.Button]:
        """One of several; the chosen one has a tick as well as a colour."""
        ui = self.ui
        ui.label(parent, label, font="small_bold", wrap=self.wrap).pack(
            anchor=ui.start_anchor, pady=(ui.px(10), ui.px(3))
        )
        rows = ui.frame(parent, ui.colors.surface)
        rows.pack(fill="x")
        made: list[ttk.Button] = []
        line, used = ui.frame(rows, ui.colors.surface), 0
        line.pack(anchor=ui.start_anchor)
        for value, text in options:
            said = text
            if value == chosen:  # a line that runs from the left has its tick where others have it
                last = ui.words.rtl and not ui.direction(text)
                said = f"{text} ✓" if last else f"✓ {text}"
            style = "Chosen" if value == chosen else "Choice"
            button = ui.button(line, said, lambda value=value: choose(value), style)  # type: ignore[misc]
            used += button.winfo_reqwidth() + ui.px(6)
            if used > self.wrap and made:
                button.destroy()
                line, used = ui.frame(rows, ui.colors.surface), 0
                line.pack(anchor=ui.start_anchor, pady=(ui.px(4), 0))
                button = ui.button(line, said, lambda value=value: choose(value), style)  # type: ignore[misc]
                used = button.winfo_reqwidth() + ui.px(6)
            button.pack(side=ui.start, padx=(0, ui.px(6)) if ui.start == "left" else (ui.px(6), 0))
            made.append(button)
        return made

    def buttons(
        self, parent: tk.Misc, *buttons: tuple[str, Callable[[], object], str], above: int = 12
    ) -> list[ttk.Button]:
        """Buttons in a row, the first where reading starts."""
        ui = self.ui
        row = ui.frame(parent, str(parent.cget("background")))
        row.pack(anchor=ui.start_anchor, pady=(ui.px(above), 0))
        made = []
        for text, act, style in buttons:
            button = ui.button(row, text, act, style)
            button.pack(side=ui.start, padx=(0, ui.px(8)) if ui.start == "left" else (ui.px(8), 0))
            made.append(button)
        return made

    # ------------------------------------------------------------ scrolling

    def _arrange(self) -> None:
        width = self._canvas.winfo_width()
        self._canvas.coords(self._inside, width // 2, self.ui.px(6))
        height = self.body.winfo_reqheight() + self.ui.px(30)
        self._canvas.configure(scrollregion=(0, 0, width, max(height, self._canvas.winfo_height())))

    def _bind_tag(self) -> None:
        self._bindings = Bindings(self)
        ui, bind = self.ui, self._bindings.of_class
        top = self.winfo_toplevel()
        bind(_TAG, "<Escape>", lambda _: self.close())
        # A generated key would go to the widget that has the keyboard, and come back here.
        bind(_TAG, "<Control-q>", lambda _: top.event_generate(QUIT))
        bind(_TAG, "<Control-l>", lambda _: top.event_generate(LOCK))
        bind(_TAG, "<MouseWheel>", lambda e: self._wheel(-1 if e.delta > 0 else 1))
        bind(_TAG, "<Button-4>", lambda _: self._wheel(-1))
        bind(_TAG, "<Button-5>", lambda _: self._wheel(1))
        bind(_TAG, "<Prior>", lambda _: self._canvas.yview_scroll(-1, "pages"))
        bind(_TAG, "<Next>", lambda _: self._canvas.yview_scroll(1, "pages"))
        bind(_TAG, "<FocusIn>", lambda event: self._reveal(event.widget))
        self._step = max(1, ui.px(40))

    def _wheel(self, direction: int) -> None:
        if self.body.winfo_reqheight() > self._canvas.winfo_height():
            self._canvas.yview_scroll(direction * 3, "units")

    def _reveal(self, widget: tk.Misc) -> None:
        """Scroll as little as needed to show what has the keyboard."""
        if not str(widget).startswith(str(self.body)) or not self.winfo_ismapped():
            return
        total = max(self.body.winfo_reqheight() + self.ui.px(30), 1)
        top = widget.winfo_rooty() - self.body.winfo_rooty() + self.ui.px(6)
        bottom = top + widget.winfo_height()
        shown = self._canvas.canvasy(0)
        height = self._canvas.winfo_height()
        if top < shown:
            self._canvas.yview_moveto(max(0, top - self.ui.px(30)) / total)
        elif bottom > shown + height:
            self._canvas.yview_moveto((bottom - height + self.ui.px(30)) / total)


class NoteBox:
    """A label, room for an entry, and the line under it."""

    def __init__(self, parent: tk.Misc, ui: Ui, label: str, *, wrap: int) -> None:
        self._ui, self._wrap = ui, wrap
        self.box = ui.frame(parent, ui.colors.surface)
        self.box.pack(fill="x", pady=(ui.px(9), 0))
        if label:
            ui.label(self.box, label, font="small_bold").pack(anchor=ui.start_anchor)
        self._note = ui.label(self.box, font="small")

    @property
    def said(self) -> str:
        """What stands under it, on one line."""
        note = self._note
        return str(note.cget("text")).replace("\n", " ") if note.winfo_manager() else ""

    def say(self, text: str, color: str = "") -> None:
        """The line under the entry: a mistake unless it has a ``color``."""
        if not text:
            self._note.pack_forget()
            return
        self._note.configure(foreground=color or self._ui.colors.danger)
        self._ui.write(self._note, text, font="small", wrap=self._wrap)
        self._note.pack(anchor=self._ui.start_anchor, pady=(self._ui.px(2), 0))


class FieldBox(NoteBox):
    """For what is typed in Latin letters (an account's name, a link), or hidden."""

    def __init__(
        self, parent: tk.Misc, ui: Ui, label: str, *, secret: bool, value: str, wrap: int
    ) -> None:
        super().__init__(parent, ui, label, wrap=wrap)
        self.entry = ttk.Entry(self.box, font=ui.fonts["text"], show="•" if secret else "")
        self.entry.insert(0, value)
        self.entry.pack(fill="x", pady=(ui.px(2), 0))

    @property
    def value(self) -> str:
        """What stands in it."""
        return self.entry.get()


class ShapedFieldBox(NoteBox):
    """For what people write in their own script."""

    def __init__(self, parent: tk.Misc, ui: Ui, label: str, *, value: str, wrap: int) -> None:
        super().__init__(parent, ui, label, wrap=wrap)
        self.entry = ShapedEntry(self.box, ui)
        self.entry.put(value)
        self.entry.pack(fill="x", pady=(ui.px(2), 0))

    @property
    def value(self) -> str:
        """What stands in it."""
        return self.entry.value


def descendants(widget: tk.Misc) -> list[tk.Misc]:
    """All widgets within one, in the order in which they were made."""
    found: list[tk.Misc] = []
    for child in widget.winfo_children():
        found += [child, *descendants(child)]
    return found
