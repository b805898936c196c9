"""The lower end of a conversation: what is being answered, the field, the room that is left.

While messages are selected, what can be done with them stands in its place.
"""

import tkinter as tk
from collections.abc import Callable
from typing import Protocol

from secure_chat.client.presenter.rows import ComposerRow, StripRow
from secure_chat.client.window.composer import Composer
from secure_chat.client.window.icon_button import IconButton
from secure_chat.client.window.ui import Ui


class Writer(Protocol):
    """What a person does at the lower end of a conversation."""

    def send_text(self, text: str) -> object: ...
    def written(self, text: str) -> object: ...
    def cancel(self) -> object: ...
    def edit_last(self) -> bool: ...
    def attach(self) -> object: ...
    def copy_chosen(self) -> object: ...
    def forward_chosen(self) -> object: ...
    def remove_chosen(self) -> object: ...
    def leave(self) -> object: ...


class ComposerArea(tk.Frame):
    """Strip, composer and counter; or the bar of a selection."""

    def __init__(self, parent: tk.Misc, ui: Ui, writer: Writer) -> None:
        super().__init__(parent, background=ui.colors.surface, borderwidth=0)
        self._ui, self._writer = ui, writer
        self._shown: StripRow | None = None
        self._strip = ui.frame(self, ui.colors.surface)
        self._field = ui.frame(self, ui.colors.surface)
        self._bar = ui.frame(self, ui.colors.surface)
        self.composer = Composer(self._field, ui, writer.send_text)
        self.composer.on_written = writer.written
        self._counter = ui.label(self._field, font="small", color=ui.colors.muted)
        self._build()

    def _build(self) -> None:
        ui = self._ui
        self.attach = IconButton(
            self._field, ui, "attach", ui.words("Send a file"), self._writer.attach
        )
        edge = (ui.px(8), 0) if ui.start == "left" else (0, ui.px(8))
        self.attach.pack(side=ui.start, anchor="s", pady=ui.px(12), padx=edge)
        self.composer.pack(side=ui.start, fill="x", expand=True)
        self.composer.lift()  # Tab goes from the attachment to the field
        self._field.pack(side="bottom", fill="x")
        text = self.composer.text
        text.bind("<Escape>", self._on_escape, add="+")
        text.bind("<<PrevLine>>", self._on_up, add="+")  # <Up> would hide the field's own

    def _on_escape(self, _event: "tk.Event[tk.Misc]") -> str:
        self._writer.cancel()
        return "break"

    def _on_up(self, _event: "tk.Event[tk.Misc]") -> str | None:
        if not self.composer.written and self._writer.edit_last():
            return "break"
        return None

    # ------------------------------------------------------------ from the presenter

    def show(self, row: ComposerRow) -> None:
        """What is being written, and whether that is possible."""
        self.composer.show(row)
        self.attach.enable(on=row.enabled)
        if row.counter:
            self._ui.write(self._counter, row.counter, font="small")
            color = self._ui.colors.danger if row.over else self._ui.colors.muted
            self._counter.configure(foreground=color)
            self._counter.pack(side="top", pady=(self._ui.px(6), 0), before=self.attach)
        else:
            self._counter.pack_forget()
        if row.strip != self._shown:
            self._shown = row.strip
            self._show_strip(row.strip)

    def _show_strip(self, row: StripRow | None) -> None:
        ui, colors = self._ui, self._ui.colors
        for child in self._strip.winfo_children():
            child.destroy()
        if row is None:
            self._strip.pack_forget()
            return
        bar = tk.Frame(self._strip, background=colors.accent, width=ui.px(4))
        bar.pack(side=ui.start, fill="y", padx=ui.px(12), pady=ui.px(3))
        close = IconButton(self._strip, ui, "close", ui.words("Cancel"), self._writer.cancel)
        close.pack(side=ui.end, padx=ui.px(10))
        texts = ui.frame(self._strip, colors.surface)
        texts.pack(side=ui.start, fill="x", expand=True)
        ui.label(texts, row.title, font="small_bold", color=colors.accent).pack(
            anchor=ui.start_anchor
        )
        label = tk.Label(
            texts, font=ui.fonts["small"], foreground=colors.muted, background=colors.surface,
            borderwidth=0, padx=0, anchor=ui.start_anchor,
        )  # fmt: skip
        label.pack(fill="x")

        def fit(event: "tk.Event[tk.Misc]") -> None:
            lines = ui.layout("small").wrap(ui.drawable(row.text), max(event.width - 8, 40))
            more = "…" if len(lines) > 1 else ""
            first = lines[0]
            shown = more + first.text if first.rtl else first.text + more
            if label.cget("text") != shown:
                label.configure(text=shown)

        label.bind("<Configure>", fit)
        self._strip.pack(side="top", fill="x", pady=(ui.px(8), 0), before=self._field)

    def show_chosen(self, count: int) -> None:
        """So many messages are selected; 0: write again."""
        for child in self._bar.winfo_children():
            child.destroy()
        if not count:
            self._bar.pack_forget()
            self._field.pack(side="bottom", fill="x")
            self._show_strip(self._shown)
            return
        ui = self._ui
        self._field.pack_forget()
        self._strip.pack_forget()
        text = ui.words.plural("{number} selected", "{number} selected", count)
        ui.label(self._bar, text, font="bold").pack(side=ui.start, padx=ui.px(16), pady=ui.px(16))
        acts: tuple[tuple[str, Callable[[], object], str], ...] = (
            (ui.words("Cancel"), self._writer.leave, "Bar"),
            (ui.words("Remove…"), self._writer.remove_chosen, "Bar"),
            (ui.words("Forward…"), self._writer.forward_chosen, "Bar"),
            (ui.words("Copy"), self._writer.copy_chosen, "Bar"),
        )
        for label, act, style in acts:
            ui.button(self._bar, label, act, style).pack(side=ui.end)
        self._bar.pack(side="bottom", fill="x", padx=ui.px(8))
