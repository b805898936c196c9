"""How strong a password is: four steps under its field, with a word."""

import tkinter as tk

from secure_chat.client.presenter.strength import Strength
from secure_chat.client.window.ui import Ui


class StrengthBar(tk.Canvas):
    """Drawn for a width that is given, since it may not be on the screen yet."""

    def __init__(self, parent: tk.Misc, ui: Ui, width: int) -> None:
        super().__init__(
            parent, height=ui.px(4), width=width, highlightthickness=0, takefocus=0,
            background=str(parent.cget("background")),
        )  # fmt: skip
        self._ui, self._wide = ui, width

    def show(self, step: Strength) -> str:
        """Draw it; returns the colour of its word."""
        ui, colors = self._ui, self._ui.colors
        color = {Strength.WEAK: colors.danger, Strength.FAIR: colors.warning}.get(step, colors.good)
        self.delete("all")
        part = self._wide // len(Strength)
        for index in range(len(Strength)):
            x = self._wide - (index + 1) * part if ui.words.rtl else index * part
            self.create_rectangle(
                x, 0, x + part - 3, ui.px(4), width=0,
                fill=color if index <= step else colors.raised,
            )  # fmt: skip
        return color
