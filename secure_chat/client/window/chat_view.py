"""The conversation screen: people at the start, the conversation, the trust panel at the end."""

import time
import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.chat import Chat, Part
from secure_chat.client.presenter.rows import ResultRow
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.timeline import Change, Reset
from secure_chat.client.window import sheets
from secure_chat.client.window.bindings import Bindings
from secure_chat.client.window.conversation_view import ConversationView
from secure_chat.client.window.panel_view import PanelView
from secure_chat.client.window.person_deeds import PersonDeeds
from secure_chat.client.window.side_view import SideView
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_SLOW_SECONDS, _REST = 0.05, 5  # drawing the people rests so many times as long as it took
_NARROW = 880  # design pixels
_NARROWEST_SIDE, _WIDEST_SIDE = 180, 460


class ChatView(tk.Frame):
    """Draws a `Chat` in three columns and passes on what is pressed."""

    def __init__(
        self,
        parent: tk.Tk,
        ui: Ui,
        chat: Chat,
        settings: Settings,
        corner: Callable[[tk.Misc], tk.Frame],
        on_verify: Callable[[UserId], object],
        on_contact: Callable[[str], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.ground)
        self._ui, self._chat, self._settings = ui, chat, settings
        self._set_title = parent.title
        self._on_verify = on_verify
        self._narrow = self._panel_in_narrow = False
        self._people_due = 0.0
        self._main = ui.frame(self, ui.colors.line)
        self._main.pack(fill="both", expand=True)
        self.deeds = PersonDeeds(self, ui, chat, done=self._decided, verify=on_verify)
        self.side = SideView(
            self._main, ui, chat, self.select, corner, self.open_at, self.deeds.show_menu
        )
        self.side.set_width(self._side_width(settings.side_width))
        self._sash = tk.Frame(
            self._main, width=ui.px(3), background=ui.colors.line, cursor="sb_h_double_arrow"
        )
        self._sash.bind("<B1-Motion>", self._on_sash)
        self._sash.bind("<ButtonRelease-1>", lambda _: settings.save())
        self.conversation = ConversationView(
            self._main, ui, chat,
            on_change=self.refresh, on_panel=self.toggle_panel, on_compare=self.compare,
            people=self.deeds, on_contact=on_contact,
        )  # fmt: skip
        self.search, self.people = self.side.search, self.side.people
        self.messages, self.composer = self.conversation.messages, self.conversation.composer
        self.panel = PanelView(self._main, ui, self.compare, self.conversation.accept)
        self._show_panel()
        self._bind_keys()
        self.bind("<Configure>", self._on_resize)
        chat.changed.update(Part)
        self.refresh([Reset()])

    def _bind_keys(self) -> None:
        conversation, inside = self.conversation, self._in_conversation
        keys: dict[str, Callable[[], object]] = {
            "<Control-k>": self.to_search,
            "<Control-f>": self.to_search,
            "<Alt-Down>": lambda: self._step(1),
            "<Alt-Up>": lambda: self._step(-1),
            "<Control-i>": self.toggle_panel,
            "<Control-t>": lambda: inside(conversation.deeds.choose_timer),
            "<Control-o>": lambda: inside(conversation.attach),
            "<Control-m>": lambda: inside(self._to_messages),
            "<F1>": lambda: sheets.shortcuts(self, self._ui),
            "<Control-slash>": lambda: sheets.shortcuts(self, self._ui),
        }
        self._bindings = Bindings(self)
        for sequence, act in keys.items():
            self._bindings.window(sequence, lambda _, act=act: self._press(act))  # type: ignore[misc]

    def _press(self, act: Callable[[], object]) -> str:
        act()
        return "break"

    def destroy(self) -> None:
        """The keys go with the screen: the locked one has none of them."""
        self._bindings.release()
        super().destroy()

    def _in_conversation(self, act: Callable[[], object]) -> None:
        if self._chat.selected is not None and self.winfo_ismapped():
            act()

    def to_search(self) -> None:
        """The keyboard goes to the search, which a panel may have taken the room of."""
        if self._panel_in_narrow:
            self.toggle_panel()
        self.search.focus_set()

    def _to_messages(self) -> None:
        self.messages.canvas.focus_set()
        self.conversation.to_end()

    # ------------------------------------------------------------ what a person does

    def select(self, user_id: UserId) -> None:
        """Open a conversation and go to its composer."""
        self.conversation.keep_draft()
        self._chat.select(user_id)
        self.refresh()
        self.conversation.focus_composer()

    def open_at(self, row: ResultRow) -> None:
        """Go to a message that was found."""
        self.conversation.keep_draft()
        if not self._chat.open_at(row.user_id, row.number):
            self._chat.report(self._ui.words("The message is not here any more."))
        self.refresh()

    def _step(self, step: int) -> str:
        self.conversation.keep_draft()
        self._chat.select_next(step)
        self.refresh()
        self.conversation.focus_composer()
        return "break"

    def _decided(self) -> None:
        """Something was decided about somebody."""
        self._chat.poll()
        self.refresh()

    def compare(self) -> None:
        """Open the page on which people make sure of a key."""
        if self._chat.selected is not None and self._chat.panel.safety_number:
            self._on_verify(self._chat.selected)

    def take_keyboard(self) -> None:
        """A page was closed: go on where one writes, or where one looks for somebody."""
        if self._chat.selected is None:
            self.to_search()
        else:
            self.conversation.focus_composer()

    def toggle_panel(self) -> str:
        """Show or hide the trust panel."""
        if self._narrow:
            self._panel_in_narrow = not self._panel_in_narrow
            if self._panel_in_narrow and str(self.focus_get()).startswith(str(self.side)):
                # What is out of sight must not be typed into.
                (self if self._chat.selected is None else self.composer.text).focus_set()
        else:
            self._settings.panel_open = not self._settings.panel_open
        self._show_panel()
        self._settings.save()
        return "break"

    def _side_width(self, wanted: int) -> int:
        """The width of the people's column in pixels, for one in design pixels."""
        return self._ui.px(max(_NARROWEST_SIDE, min(wanted, _WIDEST_SIDE)))

    def _on_sash(self, event: "tk.Event[tk.Misc]") -> None:
        """The line beside the people is pulled."""
        inside = event.x_root - self._main.winfo_rootx()
        if self._ui.words.rtl:
            inside = self._main.winfo_width() - inside
        self._settings.side_width = round(inside / self._ui.px(100) * 100)
        self.side.set_width(self._side_width(self._settings.side_width))

    def _on_resize(self, event: "tk.Event[tk.Misc]") -> None:
        """A narrow window keeps its room for the conversation; the panel comes when asked for."""
        narrow = event.width < self._ui.px(_NARROW)
        if narrow != self._narrow:
            self._narrow, self._panel_in_narrow = narrow, False
            self._show_panel()

    # ------------------------------------------------------------ what is shown

    def refresh(self, more: "list[Change] | None" = None) -> None:
        """Draw what has changed since the last time."""
        changed, rows = self._chat.take_changes()
        if Part.PEOPLE in changed and time.monotonic() < self._people_due:
            changed.discard(Part.PEOPLE)
            self._chat.changed.add(Part.PEOPLE)
        rows = (more or []) + rows
        view = self.conversation
        if rows:
            view.show_rows(rows)
        for part, show in (
            (Part.PEOPLE, self._show_people),
            (Part.TITLE, lambda: self._set_title(self._chat.title)),
            (Part.HEADER, view.show_header),
            (Part.BANNER, self.side.show_secured),
            (Part.BANNER, view.show_banner),
            (Part.PROBLEM, view.show_problem),
            (Part.COMPOSER, view.show_composer),
            (Part.PANEL, lambda: self.panel.show(self._chat.panel)),
        ):
            if part in changed:
                show()
        view.show_state()

    def _show_people(self) -> None:
        """The list; one of tens of thousands takes a part of the time and no more."""
        begun = time.monotonic()
        self.side.show_people()
        ended = time.monotonic()
        if ended - begun > _SLOW_SECONDS:
            self._people_due = ended + _REST * (ended - begun)

    def _show_panel(self) -> None:
        """The columns that there is room for: in a narrow window the panel takes the people's."""
        ui, shown = self._ui, self._settings.panel_open
        if self._narrow:
            shown = self._panel_in_narrow
        for column in (self.side, self._sash, self.panel, self.conversation):
            column.pack_forget()
        if not (self._narrow and shown):
            self.side.pack(side=ui.start, fill="y")
            self._sash.pack(side=ui.start, fill="y")
        if shown:
            edge = (1, 0) if ui.end == "right" else (0, 1)
            self.panel.pack(side=ui.end, fill="y", padx=edge)
        self.conversation.pack(side=ui.start, fill="both", expand=True)
