"""The page on which two people compare their safety number."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.rows import PanelRow
from secure_chat.client.window.panel_view import number_grid
from secure_chat.client.window.ui import Ui

_WIDTH = 470


class CompareView(tk.Frame):
    """Covers the window until the person has decided; Escape leaves all as it was."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        row: PanelRow,
        on_same: Callable[[], object],
        on_close: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._row = ui, row
        self._on_same, self._on_close = on_same, on_close
        self.bind("<Escape>", lambda _: on_close())
        self._show(differs=False)

    def _show(self, *, differs: bool) -> None:
        for child in self.winfo_children():
            child.destroy()
        ui, colors, name = self._ui, self._ui.colors, self._row.their_name
        card = tk.Frame(
            self, background=colors.surface, highlightthickness=1, highlightbackground=colors.line
        )
        card.place(relx=0.5, rely=0.5, anchor="center")
        body = ui.frame(card, colors.surface)
        body.pack(padx=ui.px(32), pady=ui.px(28))
        if differs:
            self._show_difference(body)
            return
        title = ui.words("Compare with {name}", name=name)
        ui.label(body, title, font="huge", wrap=ui.px(_WIDTH)).pack(anchor=ui.start_anchor)
        advice = ui.words(
            "Meet {name} or call on another channel, and read the digits to each other. "
            "Both of you must see the same twelve groups.",
            name=name,
        )
        ui.label(body, advice, color=colors.muted, wrap=ui.px(_WIDTH)).pack(
            anchor=ui.start_anchor,
            pady=(ui.px(6), ui.px(18)),
        )
        well = tk.Frame(body, background=colors.ground)
        well.pack(fill="x")
        number_grid(well, ui, self._row.safety_number, 4, "mono_big").pack(
            padx=(ui.px(22), ui.px(12)), pady=ui.px(16)
        )
        same = ui.button(
            body, ui.words("They are the same: mark verified"), self._on_same, "Accent"
        )
        same.pack(fill="x", pady=(ui.px(18), 0))
        different = ui.button(body, ui.words("They differ"), lambda: self._show(differs=True))
        different.pack(fill="x", pady=(ui.px(8), 0))
        back = ui.button(body, ui.words("Not now"), self._on_close, "Bar")
        back.pack(fill="x", pady=(ui.px(8), 0))
        self._bind_escape(same, different, back)
        back.focus_set()

    def _show_difference(self, body: tk.Frame) -> None:
        ui, colors, name = self._ui, self._ui.colors, self._row.their_name
        title = ui.words("Do not write to {name} here", name=name)
        ui.label(body, title, font="huge", color=colors.danger, wrap=ui.px(_WIDTH)).pack(
            anchor=ui.start_anchor
        )
        advice = ui.words(
            "Different numbers mean that somebody else holds a key under the name of one of you. "
            "Ask {name} whether they use this server and this name; until the numbers agree, trust "
            "nothing that was said here.",
            name=name,
        )
        ui.label(body, advice, wrap=ui.px(_WIDTH)).pack(
            anchor=ui.start_anchor,
            pady=(ui.px(8), ui.px(18)),
        )
        again = ui.button(
            body, ui.words("Compare again"), lambda: self._show(differs=False), "Accent"
        )
        again.pack(fill="x")
        back = ui.button(body, ui.words("Back"), self._on_close)
        back.pack(fill="x", pady=(ui.px(8), 0))
        self._bind_escape(again, back)
        again.focus_set()

    def _bind_escape(self, *widgets: tk.Misc) -> None:
        for widget in widgets:
            widget.bind("<Escape>", lambda _: self._on_close())
