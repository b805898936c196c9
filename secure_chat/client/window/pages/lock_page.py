"""The locked screen: nothing of any conversation is in the window's widgets meanwhile."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.passwords import Unlocking
from secure_chat.client.window.ui import Ui

_WIDTH = 360


class LockView(tk.Frame):
    """Asks for the password; ``on_leave`` signs out, which closes the vault as well."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        unlocking: Unlocking,
        name: str,
        on_unlock: Callable[[], object],
        on_leave: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._unlocking, self._on_unlock = ui, unlocking, on_unlock
        colors = ui.colors
        card = ui.card(self)
        card.place(relx=0.5, rely=0.5, anchor="center")
        body = ui.frame(card, colors.surface)
        body.pack(padx=ui.px(34), pady=ui.px(26))
        tk.Frame(body, width=ui.px(_WIDTH), height=1, background=colors.surface).pack()
        ui.label(body, ui.words("Locked"), font="huge", color=colors.accent).pack(
            anchor=ui.start_anchor
        )
        ui.label(
            body,
            ui.words("Messages go on arriving for {name}. Your password shows them.", name=name),
            color=colors.muted, wrap=ui.px(_WIDTH),
        ).pack(anchor=ui.start_anchor, pady=(ui.px(2), ui.px(12)))  # fmt: skip
        ui.label(body, ui.words("Password"), font="small_bold").pack(anchor=ui.start_anchor)
        self.entry = ttk.Entry(body, font=ui.fonts["text"], show="•")
        self.entry.pack(fill="x", pady=(ui.px(2), 0))
        self.entry.bind("<Return>", lambda _: self.submit())
        self._note = ui.label(body, font="small", color=colors.danger)
        self._button = ui.button(body, ui.words("Unlock"), self.submit, "Accent")
        self._button.pack(fill="x", pady=(ui.px(14), 0))
        self._progress = ttk.Progressbar(body, mode="indeterminate")
        ui.button(body, ui.words("Sign out"), on_leave, "Bar").pack(pady=(ui.px(8), 0))
        self.entry.focus_set()

    @property
    def said(self) -> str:
        """What stands under the field."""
        return str(self._note.cget("text")) if self._note.winfo_manager() else ""

    def say(self, text: str) -> None:
        """Something went wrong that is not the password's fault."""
        self._unlocking.mistake = text
        self._show()

    def submit(self) -> str:
        """Try what was typed; the field is emptied, whatever comes of it."""
        self._unlocking.enter(self.entry.get())
        self.entry.delete(0, "end")
        self._show()
        return "break"

    def poll(self) -> None:
        """The password was checked."""
        if self._unlocking.poll():
            if self._unlocking.done:
                self._on_unlock()
            else:
                self._show()

    def _show(self) -> None:
        ui, unlocking = self._ui, self._unlocking
        self._progress.stop()
        self._progress.pack_forget()
        self._note.pack_forget()
        state = ["disabled"] if unlocking.busy else ["!disabled"]
        self._button.state(state)
        self.entry.state(state)
        if unlocking.busy:
            self._progress.pack(fill="x", pady=(ui.px(10), 0))
            self._progress.start(20)
        if unlocking.mistake:
            ui.write(self._note, unlocking.mistake, font="small", wrap=ui.px(_WIDTH))
            self._note.pack(anchor=ui.start_anchor, pady=(ui.px(4), 0), after=self.entry)
            self.entry.focus_set()
