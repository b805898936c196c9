"""The bars above and below a conversation: connection, problems, and what keeps messages back."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.rows import Action, BannerRow, Tone
from secure_chat.client.window.ui import Ui


class Bar(tk.Frame):
    """A line of text with perhaps a button; it is packed only while it says something."""

    def __init__(self, parent: tk.Misc, ui: Ui, after: tk.Misc) -> None:
        super().__init__(parent, borderwidth=0)
        self._ui, self._after = ui, after

    def show(self, row: BannerRow | None, on_button: Callable[[], object]) -> None:
        """Say this, or nothing; ``on_button`` is what the button does."""
        for child in self.winfo_children():
            child.destroy()
        if row is None:
            self.pack_forget()
            return
        ui = self._ui
        ground, ink = tone_colors(ui, row.tone)
        self.configure(background=ground)
        if row.button:
            button = ui.button(self, row.button, on_button)
            button.pack(side=ui.end, padx=ui.px(12), pady=ui.px(5))
        text = ui.flowing(self, row.text, font="small", color=ink)
        text.pack(side=ui.start, fill="x", expand=True, padx=ui.px(16), pady=ui.px(7))
        self.pack(side="top", fill="x", after=self._after)


class WarningBar(tk.Frame):
    """What keeps messages from going out, and what to do; the safe choice comes first."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        on_act: Callable[[Action], object],
        on_accept: Callable[[], object],
    ) -> None:
        super().__init__(parent, borderwidth=0)
        self._ui, self._on_act, self._on_accept = ui, on_act, on_accept
        self._compare: ttk.Button | None = None

    def take_keyboard(self) -> bool:
        """The keyboard goes to the safe choice about a changed key; whether there is one."""
        if self._compare is None:
            return False
        self._compare.focus_set()
        return True

    def show(self, warning: BannerRow | None) -> None:
        """Say this above the composer, or nothing."""
        for child in self.winfo_children():
            child.destroy()
        self._compare = None
        if warning is None or warning.action is None:
            self.pack_forget()
            return
        ui, action = self._ui, warning.action
        ground, ink = tone_colors(ui, warning.tone)
        self.configure(background=ground)
        ui.flowing(self, warning.text, color=ink).pack(
            fill="x", padx=ui.px(16), pady=(ui.px(12), ui.px(8))
        )
        row = ui.frame(self, ground)
        row.pack(fill="x", padx=ui.px(16), pady=(0, ui.px(12)))
        style = "Accent" if action is Action.COMPARE else ""
        first = ui.button(row, warning.button, lambda: self._on_act(action), style)
        first.pack(side=ui.start)
        if action is Action.COMPARE:
            self._compare = first
            accept = ui.button(row, ui.words("Go on without comparing"), self._on_accept, "Danger")
            accept.pack(side=ui.start, padx=ui.px(10))
        self.pack(side="bottom", fill="x")


def tone_colors(ui: Ui, tone: Tone) -> tuple[str, str]:
    """Ground and ink of a bar."""
    colors = ui.colors
    return {
        Tone.WARNING: (colors.warning_ground, colors.warning),
        Tone.DANGER: (colors.danger_ground, colors.danger),
    }.get(tone, (colors.quiet_ground, colors.text))
