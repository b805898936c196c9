"""The column at the start of the conversation screen: who we are, the search, the people."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.rows import ResultRow
from secure_chat.client.window.people_list import Menu, PeopleList
from secure_chat.client.window.results_list import ResultsList
from secure_chat.client.window.shaped_entry import ShapedEntry
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_PEOPLE_BESIDE_RESULTS = 4


class SideView(tk.Frame):
    """Draws the people of a `Chat`; ``on_choose`` opens a conversation."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        chat: Chat,
        on_choose: Callable[[UserId], object],
        corner: Callable[[tk.Misc], tk.Frame],
        on_result: Callable[[ResultRow], object],
        on_menu: Menu,
    ) -> None:
        super().__init__(parent, background=ui.colors.ground, borderwidth=0)
        self._ui, self._chat, self._on_choose = ui, chat, on_choose
        ui.label(self, chat.our_name, font="title").pack(
            anchor=ui.start_anchor,
            padx=ui.px(16),
            pady=(ui.px(14), 0),
        )
        self._secured = ui.label(self, font="small", color=ui.colors.good)
        self._secured.pack(anchor=ui.start_anchor, padx=ui.px(16))
        self.search = ShapedEntry(self, ui, hint=ui.words("Search people and messages"))
        self.search.pack(fill="x", padx=ui.px(12), pady=(ui.px(10), ui.px(6)))
        # Tab goes in the order in which they are made: from the search to what it narrows.
        self.people = PeopleList(self, ui, on_choose, on_menu)
        self.results = ResultsList(self, ui, on_result)
        corner(self).pack(side="bottom", fill="x", padx=ui.px(8), pady=ui.px(6))
        self._foot = ui.frame(self)
        self._foot.pack(side="bottom", fill="x")
        self.archive = ui.button(self._foot, "", self._toggle_archive, "Quiet")
        self.people.pack(fill="both", expand=True)
        self._on_result = on_result
        self._arranged_for = -1
        self.search.on_change = self._on_search
        self.search.bind("<<Submit>>", lambda _: self._on_search_return())
        self.search.bind("<Escape>", lambda _: self._clear_search())
        self.search.bind("<Down>", lambda _: self.people.canvas.focus_set())

    # ------------------------------------------------------------ searching

    def ask(self, text: str) -> None:
        """Look for people of this name and messages with these words."""
        self._chat.find(text)
        self.show_people()

    def _on_search(self) -> None:
        self.ask(self.search.value)

    def _on_search_return(self) -> None:
        rows, found = self._chat.people, self._chat.found
        if rows:
            self._clear_search()
            self._on_choose(rows[0].user_id)
        elif found:
            self._on_result(found[0])

    def _clear_search(self) -> None:
        self.search.put("")
        self._on_search()

    # ------------------------------------------------------------ what is shown

    def show_people(self) -> None:
        """The list, as the presenter has it now, and the way to the archive and back."""
        self._show_archive()
        rows, found = self._chat.people, self._chat.found
        self.people.show(rows, self._chat.people_hint)
        self.results.show(found)
        self._arrange(len(rows) if found else -1)

    def set_width(self, pixels: int) -> None:
        """How wide the column is."""
        self.people.canvas.configure(width=pixels)
        self.results.canvas.configure(width=pixels)

    def _arrange(self, people: int) -> None:
        """Beside messages that were found the people take no more room than they need."""
        if people == self._arranged_for:
            return
        self._arranged_for = people
        self.people.pack_forget()
        self.results.pack_forget()
        if people < 0:
            self.people.pack(fill="both", expand=True)
            return
        if people:
            shown = min(people, _PEOPLE_BESIDE_RESULTS)
            self.people.canvas.configure(height=shown * self._ui.px(58))
            self.people.pack(fill="x")
        self.results.pack(fill="both", expand=True)

    def _toggle_archive(self) -> None:
        self._chat.show_archive(shown=not self._chat.shows_archive)
        self.show_people()

    def _show_archive(self) -> None:
        chat, words = self._chat, self._ui.words
        if not chat.archived and chat.shows_archive:
            chat.show_archive(shown=False)
        text = words("Archived ({number})", number=words.digits(chat.archived))
        if chat.shows_archive:
            text = words("Back to all conversations")
        self.archive.configure(text=self._ui.say(text))
        if chat.archived:
            self.archive.pack(fill="x", padx=self._ui.px(12))
        else:
            self.archive.pack_forget()
            self._foot.configure(height=1)

    def show_secured(self) -> None:
        """How the connection is protected."""
        self._ui.write(self._secured, self._chat.secured, font="small")
