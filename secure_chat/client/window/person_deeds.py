"""What a person decides about others: the menu of the list, and the cards that ask first."""

import tkinter as tk
from collections.abc import Callable
from functools import partial

from secure_chat.client.presenter import deciding
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.deciding import ASKED_FIRST, Deed
from secure_chat.client.window import sheets
from secure_chat.client.window.popup_menu import Entry, PopupMenu
from secure_chat.client.window.shaped_entry import ShapedEntry
from secure_chat.client.window.sheet import Sheet
from secure_chat.client.window.ui import Ui
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId


class PersonDeeds:
    """``done`` draws what has changed; ``verify`` opens the page of somebody's key."""

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        chat: Chat,
        *,
        done: Callable[[], object],
        verify: Callable[[UserId], object],
    ) -> None:
        self._parent, self._ui, self._chat = parent, ui, chat
        self._done, self._verify = done, verify

    def show_menu(self, user_id: UserId, x: int, y: int) -> PopupMenu:
        """What can be decided about somebody."""
        entries = [
            Entry(one.text, partial(self.do, user_id, one.deed), one.apart, one.danger)
            for one in self._chat.choices(user_id)
        ]
        menu = PopupMenu(self._parent, self._ui, entries)
        menu.open(x, y)
        return menu

    def do(self, user_id: UserId, deed: Deed) -> None:
        """Do it, after a question where one is due."""
        if deed is Deed.VERIFY:
            self._verify(user_id)
        elif deed is Deed.RENAME:
            self._rename(user_id)
        elif deed in ASKED_FIRST:
            ask = deciding.question(
                deed, self._chat.conversation_with(user_id), user_id, self._ui.words
            )
            sheets.confirm(
                self._parent, self._ui, ask.title, ask.text, ask.button,
                partial(self._decide, user_id, deed),
            )  # fmt: skip
        else:
            self._decide(user_id, deed)

    def _decide(self, user_id: UserId, deed: Deed) -> None:
        self._chat.decide(user_id, deed)
        self._done()

    def _rename(self, user_id: UserId) -> None:
        """A card with the name that only this device knows."""
        ui, words = self._ui, self._ui.words
        sheet = Sheet(self._parent, ui, words("Your name for {name}", name=user_id))
        sheet.text(
            words("Only you see it; {name} stays visible beside it.", name=user_id),
            font="small", color=ui.colors.muted,
        )  # fmt: skip
        entry = ShapedEntry(sheet.body, ui)
        entry.put(self._chat.our_name_for(user_id))
        entry.pack(fill="x", pady=(ui.px(12), 0))
        note = ui.label(sheet.body, font="small", color=ui.colors.danger)

        def save() -> None:
            try:
                self._chat.engine.set_contact_name(user_id, entry.value)
            except SecureChatError as wrong:
                ui.write(note, words.error(wrong), font="small", wrap=sheet.wrap)
                note.pack(anchor=ui.start_anchor, pady=(ui.px(4), 0), after=entry)
                return
            sheet.close()
            self._done()

        entry.bind("<<Submit>>", lambda _: save())
        row = sheet.buttons()[-1].master
        ui.button(row, words("Save"), save, "Accent").pack(side=ui.end, padx=ui.px(8))
        sheet.open(entry)
