"""The button over the lower end of the messages that leads to the newest one."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.window.shapes import Pen
from secure_chat.client.window.ui import Ui


class JumpButton:
    """Shown while the newest messages are out of view, with how many of them nobody has seen.

    The End key does the same, so it takes no keyboard focus of its own.
    """

    def __init__(self, parent: tk.Misc, ui: Ui, on_press: Callable[[], object]) -> None:
        self._ui = ui
        self._size = ui.px(38)
        self._unread = 0
        self._away = self._elsewhere = self._placed = False
        self.canvas = tk.Canvas(
            parent, width=self._size + ui.px(14), height=self._size + ui.px(10),
            background=ui.colors.chat, highlightthickness=0, cursor="hand2", takefocus=False,
        )  # fmt: skip
        self._pen = Pen(self.canvas, ui.discs, ui.colors)
        self.canvas.bind("<Button-1>", lambda _: on_press())
        self._drawn: int | None = None

    def show(
        self, *, away: bool | None = None, elsewhere: bool | None = None, unread: int | None = None
    ) -> None:
        """``away``: the end of what is loaded is out of view; ``elsewhere``: more is not loaded."""
        self._away = self._away if away is None else away
        self._elsewhere = self._elsewhere if elsewhere is None else elsewhere
        self._unread = self._unread if unread is None else unread
        wanted = self._away or self._elsewhere
        if wanted and self._drawn != self._unread:
            self._draw()
        if wanted == self._placed:
            return
        self._placed = wanted
        if not wanted:
            self.canvas.place_forget()
            return
        ui = self._ui
        rtl = ui.words.rtl
        self.canvas.place(
            relx=0.0 if rtl else 1.0, rely=1.0, x=ui.px(18) if rtl else -ui.px(18), y=-ui.px(8),
            anchor="sw" if rtl else "se",
        )  # fmt: skip

    def _draw(self) -> None:
        ui, canvas, pen, colors = self._ui, self.canvas, self._pen, self._ui.colors
        self._drawn = self._unread
        canvas.delete("all")
        half = self._size // 2
        x, y = half + ui.px(7), half + ui.px(10)
        pen.disc(x, y, self._size, colors.line)
        pen.disc(x, y, self._size - 2, colors.surface)
        arm = ui.px(6)
        canvas.create_line(
            [x - arm, y - arm // 2, x, y + arm // 2, x + arm, y - arm // 2], fill=colors.accent,
            width=ui.px(2), capstyle="round", joinstyle="round",
        )  # fmt: skip
        if self._unread:
            text = ui.words.digits(self._unread if self._unread < 1000 else "999+")
            width = max(ui.fonts["small_bold"].measure(text) + ui.px(10), ui.px(18))
            tall = ui.px(18)
            box = (x - width // 2, 0, x - width // 2 + width, tall)
            pen.rounded(box, tall // 2, fill=colors.accent)
            canvas.create_text(
                x, tall // 2, text=text, font=ui.fonts["small_bold"], fill=colors.on_accent
            )
