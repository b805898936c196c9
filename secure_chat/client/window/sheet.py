"""A card over the conversation that wants an answer: Escape or a button ends it."""

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk

from secure_chat.client.window.pages.page import descendants
from secure_chat.client.window.ui import Ui

_WIDTH = 420


class Sheet(tk.Frame):
    """An empty card with a title; its makers fill `body` and call `open`.

    While it is there it has the mouse and the keyboard: Tab goes round within it. Afterwards the
    keyboard goes back to where it was.
    """

    def __init__(self, parent: tk.Misc, ui: Ui, title: str, *, width: int = _WIDTH) -> None:
        top = parent.winfo_toplevel()
        super().__init__(top, background=ui.colors.muted, borderwidth=0)
        self.ui = ui
        self.wrap = ui.px(width - 44)
        self._before = top.focus_lastfor()
        inside = ui.frame(self, ui.colors.surface)
        inside.pack(padx=1, pady=1, fill="both", expand=True)
        self.body = ui.frame(inside, ui.colors.surface)
        self.body.pack(fill="both", expand=True, padx=ui.px(22), pady=ui.px(18))
        self.title = title
        ui.label(self.body, title, font="title", wrap=self.wrap).pack(anchor=ui.start_anchor)

    def text(self, text: str, *, color: str = "", font: str = "text") -> tk.Label:
        """A paragraph."""
        ui = self.ui
        label = ui.label(self.body, text, font=font, color=color, wrap=self.wrap)
        label.pack(anchor=ui.start_anchor, pady=(ui.px(8), 0))
        return label

    def buttons(self, *buttons: tuple[str, Callable[[], object], str]) -> list[ttk.Button]:
        """A row of buttons (text, what it does after the sheet is closed, style) and Cancel.

        They stand where lines end, the first one outermost.
        """
        ui = self.ui
        row = ui.frame(self.body, ui.colors.surface)
        row.pack(fill="x", pady=(ui.px(18), 0))
        made = []
        for text, act, style in buttons:
            button = ui.button(row, text, partial(self.finish, act), style)
            button.pack(side=ui.end, padx=(ui.px(8), 0) if ui.end == "right" else (0, ui.px(8)))
            made.append(button)
        cancel = ui.words("Cancel") if buttons else ui.words("Close")
        close = ui.button(row, cancel, self.close)
        close.pack(side=ui.end)
        return [*made, close]

    def open(self, focus: tk.Misc) -> None:
        """Show it in the middle, with the keyboard on ``focus``."""
        self.place(relx=0.5, rely=0.5, anchor="center")
        self.lift()
        self._trap(self)
        self.update_idletasks()
        focus.focus_set()
        self.grab_set()

    def close(self) -> None:
        """Take it away."""
        if self.winfo_exists():
            self.grab_release()
            self.destroy()
            if self._before is not None and self._before.winfo_exists():
                self._before.focus_set()

    def finish(self, act: Callable[[], object]) -> None:
        """Close it and do something."""
        self.close()
        act()

    def _trap(self, widget: tk.Misc) -> None:
        for child in widget.winfo_children():
            child.bind("<Escape>", lambda _: self.close(), add="+")
            child.bind("<Tab>", lambda event: self._step(event, 1))
            child.bind("<Shift-Tab>", lambda event: self._step(event, -1))
            if self.tk.call("tk", "windowingsystem") == "x11":
                child.bind("<ISO_Left_Tab>", lambda event: self._step(event, -1))
            self._trap(child)

    def _step(self, event: "tk.Event[tk.Misc]", step: int) -> str:
        places = [one for one in descendants(self) if _takes_focus(one)]
        if places:
            here = places.index(event.widget) if event.widget in places else -1
            places[(here + step) % len(places)].focus_set()
        return "break"


def _takes_focus(widget: tk.Misc) -> bool:
    if isinstance(widget, ttk.Button | ttk.Entry):
        return True
    return isinstance(widget, tk.Canvas | tk.Text) and str(widget.cget("takefocus")) == "1"
