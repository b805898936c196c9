"""The middle of the conversation screen: header, bars, messages and the composer."""

import tkinter as tk
from collections.abc import Callable

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.deciding import Deed
from secure_chat.client.presenter.rows import Action, BannerRow, Tone
from secure_chat.client.presenter.timeline import Change
from secure_chat.client.window.bars import Bar, WarningBar
from secure_chat.client.window.composer_area import ComposerArea
from secure_chat.client.window.deeds import Deeds
from secure_chat.client.window.drawn import Hit
from secure_chat.client.window.header_view import HeaderView
from secure_chat.client.window.message_list import MessageList
from secure_chat.client.window.person_deeds import PersonDeeds
from secure_chat.client.window.request_view import RequestView
from secure_chat.client.window.ui import Ui


class ConversationView(tk.Frame):
    """Draws the selected conversation of a `Chat` and passes on what is pressed.

    ``on_change`` draws whatever an action has changed, anywhere on the screen. It is the
    `message_list.Reader` and the `composer_area.Writer` of its parts.
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
        people: PersonDeeds,
        on_contact: Callable[[str], object],
    ) -> None:
        super().__init__(parent, background=ui.colors.chat, borderwidth=0)
        self._ui, self._chat = ui, chat
        self._on_change, self._on_compare = on_change, on_compare
        self._drafted: object = None
        self._chosen = 0
        self._arrangement: tuple[object, ...] | None = None
        self.deeds = Deeds(
            self, ui, chat, done=on_change, rewrite=self.rewrite,
            open_person=self.focus_composer, on_contact=on_contact,
        )  # fmt: skip
        self._header = HeaderView(self, ui, on_panel=on_panel, on_timer=self.deeds.choose_timer)
        self._banner = Bar(self, ui, self._header)
        self._problem = Bar(self, ui, self._header)
        self._warning = WarningBar(self, ui, self._act, self.accept)
        self.messages = MessageList(self, ui, self)
        self._empty = ui.label(
            self, ui.words("Choose somebody to write to."), color=ui.colors.muted,
            ground=ui.colors.chat,
        )  # fmt: skip
        self._people = people
        self.request = RequestView(
            self, ui,
            on_accept=lambda: self._decide(Deed.ACCEPT),
            on_delete=lambda: self._decide(Deed.DELETE),
            on_block=lambda: self._decide(Deed.BLOCK),
        )  # fmt: skip
        self.area = ComposerArea(self, ui, self)
        self.composer = self.area.composer
        self._header.pack(side="top", fill="x", pady=(0, 1))

    # ------------------------------------------------------------ writing

    def send_text(self, text: str) -> None:
        """Send it, or leave it where it is and say why."""
        if self._chat.send(text):
            self.composer.put(self._chat.draft)
        self._chat.poll()
        self._on_change()

    def written(self, text: str) -> None:
        """The field holds another text."""
        self._chat.written(text)
        self._on_change()

    def keep_draft(self) -> None:
        """Remember what is written before another conversation, or another screen, is shown."""
        if self._chat.selected is not None:
            self._chat.keep_draft(self.composer.written)

    def rewrite(self) -> None:
        """An answer or an edit begins or ends: other words in the field, and the keyboard there."""
        self.composer.put(self._chat.draft)
        self._chat.need_composer()
        self._on_change()
        self.focus_composer()

    def focus_composer(self) -> None:
        """The keyboard goes to where one writes; where a key has changed, to the safe choice."""
        if self._chat.composer.enabled or not self._warning.take_keyboard():
            self.composer.text.focus_set()

    def cancel(self) -> None:
        """Escape in the field: no answer, no edit, no selection."""
        talk = self._chat.talk
        if talk is not None and talk.composing.cancel():
            self.rewrite()
        else:
            self.deeds.unchoose()

    def edit_last(self) -> bool:
        """The up arrow in an empty field."""
        return self.deeds.edit()

    def attach(self) -> None:
        """Send a file."""
        self.keep_draft()
        self.deeds.attach()

    def accept(self) -> None:
        """Go on with a changed key that nobody compared."""
        self._chat.accept_changed_key()
        self._chat.poll()
        self._on_change()
        self.focus_composer()

    # ------------------------------------------------------------ reading

    def load_earlier(self) -> None:
        """The beginning of what is loaded comes into view."""
        if self._chat.load_earlier():
            self._on_change()

    def load_later(self) -> None:
        """The end of what is loaded comes into view."""
        if self._chat.talk is not None and self._chat.talk.load_later():
            self._on_change()

    def to_end(self) -> None:
        """Go to the newest message."""
        talk = self._chat.talk
        if talk is not None and not talk.timeline.at_end:
            talk.to_end()
            self._on_change()
        self.messages.to_end()

    def viewed(self, index: int) -> None:
        """The person sees the rows up to this one."""
        self._chat.viewed(index)

    def press(self, number: int, hit: Hit) -> None:
        """A part of a message is pressed."""
        self.deeds.press(number, hit)

    def menu(self, number: int, x: int, y: int) -> None:
        """What can be done with a message."""
        self.deeds.show_menu(number, x, y)

    def choose(self, number: int) -> None:
        """Select a message, or no longer."""
        self.deeds.choose(number)

    def copy(self, number: int) -> None:
        """Copy what is selected, or else this message."""
        self.deeds.copy(self._of_choice(number))

    def reply(self, number: int) -> None:
        """Answer a message."""
        self.deeds.reply(number)

    def remove(self, number: int) -> None:
        """Remove what is selected, or else this message."""
        self.deeds.remove(self._of_choice(number))

    def copy_chosen(self) -> None:
        """Copy what is selected."""
        self.deeds.copy(self._of_choice())

    def forward_chosen(self) -> None:
        """Send what is selected to somebody."""
        self.deeds.forward(self._of_choice())

    def remove_chosen(self) -> None:
        """Remove what is selected."""
        self.deeds.remove(self._of_choice())

    def leave(self) -> None:
        """Escape among the messages: no selection, or else back to the field."""
        if not self.deeds.unchoose():
            self.focus_composer()

    def typed(self, text: str) -> None:
        """A letter typed among the messages belongs into the field."""
        self.focus_composer()
        self.composer.text.insert("insert", text)

    def _of_choice(self, number: int | None = None) -> set[int]:
        talk = self._chat.talk
        chosen = set(talk.chosen) if talk is not None else set()
        return chosen or ({number} if number is not None else set())

    # ------------------------------------------------------------ bars

    def _act(self, action: Action) -> None:
        if action is Action.COMPARE:
            self._on_compare()
            return
        self._chat.act(action)
        self._on_change()

    def _decide(self, deed: Deed) -> None:
        """An answer to the request that is shown."""
        name = self._chat.request
        if name is not None:
            self._people.do(name, deed)
            if deed is Deed.ACCEPT:
                self._chat.poll()
                self._on_change()
                self.focus_composer()

    def _dismiss(self) -> None:
        self._chat.dismiss_problem()
        self._on_change()

    # ------------------------------------------------------------ what is shown

    def show_rows(self, changes: list[Change]) -> None:
        """The messages, after these changes."""
        self.messages.show(self._chat.timeline.rows, changes)

    def show_state(self) -> None:
        """What follows from the conversation as a whole: the selection, and what lies below."""
        talk, conversation = self._chat.talk, self._chat.conversation
        if talk is None:
            return
        self.messages.choose(talk.chosen)
        if len(talk.chosen) != self._chosen:
            self._chosen = len(talk.chosen)
            self.area.show_chosen(self._chosen)
        self.messages.jump_button.show(
            elsewhere=not talk.timeline.at_end,
            unread=conversation.unread if conversation is not None else 0,
        )

    def show_header(self) -> None:
        """Who we talk to."""
        self._header.show(self._chat.header)

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
        arrangement = self._chat.selected is None, self._chat.request, self._chat.warning
        if arrangement != self._arrangement:
            self._arrangement = arrangement
            self._arrange()
        self.area.show(self._chat.composer)
        if self._drafted is not self._chat.talk:
            self._drafted = self._chat.talk
            self.composer.put(self._chat.draft)
        elif self._chat.draft not in (self.composer.written, self.composer.reported):
            self.composer.put(self._chat.draft)  # what was being edited is gone

    def _arrange(self) -> None:
        """Put list, warning and composer in their places, or the hint that nobody is chosen."""
        for part in (self._empty, self.messages, self.area, self._warning, self.request):
            part.pack_forget()
        if self._chat.selected is None:
            self._empty.pack(expand=True)
            return
        if self._chat.request is not None:
            asking = self._chat.request
            self.request.show(asking, self._chat.look_alike_words(asking))
            self.request.pack(fill="both", expand=True)
            return
        self.area.pack(side="bottom", fill="x", pady=(1, 0))
        self._warning.show(self._chat.warning)
        if self.focus_get() is self.composer.text:
            self.focus_composer()
        self.messages.pack(fill="both", expand=True)
