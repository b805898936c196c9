"""An entry of one row in which Persian is joined and runs from the right, with a hint inside."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.window.shaped_text import ShapedText
from secure_chat.client.window.ui import Ui

_ROW_BREAKS = ("<Return>", "<KP_Enter>", "<Shift-Return>", "<Control-o>")


class ShapedEntry(ShapedText):
    """`value` is what stands in it; ``on_change`` hears of each change."""

    def __init__(self, parent: tk.Misc, ui: Ui, *, hint: str = "", width: int = 20) -> None:
        colors = ui.colors
        super().__init__(
            parent, ui, single=True, takefocus=True, height=1, width=width, wrap="none",
            undo=True, maxundo=100,
            font=ui.fonts["text"], background=colors.surface, foreground=colors.text,
            insertbackground=colors.accent, insertwidth=ui.px(2), selectbackground=colors.accent,
            selectforeground=colors.on_accent, borderwidth=0, highlightthickness=ui.px(1),
            highlightbackground=colors.line, highlightcolor=colors.accent,
            padx=ui.px(10), pady=ui.px(7),
        )  # fmt: skip
        self.on_change: Callable[[], object] | None = None
        self.tag_configure("rtl", justify="right")
        self._hint = tk.Label(
            self, text=ui.say(hint), font=ui.fonts["text"], foreground=colors.muted,
            background=colors.surface, borderwidth=0, cursor="xterm",
        )  # fmt: skip
        self._hint.bind("<Button-1>", lambda _: self.focus_set())
        for sequence in _ROW_BREAKS:  # a Text would begin another row
            self.bind(sequence, self._no_row)
        self.bind("<<Modified>>", self._on_modified)
        self._place_hint()

    @property
    def value(self) -> str:
        """What stands in the entry."""
        return self.written

    def put(self, text: str) -> None:
        """Another text, the caret behind it."""
        self.delete("1.0", "end")
        self.insert("1.0", text)
        self.edit_reset()
        self.put_insertion(len(text))
        self._place_hint()

    def _no_row(self, event: "tk.Event[tk.Misc]") -> str:
        """Return belongs to whoever uses the entry: it bound <<Submit>>."""
        if event.keysym in {"Return", "KP_Enter"}:
            self.event_generate("<<Submit>>")
        return "break"

    def _on_modified(self, _event: object) -> None:
        if not self.edit_modified():
            return
        self.edit_modified(False)  # noqa: FBT003 - Tk's signature
        self._place_hint()
        self.refresh()
        if self.on_change is not None:
            self.on_change()

    def _place_hint(self) -> None:
        """The hint, and the caret of the empty entry, stand where reading starts."""
        rtl = self._ui.words.rtl
        self.tag_remove("rtl", "1.0", "end")
        if self.written:
            self._hint.place_forget()
            return
        if rtl:
            self.tag_add("rtl", "1.0", "end")
        side = self._ui.px(4)
        self._hint.place(
            relx=1.0 if rtl else 0.0, x=-side if rtl else side, rely=0.5, anchor="e" if rtl else "w"
        )
