"""Changing the password."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.passwords import PasswordChange, PasswordField
from secure_chat.client.window.pages.page import FieldBox, Page
from secure_chat.client.window.pages.strength_bar import StrengthBar
from secure_chat.client.window.ui import Ui


class PasswordPage(Page):
    """Draws a `PasswordChange`."""

    def __init__(
        self, parent: tk.Misc, ui: Ui, change: PasswordChange, on_close: Callable[[], object]
    ) -> None:
        super().__init__(parent, ui, ui.words("Change the password"), on_close)
        self._change = change
        card = self.card()
        self.small(
            card,
            ui.words(
                "The password unlocks your keys on this device and goes nowhere else. Nobody can "
                "bring back a forgotten one."
            ),
        )
        self.fields: dict[PasswordField, FieldBox] = {
            PasswordField.OLD: self.field(card, ui.words("Present password"), secret=True),
            PasswordField.NEW: self.field(card, ui.words("New password"), secret=True),
            PasswordField.REPEAT: self.field(card, ui.words("New password again"), secret=True),
        }
        new = self.fields[PasswordField.NEW]
        self._bar = StrengthBar(new.box, ui, self.wrap)
        new.entry.bind("<KeyRelease>", lambda _: self._on_new())
        for box in self.fields.values():
            box.entry.bind("<Return>", lambda _: self.submit())
        self._button = self.buttons(card, (ui.words("Change it"), self.submit, "Accent"))[0]
        self._status = ui.label(card, font="small", color=ui.colors.muted)
        self._progress = ttk.Progressbar(card, mode="indeterminate")
        self.small(
            card,
            ui.words(
                "Who copied this profile's files before still opens that copy with the old "
                "password. If that may have happened, make a new account instead."
            ),
        )
        self.settle()
        self.fields[PasswordField.OLD].entry.focus_set()

    def submit(self) -> str:
        """Begin, or say beside the fields what is wrong."""
        self._change.begin(*(self.fields[field].value for field in PasswordField))
        self._show()
        return "break"

    def poll(self) -> None:
        """The key was wrapped anew, or the old password was wrong."""
        if self._change.poll():
            self._show()

    def _on_new(self) -> None:
        box = self.fields[PasswordField.NEW]
        if not box.value:
            self._bar.pack_forget()
            box.say("")
            return
        step, word = self._change.strength_of(box.value)
        color = self._bar.show(step)
        self._bar.pack(fill="x", pady=(self.ui.px(4), 0))
        box.say(word, color)

    def _show(self) -> None:
        ui, change = self.ui, self._change
        for field, box in self.fields.items():
            box.say(change.mistakes.get(field, ""))
        self._button.state(["disabled"] if change.busy else ["!disabled"])
        self._progress.stop()
        self._progress.pack_forget()
        if change.busy:
            ui.write(self._status, ui.words("Locking your keys with the new password…"))
            self._progress.pack(fill="x", pady=(ui.px(10), 0))
            self._progress.start(20)
        elif change.done:
            self._status.configure(foreground=ui.colors.good)
            ui.write(
                self._status,
                ui.words("✓ The password is changed. The old one does not work any more."),
            )
            for box in self.fields.values():
                box.entry.delete(0, "end")
            self._bar.pack_forget()
            change.done = False
        else:
            ui.write(self._status, "")
            wrong = next((f for f in PasswordField if f in change.mistakes), None)
            if wrong is not None:
                self.fields[wrong].entry.focus_set()
        self._status.pack(anchor=ui.start_anchor, pady=(ui.px(8), 0))
