"""The conversation screen: people at the start, the conversation, the trust panel at the end."""

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from secure_chat.client.presenter.chat import Chat, Part
from secure_chat.client.presenter.rows import Action, BannerRow, Tone
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.timeline import Change, Reset
from secure_chat.client.window.compare_view import CompareView
from secure_chat.client.window.composer import Composer
from secure_chat.client.window.message_list import MessageList
from secure_chat.client.window.panel_view import PanelView
from secure_chat.client.window.people_list import PeopleList
from secure_chat.client.window.shapes import trust_badge
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_NARROW = 880  # design pixels


class ChatView(tk.Frame):
    """Draws a `Chat` and passes on what is pressed."""

    def __init__(
        self,
        parent: tk.Tk,
        ui: Ui,
        chat: Chat,
        settings: Settings,
        corner: Callable[[tk.Misc], tk.Frame],
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._chat, self._settings = ui, chat, settings
        self._set_title = parent.title
        self._compare: CompareView | None = None
        self._drafted: UserId | None = None
        self._narrow = self._panel_in_narrow = False
        self._arrangement: tuple[bool, BannerRow | None] | None = None
        self._main = ui.frame(self, ui.colors.line)
        self._main.pack(fill="both", expand=True)
        self._build_people(corner)
        self._build_conversation()
        self.panel = PanelView(self._main, ui, self.compare, self._accept)
        self._show_panel()
        self._bind_keys()
        self.bind("<Configure>", self._on_resize)
        chat.changed.update(Part)
        self.refresh([Reset()])

    # ------------------------------------------------------------ structure

    def _build_people(self, corner: Callable[[tk.Misc], tk.Frame]) -> None:
        ui = self._ui
        side = ui.frame(self._main)
        edge = (0, 1) if ui.start == "left" else (1, 0)
        side.pack(side=ui.start, fill="y", padx=edge)
        ui.label(side, self._chat.our_name, font="title").pack(
            anchor=ui.start_anchor,
            padx=ui.px(16),
            pady=(ui.px(14), 0),
        )
        self._secured = ui.label(side, font="small", color=ui.colors.good)
        self._secured.pack(anchor=ui.start_anchor, padx=ui.px(16))
        self.search = ttk.Entry(side, font=ui.fonts["text"])
        self.search.pack(fill="x", padx=ui.px(12), pady=(ui.px(10), ui.px(6)))
        self._search_hint = self._hint_in(self.search, ui.words("Search people"))
        self.search.bind("<KeyRelease>", lambda _: self._on_search())
        self.search.bind("<Return>", lambda _: self._on_search_return())
        self.search.bind("<Escape>", lambda _: self._clear_search())
        corner(side).pack(side="bottom", fill="x", padx=ui.px(8), pady=ui.px(6))
        self.people = PeopleList(side, ui, self.select)
        self.people.pack(fill="both", expand=True)
        people = self.people
        self.search.bind("<Down>", lambda _: people.canvas.focus_set())

    def _hint_in(self, entry: ttk.Entry, text: str) -> tk.Label:
        ui = self._ui
        hint = tk.Label(
            entry, text=ui.say(text), font=ui.fonts["text"], foreground=ui.colors.muted,
            background=ui.colors.surface, borderwidth=0, cursor="xterm",
        )  # fmt: skip
        hint.bind("<Button-1>", lambda _: entry.focus_set())
        return hint

    def _build_conversation(self) -> None:
        ui, colors = self._ui, self._ui.colors
        self._middle = ui.frame(self._main, colors.chat)
        self._header = ui.frame(self._middle, colors.surface)
        self._banner = ui.frame(self._middle, colors.quiet_ground)
        self._problem = ui.frame(self._middle, colors.danger_ground)
        self._warning = ui.frame(self._middle, colors.danger_ground)
        self.messages = MessageList(self._middle, ui, self._load_earlier)
        self._empty = ui.label(
            self._middle,
            ui.words("Choose somebody to write to."),
            color=colors.muted,
            ground=colors.chat,
        )
        self.composer = Composer(self._middle, ui, self._send)
        self._header.pack(side="top", fill="x", pady=(0, 1))

    def _bind_keys(self) -> None:
        top = self.winfo_toplevel()
        top.bind("<Control-k>", lambda _: self.search.focus_set())
        top.bind("<Control-f>", lambda _: self.search.focus_set())
        top.bind("<Alt-Down>", lambda _: self._step(1))
        top.bind("<Alt-Up>", lambda _: self._step(-1))
        top.bind("<Control-i>", lambda _: self.toggle_panel())

    # ------------------------------------------------------------ what a person does

    def select(self, user_id: UserId) -> None:
        """Open a conversation and go to its composer."""
        self._chat.keep_draft(self.composer.written)
        self._chat.select(user_id)
        self.refresh()
        self.composer.text.focus_set()

    def _step(self, step: int) -> str:
        self._chat.keep_draft(self.composer.written)
        self._chat.select_next(step)
        self.refresh()
        self.composer.text.focus_set()
        return "break"

    def _send(self, text: str) -> bool:
        sent = self._chat.send(text)
        self._chat.poll()
        self.refresh()
        return sent

    def _load_earlier(self) -> None:
        if self._chat.load_earlier():
            self.refresh()

    def compare(self) -> None:
        """Show the page with the safety number in large digits."""
        row = self._chat.panel
        if not row.safety_number or self._compare is not None:
            return
        self._main.pack_forget()
        self._compare = CompareView(
            self, self._ui, row, lambda: self._verified(row.safety_number), self._close_compare
        )
        self._compare.pack(fill="both", expand=True)

    def _verified(self, number: tuple[str, ...]) -> None:
        self._chat.mark_verified(number)
        self._close_compare()

    def _close_compare(self) -> None:
        if self._compare is not None:
            self._compare.destroy()
            self._compare = None
            self._main.pack(fill="both", expand=True)
            self.composer.text.focus_set()
        self._chat.poll()
        self.refresh()

    def _accept(self) -> None:
        self._chat.accept_changed_key()
        self._chat.poll()
        self.refresh()
        self.composer.text.focus_set()

    def toggle_panel(self) -> str:
        """Show or hide the trust panel."""
        if self._narrow:
            self._panel_in_narrow = not self._panel_in_narrow
        else:
            self._settings.panel_open = not self._settings.panel_open
            self._settings.save()
        self._show_panel()
        return "break"

    def _on_resize(self, event: "tk.Event[tk.Misc]") -> None:
        """A narrow window keeps its room for the conversation; the panel comes when asked for."""
        narrow = event.width < self._ui.px(_NARROW)
        if narrow != self._narrow:
            self._narrow, self._panel_in_narrow = narrow, False
            self._show_panel()

    def _on_search(self) -> None:
        self._chat.find(self.search.get())
        self.refresh()

    def _on_search_return(self) -> None:
        rows = self._chat.people
        if rows:
            self._clear_search()
            self.select(rows[0].user_id)

    def _clear_search(self) -> None:
        self.search.delete(0, "end")
        self._on_search()

    # ------------------------------------------------------------ what is shown

    def refresh(self, more: "list[Change] | None" = None) -> None:
        """Draw what has changed since the last time."""
        changed, rows = self._chat.take_changes()
        rows = (more or []) + rows
        if Part.PEOPLE in changed:
            self.people.show(self._chat.people, self._chat.people_hint)
            self._place_hint()
        if rows:
            self.messages.show(self._chat.timeline.rows, rows)
        if Part.TITLE in changed:
            self._set_title(self._chat.title)
        if Part.HEADER in changed:
            self._show_header()
        if Part.BANNER in changed:
            self._ui.write(self._secured, self._chat.secured, font="small")
            self._fill_bar(self._banner, self._chat.banner)
        if Part.PROBLEM in changed:
            self._show_problem()
        if Part.COMPOSER in changed:
            self._show_composer()
        if Part.PANEL in changed:
            self.panel.show(self._chat.panel)

    def _place_hint(self) -> None:
        if self.search.get():
            self._search_hint.place_forget()
            return
        rtl = self._ui.words.rtl
        self._search_hint.place(
            relx=1.0 if rtl else 0.0, x=-self._ui.px(10) if rtl else self._ui.px(10),
            rely=0.5, anchor="e" if rtl else "w",
        )  # fmt: skip

    def _show_panel(self) -> None:
        ui = self._ui
        self.panel.pack_forget()
        self._middle.pack_forget()
        if self._panel_in_narrow if self._narrow else self._settings.panel_open:
            edge = (1, 0) if ui.end == "right" else (0, 1)
            self.panel.pack(side=ui.end, fill="y", padx=edge)
        self._middle.pack(side=ui.start, fill="both", expand=True)

    def _show_header(self) -> None:
        ui, header, colors = self._ui, self._chat.header, self._ui.colors
        for child in self._header.winfo_children():
            child.destroy()
        inside = ui.frame(self._header, colors.surface)
        inside.pack(fill="x", padx=ui.px(16), pady=ui.px(9))
        key = ui.button(inside, ui.words("Safety number"), self.toggle_panel, "Bar")
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

    def _fill_bar(self, bar: tk.Frame, row: BannerRow | None) -> None:
        """A bar with a text and perhaps a button, or nothing."""
        for child in bar.winfo_children():
            child.destroy()
        if row is None:
            bar.pack_forget()
            return
        ui = self._ui
        ground, ink = self._tone(row.tone)
        bar.configure(background=ground)
        if row.button and row.action is not None:
            action = row.action
            button = ui.button(bar, row.button, lambda: self._act(action))
            button.pack(side=ui.end, padx=ui.px(12), pady=ui.px(5))
        text = ui.flowing(bar, row.text, font="small", color=ink)
        text.pack(side=ui.start, fill="x", expand=True, padx=ui.px(16), pady=ui.px(7))
        bar.pack(side="top", fill="x", after=self._header)

    def _show_problem(self) -> None:
        bar, ui = self._problem, self._ui
        for child in bar.winfo_children():
            child.destroy()
        if not self._chat.problem:
            bar.pack_forget()
            return
        close = ui.button(bar, ui.words("Close"), self._dismiss)
        close.pack(side=ui.end, padx=ui.px(12), pady=ui.px(5))
        text = ui.flowing(bar, self._chat.problem, font="small", color=ui.colors.danger)
        text.pack(side=ui.start, fill="x", expand=True, padx=ui.px(16), pady=ui.px(7))
        bar.pack(side="top", fill="x", after=self._header)

    def _dismiss(self) -> None:
        self._chat.dismiss_problem()
        self.refresh()

    def _act(self, action: Action) -> None:
        self._chat.act(action)
        self.refresh()

    def _show_composer(self) -> None:
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
        self._show_warning()
        self.messages.pack(fill="both", expand=True)

    def _show_warning(self) -> None:
        """What keeps messages from going out, and what to do; the safe choice comes first."""
        for child in self._warning.winfo_children():
            child.destroy()
        warning = self._chat.warning
        if warning is None or warning.action is None:
            return
        ui, action = self._ui, warning.action
        ground, ink = self._tone(warning.tone)
        self._warning.configure(background=ground)
        ui.flowing(self._warning, warning.text, color=ink).pack(
            fill="x", padx=ui.px(16), pady=(ui.px(12), ui.px(8))
        )
        row = ui.frame(self._warning, ground)
        row.pack(fill="x", padx=ui.px(16), pady=(0, ui.px(12)))
        if action is Action.COMPARE:
            ui.button(row, warning.button, self.compare, "Accent").pack(side=ui.start)
            accept = ui.button(row, ui.words("Go on without comparing"), self._accept, "Danger")
            accept.pack(side=ui.start, padx=ui.px(10))
        else:
            ui.button(row, warning.button, lambda: self._act(action)).pack(side=ui.start)
        self._warning.pack(side="bottom", fill="x")

    def _tone(self, tone: Tone) -> tuple[str, str]:
        """Ground and ink of a bar."""
        colors = self._ui.colors
        return {
            Tone.WARNING: (colors.warning_ground, colors.warning),
            Tone.DANGER: (colors.danger_ground, colors.danger),
        }.get(tone, (colors.quiet_ground, colors.text))
