"""What a person does with messages: menus, cards, and the calls of the presenter behind them."""

import tkinter as tk
import webbrowser
from collections.abc import Callable, Iterable
from functools import partial

from secure_chat.client.presenter import links
from secure_chat.client.presenter.actions import DANGEROUS, Do
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.emoji import QUICK
from secure_chat.client.presenter.rows import FileAction
from secure_chat.client.window import sheets
from secure_chat.client.window.drawn import Hit, Target
from secure_chat.client.window.emoji_grid import drawable
from secure_chat.client.window.file_dialogs import FileDialogs
from secure_chat.client.window.popup_menu import Entry, PopupMenu
from secure_chat.client.window.ui import Ui
from secure_chat.protocol.addresses import UserId

_MOST_LINKS = 4  # of one message in its menu
_SHOWN_LINK = 42  # characters


class Deeds:
    """Acts on the messages of the selected conversation.

    ``done`` draws what has changed; ``rewrite`` also puts the draft into the composer and gives it
    the keyboard.
    """

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        chat: Chat,
        *,
        done: Callable[[], object],
        rewrite: Callable[[], object],
        open_person: Callable[[], object],
        on_contact: Callable[[str], object],
    ) -> None:
        self._parent, self._ui, self._chat = parent, ui, chat
        self._done, self._rewrite, self._open_person = done, rewrite, open_person
        self._on_contact = on_contact
        self._files = FileDialogs(parent, ui, chat, done)
        self.menu: PopupMenu | None = None

    # ------------------------------------------------------------ the menu

    def show_menu(self, number: int, x: int, y: int) -> None:
        """What can be done with a message, at a point of the screen."""
        talk = self._chat.talk
        if talk is None:
            return
        items = talk.menu(number, may_write=self._chat.composer.enabled)
        special = self._special_entries(number)
        entries = [
            Entry(item.label, partial(self.act, item.do, number),
                  apart=item.apart or (bool(special) and place == 0),
                  danger=item.do in DANGEROUS)
            for place, item in enumerate(items)
        ]  # fmt: skip
        quick = []
        if any(item.do is Do.REACT for item in items):
            quick = [(one, partial(self.react, number, one)) for one in drawable(self._ui, QUICK)]
        if self.menu is not None:
            self.menu.close()
        self.menu = PopupMenu(self._parent, self._ui, [*special, *entries], quick)
        self.menu.open(x, y)

    def _special_entries(self, number: int) -> list[Entry]:
        """What a mouse presses on the message itself: file, quote and links."""
        ui, talk = self._ui, self._chat.talk
        message = talk.timeline.message(number) if talk is not None else None
        if message is None or message.is_notice or message.deleted:
            return []
        entries = []
        row = self._chat.timeline.row(number)
        if row is not None and row.file is not None and row.file.action is not FileAction.NONE:
            act = partial(self._files.act, number, row.file)
            entries.append(Entry(row.file.label, act))
        if message.quoted is not None and message.quoted.number:
            text = ui.words("Go to the quoted message")
            entries.append(Entry(text, partial(self.jump, message.quoted.number)))
        for span in links.find(ui.drawable(message.text))[:_MOST_LINKS]:
            shown = span.address
            if len(shown) > _SHOWN_LINK:
                shown = shown[: _SHOWN_LINK - 1] + "…"
            entries.append(Entry(shown, partial(self.open_link, span.address)))
        return entries

    def act(self, do: Do, number: int) -> None:
        """An entry of the menu."""
        deeds: dict[Do, Callable[[int], object]] = {
            Do.REPLY: self.reply,
            Do.EDIT: self.edit,
            Do.REACT: self.choose_reaction,
            Do.COPY: lambda n: self.copy({n}),
            Do.FORWARD: lambda n: self.forward({n}),
            Do.SELECT: self.choose,
            Do.INFO: self.details,
            Do.VERSIONS: self.versions,
            Do.RETRY: self._retry,
            Do.REMOVE: lambda n: self.remove({n}),
            Do.DELETE: lambda n: self.delete({n}),
        }
        deeds[do](number)

    def press(self, number: int, hit: Hit) -> None:
        """A part of a message was pressed."""
        if hit.target is Target.LINK:
            self.open_link(hit.value)
        elif hit.target is Target.QUOTE:
            self.jump(int(hit.value))
        elif hit.target is Target.REACTION:
            self.react(number, hit.value)
        elif hit.target is Target.FILE:
            row = self._chat.timeline.row(number)
            if row is not None and row.file is not None:
                self._files.act(number, row.file)

    # ------------------------------------------------------------ one message

    def reply(self, number: int) -> None:
        """Begin an answer."""
        talk = self._chat.talk
        if talk is not None and self._chat.composer.enabled and talk.reply(number):
            self._rewrite()

    def edit(self, number: int | None = None) -> bool:
        """Begin to edit a message of ours, the last one unless told which."""
        talk = self._chat.talk
        if talk is None or not self._chat.composer.enabled or not talk.edit(number):
            return False
        self._rewrite()
        return True

    def react(self, number: int, emoji: str) -> None:
        """React, or take the same reaction back."""
        if self._chat.talk is not None:
            self._chat.talk.react(number, emoji)
            self._after()

    def choose_reaction(self, number: int) -> None:
        """React with any emoji."""
        sheets.emoji(self._parent, self._ui, partial(self.react, number))

    def jump(self, number: int) -> None:
        """Go to a message, however far away."""
        talk = self._chat.talk
        if talk is not None and not talk.jump(number):
            self._chat.report(self._ui.words("The message is not here any more."))
        self._done()

    def details(self, number: int) -> None:
        """Times, and how far it has come."""
        if self._chat.talk is not None:
            rows = self._chat.talk.details(number)
            sheets.facts(self._parent, self._ui, self._ui.words("Details of the message"), rows)

    def versions(self, number: int) -> None:
        """The texts that it has had."""
        if self._chat.talk is not None:
            rows = self._chat.talk.versions(number)
            sheets.facts(self._parent, self._ui, self._ui.words("Versions, the newest first"), rows)

    def open_link(self, address: str) -> None:
        """Show the real address and ask; only then the browser, or adding a contact, opens it."""
        ask = links.ask(address, self._ui.words)
        opener = self._on_contact if ask.contact else self._browse
        sheets.link(self._parent, self._ui, ask, opener)

    def _browse(self, target: str) -> None:
        try:
            opened = webbrowser.open(target, new=2)
        except webbrowser.Error:
            opened = False
        if not opened:
            self._chat.report(self._ui.words("No browser could be started."))
            self._done()

    def _retry(self, _number: int) -> None:
        if self._chat.talk is not None:
            self._chat.talk.retry()
            self._after()

    # ------------------------------------------------------------ several

    def choose(self, number: int) -> None:
        """Select a message, or no longer."""
        if self._chat.talk is not None:
            self._chat.talk.choose(number)
            self._done()

    def unchoose(self) -> bool:
        """Nothing is selected any more; whether something was."""
        talk = self._chat.talk
        if talk is None or not talk.chosen:
            return False
        talk.chosen.clear()
        self._done()
        return True

    def copy(self, numbers: Iterable[int]) -> None:
        """The texts as they were written, in logical order, to the clipboard."""
        if self._chat.talk is not None:
            self._ui.clipboard.put(self._chat.talk.copied(numbers))
            self.unchoose()

    def forward(self, numbers: Iterable[int]) -> None:
        """Choose somebody, and send it there."""
        chosen = set(numbers)

        def send(user_id: UserId) -> None:
            if self._chat.forward(chosen, user_id):
                self._open_person()
            self._after()

        sheets.people(self._parent, self._ui, self._chat, self._ui.words("Forward to"), send)

    def remove(self, numbers: Iterable[int]) -> None:
        """Ask, and remove from this device."""
        chosen, words = set(numbers), self._ui.words
        sheets.confirm(
            self._parent, self._ui,
            words.plural("Remove {number} message?", "Remove {number} messages?", len(chosen)),
            words("It goes from this device alone; the other side keeps it."),
            words("Remove"), lambda: self._gone(chosen, for_both=False),
        )  # fmt: skip

    def delete(self, numbers: Iterable[int]) -> None:
        """Ask, and take back on both sides."""
        chosen, words = set(numbers), self._ui.words
        sheets.confirm(
            self._parent, self._ui, words("Delete this message for both?"),
            words("The other side's program removes it too. Whoever has copied it still has it."),
            words("Delete for both"), lambda: self._gone(chosen, for_both=True),
        )  # fmt: skip

    def _gone(self, numbers: set[int], *, for_both: bool) -> None:
        talk = self._chat.talk
        if talk is not None:
            if for_both:
                talk.delete(numbers)
            else:
                talk.remove(numbers)
            self._after()

    # ------------------------------------------------------------ the conversation

    def attach(self) -> None:
        """Choose a file and send it, with what is written as its caption."""
        if self._chat.composer.enabled and self._files.attach():
            self._rewrite()

    def choose_timer(self) -> None:
        """After how long new messages disappear."""
        conversation = self._chat.conversation
        now = conversation.timer if conversation is not None else 0
        if self._chat.talk is not None:
            sheets.timer(self._parent, self._ui, self._chat.talk, now, self._set_timer)

    def _set_timer(self, seconds: int) -> None:
        if self._chat.talk is not None:
            self._chat.talk.set_timer(seconds)
            self._after()

    def _after(self) -> None:
        """Show at once what the engine answers."""
        self._chat.poll()
        self._done()
