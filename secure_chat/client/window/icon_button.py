"""A round button with a drawn sign: no words, no font that may lack the character."""

import tkinter as tk
from collections.abc import Callable
from typing import Literal

from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui

Icon = Literal["attach", "close", "send", "timer"]


class IconButton(tk.Canvas):
    """Pressed by mouse, Return or space; ``name`` says what it does, for who asks.

    ``accent``: filled, for what one presses most.
    """

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        icon: Icon,
        name: str,
        command: Callable[[], object],
        *,
        accent: bool = False,
    ) -> None:
        self._size = ui.px(36)
        super().__init__(
            parent, width=self._size, height=self._size, highlightthickness=0, takefocus=True,
            background=str(parent.cget("background")), cursor="hand2",
        )  # fmt: skip
        self._ui, self._icon, self.name, self._command = ui, icon, name, command
        self._accent, self._enabled, self._hovered = accent, True, False
        self._pen = Pen(self, ui.discs, ui.colors)
        for keys in ("<Button-1>", "<Return>", "<KP_Enter>", "<space>"):
            self.bind(keys, lambda _: self.invoke())
        self.bind("<Enter>", lambda _: self._hover(on=True))
        self.bind("<Leave>", lambda _: self._hover(on=False))
        self.bind("<FocusIn>", lambda _: self._draw())
        self.bind("<FocusOut>", lambda _: self._draw())
        self._draw()

    def invoke(self) -> str:
        """Do what it is for."""
        if self._enabled:
            self._command()
        return "break"

    def enable(self, *, on: bool) -> None:
        """Whether it can be pressed now."""
        if on != self._enabled:
            self._enabled = on
            self.configure(takefocus=on, cursor="hand2" if on else "")
            self._draw()

    def _hover(self, *, on: bool) -> None:
        self._hovered = on
        self._draw()

    def _draw(self) -> None:
        ui, colors, middle = self._ui, self._ui.colors, self._size // 2
        self.delete("all")
        focused = self._enabled and self.focus_get() is self
        ground = colors.accent if self._accent else str(self.cget("background"))
        ink = colors.on_accent if self._accent else colors.accent
        if not self._enabled:
            ground = colors.raised if self._accent else ground
            ink = colors.muted
        elif self._hovered:
            ground = colors.accent_raised if self._accent else colors.raised
        if focused:
            self._pen.disc(middle, middle, self._size, colors.text if self._accent else ink)
            self._pen.disc(middle, middle, self._size - 4, str(self.cget("background")))
        self._pen.disc(middle, middle, self._size - (8 if focused else 2), ground)
        {"attach": self._attach, "close": self._close, "send": self._send, "timer": self._timer}[
            self._icon
        ](middle, ui.px(8), ink)

    def _attach(self, middle: int, arm: int, ink: str) -> None:
        """A paper clip."""
        width, half = self._ui.px(2), arm * 0.55
        self.create_line(
            [middle + half, middle - arm * 0.5, middle + half, middle + arm * 0.55,
             middle, middle + arm * 1.1, middle - half, middle + arm * 0.55,
             middle - half, middle - arm * 0.7, middle, middle - arm * 1.15,
             middle + half * 0.45, middle - arm * 0.6, middle + half * 0.3, middle + arm * 0.45,
             middle, middle + arm * 0.6, middle - half * 0.2, middle + arm * 0.3,
             middle - half * 0.2, middle - arm * 0.4],
            fill=ink, width=width, smooth=True, capstyle="round",
        )  # fmt: skip

    def _close(self, middle: int, arm: int, ink: str) -> None:
        reach, width = arm * 0.6, self._ui.px(2)
        for sign in (-1, 1):
            self.create_line(
                middle - reach, middle - sign * reach, middle + reach, middle + sign * reach,
                fill=ink, width=width, capstyle="round",
            )  # fmt: skip

    def _send(self, middle: int, arm: int, ink: str) -> None:
        """An arrow in the direction of reading."""
        way = -1 if self._ui.words.rtl else 1
        self.create_polygon(
            [middle - way * arm * 0.8, middle - arm * 0.9, middle + way * arm * 1.05, middle,
             middle - way * arm * 0.8, middle + arm * 0.9, middle - way * arm * 0.45, middle],
            fill=ink, outline=ink, width=self._ui.px(1), joinstyle="round",
        )  # fmt: skip

    def _timer(self, middle: int, arm: int, ink: str) -> None:
        width = self._ui.px(2)
        self.create_oval(
            middle - arm, middle - arm, middle + arm, middle + arm, outline=ink, width=width
        )
        self.create_line(
            [middle, middle - arm * 0.6, middle, middle, middle + arm * 0.5, middle], fill=ink,
            width=width, capstyle="round",
        )  # fmt: skip
