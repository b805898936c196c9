"""What stands in the place of a stranger's messages: who asks, and what one can do."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_WIDTH = 440


class RequestView(tk.Frame):
    """Shows the account's name and nothing that its owner chose."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        *,
        on_accept: Callable[[], object],
        on_delete: Callable[[], object],
        on_block: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.chat, borderwidth=0)
        self._ui = ui
        self._acts = (on_accept, on_delete, on_block)
        self._shown: tuple[UserId, str] | None = None

    def show(self, name: UserId, warning: str = "") -> None:
        """Ask about this one; the keyboard stays where it is. ``warning``: whom they look like."""
        if (name, warning) == self._shown:
            return
        self._shown = name, warning
        ui, colors = self._ui, self._ui.colors
        for child in self.winfo_children():
            child.destroy()
        card = ui.card(self)
        card.place(relx=0.5, rely=0.45, anchor="center")
        body = ui.frame(card, colors.surface)
        body.pack(padx=ui.px(26), pady=ui.px(22))
        wrap = ui.px(_WIDTH)
        ui.label(
            body, ui.words("{name} wants to write to you", name=name), font="title", wrap=wrap
        ).pack(anchor=ui.start_anchor)
        ui.label(
            body,
            ui.words(
                "You have not talked with {name} before. Nothing that they sent is shown until you "
                "accept, and until then they do not learn whether you have seen it.",
                name=name,
            ),
            wrap=wrap,
        ).pack(anchor=ui.start_anchor, pady=(ui.px(8), 0))
        ui.label(
            body,
            "⚠ " + warning if warning else ui.words(
                "A name is easily chosen to look like a friend's: ask a friend by another way."
            ),
            font="bold" if warning else "small",
            color=colors.danger if warning else colors.muted, wrap=wrap,
        ).pack(anchor=ui.start_anchor, pady=(ui.px(6), ui.px(16)))  # fmt: skip
        row = ui.frame(body, colors.surface)
        row.pack(anchor=ui.start_anchor)
        texts = (ui.words("Accept"), ui.words("Delete"), ui.words("Block"))
        made = []
        for text, act, style in zip(texts, self._acts, ("Accent", "", "Danger"), strict=True):
            button = ui.button(row, text, act, style)
            button.pack(side=ui.start, padx=(0, ui.px(8)) if ui.start == "left" else (ui.px(8), 0))
            made.append(button)
        self.accept, self.delete, self.block = made
