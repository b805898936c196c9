"""A grid of emoji to choose from, by mouse or by arrow keys."""

import tkinter as tk
from collections.abc import Callable, Sequence
from functools import partial

from secure_chat.client.presenter.emoji import MORE, QUICK, bare
from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui

_COLUMNS = 8


def drawable(ui: Ui, emoji: Sequence[str]) -> list[str]:
    """Those that this system can draw; in words they would not fit."""
    shown = [one for one in emoji if ui.picture(one) == bare(one)]
    return [one for one in shown if ui.has_glyph(bare(one))] or shown


class EmojiGrid(tk.Canvas):
    """Those that are used most come first."""

    def __init__(self, parent: tk.Misc, ui: Ui, on_choose: Callable[[str], object]) -> None:
        self._all = [*QUICK, *MORE]
        self._all = drawable(ui, self._all)
        self._cell = ui.px(42)
        rows = -(-len(self._all) // _COLUMNS)
        super().__init__(
            parent, width=_COLUMNS * self._cell, height=rows * self._cell, takefocus=1,
            background=ui.colors.surface, highlightthickness=ui.px(2), cursor="hand2",
            highlightbackground=ui.colors.surface, highlightcolor=ui.colors.surface,
        )  # fmt: skip
        self._ui, self._on_choose = ui, on_choose
        self._pen = Pen(self, ui.discs, ui.colors)
        self._at = 0
        for key, step in (("Left", -1), ("Right", 1), ("Up", -_COLUMNS), ("Down", _COLUMNS)):
            self.bind(f"<{key}>", partial(self._move, step))
        self.bind("<Return>", lambda _: self._choose(self._at))
        self.bind("<space>", lambda _: self._choose(self._at))
        self.bind("<Button-1>", lambda event: self._choose(self._place(event)))
        self.bind("<FocusIn>", lambda _: self._draw())
        self.bind("<FocusOut>", lambda _: self._draw())
        self._draw()

    def _place(self, event: "tk.Event[tk.Misc]") -> int:
        column = min(event.x // self._cell, _COLUMNS - 1)
        return event.y // self._cell * _COLUMNS + column

    def _move(self, step: int, _event: object = None) -> str:
        self._at = max(0, min(len(self._all) - 1, self._at + step))
        self._draw()
        return "break"

    def _choose(self, place: int) -> str:
        if 0 <= place < len(self._all):
            self._on_choose(self._all[place])
        return "break"

    def _draw(self) -> None:
        ui, cell = self._ui, self._cell
        self.delete("all")
        focused = self.focus_get() is self
        for place, one in enumerate(self._all):
            x, y = place % _COLUMNS * cell, place // _COLUMNS * cell
            if place == self._at:
                box = (x + 3, y + 3, x + cell - 3, y + cell - 3)
                outline = ui.colors.accent if focused else ""
                self._pen.rounded(box, ui.px(8), fill=ui.colors.raised, outline=outline)
            self.create_text(
                x + cell // 2, y + cell // 2, text=ui.picture(one), font=ui.fonts["title"],
                fill=ui.colors.text,
            )  # fmt: skip
