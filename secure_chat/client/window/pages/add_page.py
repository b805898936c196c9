"""Adding somebody by name or contact link."""

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

from secure_chat.client.events import Event
from secure_chat.client.presenter.adding import Adding
from secure_chat.client.window import choosing
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId


class AddPage(Page):
    """Draws an `Adding`; ``on_found`` opens the conversation."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        adding: Adding,
        on_close: Callable[[], object],
        on_found: Callable[[UserId], object],
        link: str = "",
    ) -> None:
        super().__init__(parent, ui, ui.words("Write to somebody new"), on_close)
        self._adding, self._on_found = adding, on_found
        self._card = self.card()
        self.text(
            self._card,
            ui.words("Type the name of an account on this server, or paste a contact link."),
        )
        self.entry = self.field(self._card, ui.words("Name or contact link"), value=link)
        self.entry.entry.bind("<Return>", lambda _: self.submit())
        self._buttons = self.buttons(
            self._card,
            (ui.words("Go on"), self.submit, "Accent"),
            (ui.words("Link from a QR code image…"), self._from_image, ""),
        )
        self._progress = ttk.Progressbar(self._card, mode="indeterminate")
        self._question = ui.frame(self.body)
        self._question.pack(fill="x")
        self.settle()
        self.entry.entry.focus_set()
        if link:
            self.submit()

    def submit(self) -> str:
        """Look for whom was typed, or ask about the link."""
        self._adding.enter(self.entry.value)
        self._show()
        return "break"

    def take(self, event: Event) -> None:
        """The server may have said who that is."""
        if self._adding.take(event):
            self._show()

    def _from_image(self) -> None:
        from secure_chat.client import qr
        from secure_chat.errors import SecureChatError

        path = choose_image(self, self.ui)
        if path is None:
            return
        try:
            text = qr.read_image(path)
        except SecureChatError as wrong:
            self.entry.say(self.ui.words.error(wrong))
            return
        self.entry.entry.delete(0, "end")
        self.entry.entry.insert(0, text)
        self.submit()

    def _answer(self, *, trusted: bool) -> None:
        self._adding.answer(trusted=trusted)
        self._show()

    def _show(self) -> None:
        ui, adding = self.ui, self._adding
        if adding.found is not None:
            self._on_found(adding.found)
            return
        self.entry.say(adding.mistake)
        self._progress.stop()
        self._progress.pack_forget()
        if adding.busy:
            self._progress.pack(fill="x", pady=(ui.px(12), 0))
            self._progress.start(20)
        for child in self._question.winfo_children():
            child.destroy()
        ask = adding.asks
        if ask is not None:
            card = self.card(ui.words("Is this link from {name}?", name=ask.name), self._question)
            self.text(card, ask.text)
            safe, _, _ = self.buttons(
                card,
                (ui.words("I am not sure"), lambda: self._answer(trusted=False), "Accent"),
                (ui.words("Yes: mark verified"), lambda: self._answer(trusted=True), ""),
                (ui.words("Cancel"), self.close, "Bar"),
            )
            self.small(
                card,
                ui.words(
                    "If you are not sure, the conversation opens all the same, and you compare "
                    "later."
                ),
            )
            self.retag()
            safe.focus_set()
        self.retag()


def choose_image(parent: tk.Misc, ui: Ui) -> Path | None:
    """An image file that the person chooses."""
    images = "*.png *.jpg *.jpeg *.gif *.webp *.bmp *.PNG *.JPG *.JPEG"
    kinds = ((ui.words("Images"), images), (ui.words("All files"), "*"))
    return choosing.a_file(parent, ui.words("An image of the QR code"), kinds)
