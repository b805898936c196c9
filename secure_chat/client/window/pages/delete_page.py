"""Deleting one's account."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.events import Event
from secure_chat.client.presenter.account import Deleting
from secure_chat.client.window import toggles
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.ui import Ui

_ALSO_HERE = "delete_also_here"


class DeletePage(Page):
    """Draws a `Deleting`; the keyboard begins on the way back."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        deleting: Deleting,
        name: str,
        on_close: Callable[[], object],
        on_done: Callable[[str], object],
    ) -> None:
        super().__init__(parent, ui, ui.words("Delete the account"), on_close)
        self._deleting, self._on_done = deleting, on_done
        card = self.card()
        self.text(
            card,
            ui.words(
                "This deletes the account {name} at the server for good, with its keys and with "
                "all messages that wait: for you, and from you for others.",
                name=name,
            ),
        )
        self.text(
            card,
            ui.words(
                "What others have received stays with them. Nobody can take the name until the "
                "server's operator frees it. There is no way back."
            ),
            color=ui.colors.danger,
        )
        self.name = self.field(card, ui.words("Type the account's name to go on"))
        self.setvar(_ALSO_HERE, "0")
        text = ui.words("Remove keys and history from this device too")
        self._also = toggles.check(card, ui, text, variable=_ALSO_HERE)
        self._also.pack(anchor=ui.start_anchor, pady=(ui.px(12), 0))
        self._delete, self._stay = self.buttons(
            card,
            (ui.words("Delete the account"), self.submit, "Danger"),
            (ui.words("Keep it"), self.close, ""),
        )
        self._progress = ttk.Progressbar(card, mode="indeterminate")
        self.settle()
        self.name.entry.focus_set()

    def submit(self) -> None:
        """Delete it, if the name was typed."""
        also_here = str(self.getvar(_ALSO_HERE)) == "1"
        self._deleting.begin(self.name.value, also_here=also_here)
        self._show()

    def take(self, event: Event) -> None:
        """The server has deleted it, or not."""
        if self._deleting.take(event):
            self._show()

    def poll(self) -> None:
        """The profile is gone, or stays."""
        if self._deleting.poll():
            self._on_done(self._deleting.said)

    def _show(self) -> None:
        ui, deleting = self.ui, self._deleting
        self.name.say(deleting.mistake)
        for widget in (self._delete, self._stay, self.name.entry, self._also, self.back):
            widget.state(["disabled"] if deleting.busy else ["!disabled"])
        self._progress.stop()
        self._progress.pack_forget()
        if deleting.busy:
            self._progress.pack(fill="x", pady=(ui.px(12), 0))
            self._progress.start(20)
