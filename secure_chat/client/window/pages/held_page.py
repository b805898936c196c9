"""What the server holds about us."""

import time
import tkinter as tk
from collections.abc import Callable, Iterator
from tkinter import ttk

from secure_chat.client.events import Event
from secure_chat.client.presenter.account import Held, HeldTable, HeldValue
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.ui import Ui

_WORDS = 210  # the width of what says what it is, designed
_TURN = 0.03  # seconds of drawing, between which the window does what else is due


class HeldPage(Page):
    """Draws a `Held`."""

    def __init__(self, parent: tk.Misc, ui: Ui, held: Held, on_close: Callable[[], object]) -> None:
        super().__init__(parent, ui, ui.words("What the server holds about you"), on_close)
        self._held = held
        card = self.card()
        self.text(
            card,
            ui.words(
                "The server keeps what it needs to deliver: names, public keys, and sealed "
                "messages until they are fetched. It cannot read them."
            ),
        )
        self.small(
            card,
            ui.words(
                "This list is the server's own word, asked just now. That there is no more, only "
                "its operator can know."
            ),
        )
        self._again = self.buttons(card, (ui.words("Ask again"), self._ask, ""))[0]
        self._note = ui.label(card, font="small", color=ui.colors.danger, wrap=self.wrap)
        self._progress = ttk.Progressbar(card, mode="indeterminate")
        self._tables = ui.frame(self.body)
        self._tables.pack(fill="x")
        self.drawing = False  # a part of the answer is not there yet
        self._undrawn: Iterator[tk.Misc] = iter(())
        self._ask()
        self.settle()
        self._again.focus_set()

    def _ask(self) -> None:
        self._held.ask()
        self._show()

    def take(self, event: Event) -> None:
        """The server has answered."""
        if self._held.take(event):
            self._show()

    def _show(self) -> None:
        ui, held = self.ui, self._held
        ui.write(self._note, held.problem, font="small", wrap=self.wrap)
        (self._note.pack if held.problem else self._note.pack_forget)()
        self._progress.stop()
        self._progress.pack_forget()
        if held.busy:
            self._progress.pack(fill="x", pady=(ui.px(10), 0))
            self._progress.start(20)
        for child in self._tables.winfo_children():
            child.destroy()
        self.drawing = True
        self._undrawn = (drawn for table in held.tables for drawn in self._table(table))
        self.poll()

    def poll(self) -> None:
        """Draw some more of a long answer."""
        until = time.monotonic() + _TURN
        for drawn in self._undrawn:
            self.retag(drawn)
            if time.monotonic() > until:
                return
        self.drawing = False

    def _table(self, table: HeldTable) -> Iterator[tk.Misc]:
        """Draw it row by row; each time what was drawn."""
        ui = self.ui
        card = self.card(table.title, self._tables)
        self.small(card, f"{table.count} · {table.name}")
        yield card
        for row in table.rows:
            grid = ui.frame(card, ui.colors.surface)
            grid.pack(fill="x", pady=(ui.px(10), 0))
            for place, value in enumerate(row):
                self._value(grid, place, value)
            words, values = (1, 0) if ui.words.rtl else (0, 1)
            grid.columnconfigure(words, minsize=ui.px(_WORDS))
            grid.columnconfigure(values, weight=1)
            yield grid
        if table.more:
            yield self.small(card, table.more)

    def _value(self, grid: tk.Frame, place: int, held: HeldValue) -> None:
        """What it is, with the column's name at the server under it, beside the value."""
        ui, colors = self.ui, self.ui.colors
        words, values = (1, 0) if ui.words.rtl else (0, 1)
        what = ui.frame(grid, colors.surface)
        what.grid(row=place, column=words, sticky="ne" if ui.words.rtl else "nw", pady=ui.px(2))
        if held.what:
            ui.label(what, held.what, font="small", wrap=ui.px(_WORDS - 10)).pack(
                anchor=ui.start_anchor
            )
        ui.label(what, held.column, font="mono_small", color=colors.muted).pack(
            anchor=ui.start_anchor
        )
        room = self.wrap - ui.px(_WORDS + 10)
        ui.label(grid, held.value, font="small", wrap=room).grid(
            row=place, column=values, sticky="ne" if ui.words.rtl else "nw", pady=ui.px(2),
            padx=ui.px(10),
        )  # fmt: skip
