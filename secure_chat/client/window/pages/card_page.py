"""Our own contact link and fingerprint, to give to others."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.window.pages.code import code_label
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.panel_view import number_grid
from secure_chat.client.window.ui import Ui


class CardPage(Page):
    """The link as text and as a QR code."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        name: str,
        link: str,
        fingerprint: str,
        on_close: Callable[[], object],
    ) -> None:
        super().__init__(parent, ui, ui.words("Your contact link"), on_close)
        card = self.card()
        if not link:
            self.text(card, ui.words("Your keys are made with the first connection."))
            self.settle()
            self.back.focus_set()
            return
        self.link = link
        self.text(
            card,
            ui.words(
                "Whoever gets this link from you by a way that they trust can write to you and "
                "needs to compare nothing: it holds your name and your whole public key. It is no "
                "secret, and no invitation to the server."
            ),
        )
        code_label(card, ui, link, 300).pack(pady=(ui.px(14), ui.px(10)))
        field = self.field(card, ui.words("As text"), value=link)
        field.entry.state(["readonly"])
        copy, _ = self.buttons(
            card,
            (ui.words("Copy the link"), self._copy, "Accent"),
            (ui.words("Copy the fingerprint"), lambda: self._put(fingerprint), ""),
        )
        self._done = ui.label(card, font="small", color=ui.colors.good)
        self._done.pack(anchor=ui.start_anchor, pady=(ui.px(6), 0))
        second = self.card(ui.words("Your fingerprint ({name})", name=name))
        number_grid(second, ui, fingerprint.split(), 4, "mono").pack(
            anchor=ui.start_anchor, pady=(ui.px(6), 0)
        )
        self.settle()
        copy.focus_set()

    def _copy(self) -> None:
        self._put(self.link)

    def _put(self, text: str) -> None:
        self.clipboard_clear()
        self.clipboard_append(text)
        self.ui.write(self._done, self.ui.words("✓ Copied"), font="small")
