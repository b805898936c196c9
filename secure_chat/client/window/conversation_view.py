"""The middle of the conversation screen: header, bars, messages and the composer."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.rows import Action, BannerRow, Tone
from secure_chat.client.presenter.timeline import Change
from secure_chat.client.window.bars import Bar, WarningBar
from secure_chat.client.window.composer import Composer
from secure_chat.client.window.message_list import MessageList
from secure_chat.client.window.shapes import trust_badge
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId


class ConversationView(tk.Frame):
    """Draws the selected conversation of a `Chat` and passes on what is pressed.

    ``on_change`` draws whatever an action has changed, anywhere on the screen.
    """

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        chat: Chat,
        *,
        on_change: Callable[[], object],
        on_panel: Callable[[], object],
        on_compare: Callable[[], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.chat, borderwidth=0)
        self._ui, self._chat = ui, chat
        self._on_change, self._on_panel, self._on_compare = on_change, on_panel, on_compare
        self._drafted: UserId | None = None
        self._arrangement: tuple[bool, BannerRow | None] | None = None
        self._build()

    def _build(self) -> None:
        ui, colors = self._ui, self._ui.colors
        self._header = ui.frame(self, colors.surface)
        self._banner = Bar(self, ui, self._header)
        self._problem = Bar(self, ui, self._header)
        self._warning = WarningBar(self, ui, self._act, self.accept)
        self.messages = MessageList(self, ui, self._load_earlier)
        self._empty = ui.label(
            self, ui.words("Choose somebody to write to."), color=colors.muted, ground=colors.chat
        )
        self.composer = Composer(self, ui, self._send)
        self._header.pack(side="top", fill="x", pady=(0, 1))

    # ------------------------------------------------------------ what a person does

    def keep_draft(self) -> None:
        """Remember what is written before another conversation, or another screen, is shown."""
        self._chat.keep_draft(self.composer.written)

    def accept(self) -> None:
        """Go on with a changed key that nobody compared."""
        self._chat.accept_changed_key()
        self._chat.poll()
        self._on_change()
        self.composer.text.focus_set()

    def _send(self, text: str) -> bool:
        sent = self._chat.send(text)
        self._chat.poll()
        self._on_change()
        return sent

    def _load_earlier(self) -> None:
        if self._chat.load_earlier():
            self._on_change()

    def _act(self, action: Action) -> None:
        if action is Action.COMPARE:
            self._on_compare()
            return
        self._chat.act(action)
        self._on_change()

    def _dismiss(self) -> None:
        self._chat.dismiss_problem()
        self._on_change()

    # ------------------------------------------------------------ what is shown

    def show_rows(self, changes: list[Change]) -> None:
        """The messages, after these changes."""
        self.messages.show(self._chat.timeline.rows, changes)

    def show_header(self) -> None:
        """Who we talk to."""
        ui, header, colors = self._ui, self._chat.header, self._ui.colors
        for child in self._header.winfo_children():
            child.destroy()
        inside = ui.frame(self._header, colors.surface)
        inside.pack(fill="x", padx=ui.px(16), pady=ui.px(9))
        key = ui.button(inside, ui.words("Safety number"), self._on_panel, "Bar")
        key.pack(side=ui.end)
        if header is None:
            ui.label(inside, "secure_chat", font="title").pack(anchor=ui.start_anchor)
            return
        names = ui.frame(inside, colors.surface)
        names.pack(side=ui.start)
        line = ui.frame(names, colors.surface)
        line.pack(anchor=ui.start_anchor)
        ui.label(line, header.user_id, font="title").pack(side=ui.start)
        size = round(ui.line_height * 0.8)
        badge = trust_badge(line, ui.discs, colors, header.mark, size)
        badge.pack(side=ui.start, padx=ui.px(6))
        ui.label(line, header.trust, font="small", color=colors.muted).pack(side=ui.start)
        color = colors.good if header.online else colors.muted
        ui.label(names, header.status, font="small", color=color).pack(anchor=ui.start_anchor)

    def show_banner(self) -> None:
        """How the connection stands."""
        row = self._chat.banner
        action = row.action if row is not None else None
        self._banner.show(row, lambda: self._act(action) if action is not None else None)

    def show_problem(self) -> None:
        """What went wrong, until the person has read it."""
        row = None
        if self._chat.problem:
            row = BannerRow(Tone.DANGER, self._chat.problem, self._ui.words("Close"))
        self._problem.show(row, self._dismiss)

    def show_composer(self) -> None:
        """Whether writing is possible, and what was being written here."""
        arrangement = self._chat.selected is None, self._chat.warning
        if arrangement != self._arrangement:
            self._arrangement = arrangement
            self._arrange()
        self.composer.show(self._chat.composer)
        if self._drafted != self._chat.selected:
            self._drafted = self._chat.selected
            self.composer.put(self._chat.draft)

    def _arrange(self) -> None:
        """Put list, warning and composer in their places, or the hint that nobody is chosen."""
        for part in (self._empty, self.messages, self.composer, self._warning):
            part.pack_forget()
        if self._chat.selected is None:
            self._empty.pack(expand=True)
            return
        self.composer.pack(side="bottom", fill="x", pady=(1, 0))
        self._warning.show(self._chat.warning)
        self.messages.pack(fill="both", expand=True)
