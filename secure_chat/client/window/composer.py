"""Where a message is written: several lines, Enter sends, Shift+Enter starts a new line."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.rows import ComposerRow
from secure_chat.client.text import is_rtl
from secure_chat.client.window.shaped_text import ShapedText
from secure_chat.client.window.ui import Ui

_MOST_LINES = 7

_SHIFT, _CONTROL = 1, 4  # of an event's state


class Composer(tk.Frame):
    """A Text that grows with what is written, and the button beside it."""

    def __init__(self, parent: tk.Misc, ui: Ui, on_send: Callable[[str], object]) -> None:
        super().__init__(parent, background=ui.colors.surface)
        self._ui = ui
        self._on_send = on_send
        self.on_written: Callable[[str], object] | None = None  # hears of each change
        self.reported = ""  # what `on_written` has heard; what was just written comes a bit later
        self._enabled = self._may_send = True
        self._hint = ""
        self._shown: ComposerRow | None = None
        self._build()

    def _build(self) -> None:
        ui, colors = self._ui, self._ui.colors
        row = ui.frame(self, colors.surface)
        row.pack(side="bottom", fill="x", padx=ui.px(12), pady=ui.px(10))
        self.button = ui.button(row, ui.words("Send"), self.send_written, "Accent")
        self.button.pack(side=ui.end, anchor="s")
        self.text = ShapedText(
            row, ui, height=1, wrap="word", undo=True, maxundo=200, font=ui.fonts["text"], width=10,
            background=colors.ground, foreground=colors.text, insertbackground=colors.accent,
            insertwidth=ui.px(2), selectbackground=colors.accent, selectforeground=colors.on_accent,
            borderwidth=0, highlightthickness=ui.px(2), highlightbackground=colors.line,
            highlightcolor=colors.accent, padx=ui.px(10), pady=ui.px(7),
        )  # fmt: skip
        gap = (0, ui.px(8)) if ui.end == "right" else (ui.px(8), 0)
        self.text.pack(side=ui.start, fill="x", expand=True, padx=gap)
        self.button.lift()  # Tab goes from the field to the button
        self.text.tag_configure("rtl", justify="right")
        self.text.tag_configure("hint", foreground=colors.muted)
        self._hint_label = tk.Label(
            self.text, background=colors.ground, foreground=colors.muted, font=ui.fonts["text"],
            borderwidth=0, cursor="xterm",
        )  # fmt: skip
        self._hint_label.bind("<Button-1>", lambda _: self.text.focus_set())
        self.text.bind("<Return>", self._on_return)
        self.text.bind("<KP_Enter>", self._on_return)
        self.text.bind("<Shift-Return>", lambda _: None)
        self.text.bind("<<Modified>>", self._on_modified)
        # That one comes behind all that waits already; a key is reported before anything else.
        self.text.bind_behind("<Key>", self._on_modified)
        self.text.on_rows = self._fit

    # ------------------------------------------------------------ from the presenter

    def show(self, state: ComposerRow) -> None:
        """Whether writing is possible, and what the empty field says."""
        if state == self._shown:  # drawing the button again costs more than a new message
            return
        self._shown = state
        self._enabled, self._hint = state.enabled, state.hint
        self.text.configure(state="normal" if state.enabled else "disabled")
        self._may_send = state.enabled and not state.over
        self.button.state(["!disabled"] if self._may_send else ["disabled"])
        self.button.configure(text=self._ui.say(state.button or self._ui.words("Send")))
        self._refresh()

    @property
    def written(self) -> str:
        """What stands in the field."""
        return self.text.written

    def put(self, text: str) -> None:
        """Another text: a draft, or nothing."""
        self.text.configure(state="normal")
        self.text.delete("1.0", "end")
        self.text.insert("1.0", text)
        self.text.edit_reset()
        self.reported = text
        self.text.configure(state="normal" if self._enabled else "disabled")
        self._refresh()

    # ------------------------------------------------------------ keys

    def send_written(self) -> None:
        """Send what is written; whoever sends it puts what comes next into the field."""
        if self._may_send:
            self._on_send(self.written)
        self.text.focus_set()

    def _on_return(self, event: "tk.Event[tk.Misc]") -> str | None:
        """Sends with or without Ctrl, as the person has chosen; Shift always begins a line."""
        held = event.state if isinstance(event.state, int) else 0
        if held & _SHIFT or not (self._ui.enter_sends or held & _CONTROL):
            return None
        self.send_written()
        return "break"

    # ------------------------------------------------------------ looks

    def _on_modified(self, _event: "tk.Event[tk.Misc]") -> None:
        if self.text.edit_modified():
            self.text.edit_modified(False)  # noqa: FBT003 - Tk's signature
            self._refresh()
            self.reported = self.written
            if self.on_written is not None:
                self.on_written(self.reported)

    def _refresh(self) -> None:
        written = self.written
        self._align(written)
        self.text.refresh()
        if written:
            self._hint_label.place_forget()
        else:
            rtl = self._ui.words.rtl
            self._hint_label.configure(text=self._ui.say(self._hint))
            self._hint_label.place(
                relx=1.0 if rtl else 0.0, x=-self._ui.px(4) if rtl else self._ui.px(4),
                rely=0.5, anchor="e" if rtl else "w",
            )  # fmt: skip

    def _fit(self, rows: int) -> None:
        """As high as what is written, up to a limit."""
        wanted = max(1, min(_MOST_LINES, rows))
        if wanted != int(str(self.text.cget("height"))):
            self.text.configure(height=wanted)

    def _align(self, written: str) -> None:
        """Right-to-left paragraphs stand at the right."""
        self.text.tag_remove("rtl", "1.0", "end")
        for number, paragraph in enumerate(written.split("\n"), start=1):
            if is_rtl(paragraph) or (not paragraph.strip() and self._ui.words.rtl):
                self.text.tag_add("rtl", f"{number}.0", f"{number + 1}.0")
