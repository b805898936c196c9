"""Settings: everything that a person can choose, at once in force."""

import tkinter as tk
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from secure_chat.client.api import Engine
from secure_chat.client.events import Audience, Strangers
from secure_chat.client.i18n import AUTO, LANGUAGES
from secure_chat.client.presenter import notices
from secure_chat.client.presenter.settings import IDLE_MINUTES, TEXT_SIZES, Settings
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.ui import Ui
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId


@dataclass(frozen=True)
class Doors:
    """Where the settings lead to."""

    card: Callable[[], object]
    password: Callable[[], object]
    held: Callable[[], object]
    delete: Callable[[], object]
    lock: Callable[[], object]
    sign_out: Callable[[], object]


class SettingsPage(Page):
    """Draws `Settings` and what the engine keeps; ``on_change`` puts them into force.

    ``can_notify``: what shows notifications is installed.
    """

    def __init__(
        self,
        parent: tk.Misc,
        ui: Ui,
        engine: Engine,
        settings: Settings,
        doors: Doors,
        *,
        can_notify: bool,
        on_close: Callable[[], object],
        on_change: Callable[[], object],
    ) -> None:
        super().__init__(parent, ui, ui.words("Settings"), on_close)
        self._engine, self._settings, self._doors = engine, settings, doors
        self._can_notify, self._on_change = can_notify, on_change
        self._account()
        self._appearance()
        self._writing()
        self._notifications()
        self._privacy()
        self._locking()
        self._blocked()
        self._end()
        self.settle()
        self.back.focus_set()

    # ------------------------------------------------------------ the cards

    def _account(self) -> None:
        ui, engine = self.ui, self._engine
        card = self.card(ui.words("You: {name}", name=engine.user_id))
        self.name = self.shaped_field(
            card, ui.words("How you like to be called (your contacts see it; empty: your name)"),
            engine.display_name(),
        )  # fmt: skip
        self.name.entry.bind("<<Submit>>", lambda _: self._rename())
        self.buttons(
            card,
            (ui.words("Save"), self._rename, ""),
            (ui.words("Your contact link and QR code"), self._doors.card, ""),
            above=8,
        )

    def _appearance(self) -> None:
        words = self.ui.words
        card = self.card(words("Appearance"))
        languages = [(one.code, one.name) for one in LANGUAGES]  # each named in itself
        self._choice(card, words("Language"), "language", languages)
        self._choice(
            card, words("Theme"), "theme", [("light", words("Light")), ("dark", words("Dark"))]
        )
        percent = "٪" if words.rtl else "%"
        sizes = [(size, f"{words.digits(size)}{percent}") for size in TEXT_SIZES]
        self._choice(card, words("Text size"), "text_size", sizes)
        self._choice(
            card, words("Digits"), "digits",
            [(AUTO, words("As the language")), ("latin", "123"), ("persian", "۱۲۳")],
        )  # fmt: skip
        self._choice(
            card, words("Calendar"), "calendar",
            [
                (AUTO, words("As the language")),
                ("gregorian", words("Gregorian")),
                ("jalali", words("Jalali")),
            ],
        )  # fmt: skip

    def _writing(self) -> None:
        words = self.ui.words
        card = self.card(words("Writing"))
        self._choice(
            card, words("The Enter key"), "enter_sends",
            [
                (True, words("sends; Shift+Enter: new line")),
                (False, words("new line; Ctrl+Enter: sends")),
            ],
        )  # fmt: skip

    def _notifications(self) -> None:
        words = self.ui.words
        card = self.card(words("Notifications"))
        self._choice(
            card, words("While the window is not in front"), "notify",
            [
                (notices.NAME, words("who wrote")),
                (notices.COUNT, words("only that something came")),
                (notices.TEXT, words("who wrote, and the text")),
                (notices.OFF, words("nothing")),
            ],
        )  # fmt: skip
        if self._settings.notify == notices.TEXT:
            self.small(
                card,
                words(
                    "The system shows and may keep these texts, on a locked screen too; that is "
                    "outside of what this program protects."
                ),
            )
        if not self._can_notify:
            self.small(
                card,
                words(
                    "Notifications need the extra parts of this program: "
                    "pip install 'secure-chat[notify]'."
                ),
            )

    def _privacy(self) -> None:
        words, engine = self.ui.words, self._engine
        card = self.card(words("Privacy"))
        privacy = engine.privacy()
        audiences = [
            (Audience.VERIFIED, words("verified contacts")),
            (Audience.CONTACTS, words("all contacts")),
            (Audience.NOBODY, words("nobody")),
        ]
        self.choice(
            card, words("Who learns that you have read a message"), audiences,
            privacy.read_receipts,
            lambda one: self._set_privacy(read_receipts=one),
        )  # fmt: skip
        self.choice(
            card, words("Who sees that you are writing"), audiences, privacy.typing,
            lambda one: self._set_privacy(typing=one),
        )  # fmt: skip
        self.choice(
            card, words("Strangers who write to you"),
            [
                (Strangers.ASK, words("wait until you accept them")),
                (Strangers.ADMIT, words("are shown at once")),
            ],
            privacy.strangers,
            lambda one: self._set_privacy(strangers=one),
        )  # fmt: skip

    def _locking(self) -> None:
        ui, words = self.ui, self.ui.words
        card = self.card(words("Lock"))
        self._choice(
            card, words("Lock the window when nobody uses it"), "idle_minutes",
            [
                (minutes, words.plural("{number} minute", "{number} minutes", minutes) if minutes
                 else words("never"))
                for minutes in IDLE_MINUTES
            ],
        )  # fmt: skip
        self.small(
            card,
            words(
                "A locked window shows nothing and asks for the password, but the program goes on "
                "receiving with your keys in its memory: it keeps people at your desk out, not "
                "programs that can read that memory. What was copied out of conversations leaves "
                "the clipboard. Signing out closes the keys' vault as well."
            ),
        )
        self.buttons(
            card,
            (words("Lock now"), self._doors.lock, ""),
            (words("Sign out"), self._doors.sign_out, ""),
            (ui.words("Change the password…"), self._doors.password, ""),
        )

    def _blocked(self) -> None:
        ui, words = self.ui, self.ui.words
        blocked = [one.user_id for one in self._engine.conversations() if one.blocked]
        if not blocked:
            return
        card = self.card(words("Blocked"))
        for user_id in blocked:
            line = ui.frame(card, ui.colors.surface)
            line.pack(fill="x", pady=(ui.px(6), 0))
            ui.label(line, user_id).pack(side=ui.start)
            ui.button(
                line, words("Unblock"), lambda user_id=user_id: self._unblock(user_id)  # type: ignore[misc]
            ).pack(side=ui.end)  # fmt: skip

    def _end(self) -> None:
        words = self.ui.words
        card = self.card(words("Your account at the server"))
        self.buttons(
            card,
            (words("What the server holds about you"), self._doors.held, ""),
            (words("Delete the account…"), self._doors.delete, "Danger"),
            above=8,
        )

    # ------------------------------------------------------------ what a person does

    def _choice(
        self, card: tk.Frame, label: str, name: str, options: Sequence[tuple[object, str]]
    ) -> None:
        def choose(value: object) -> None:
            if getattr(self._settings, name) != value:
                setattr(self._settings, name, value)
                self._on_change()

        self.choice(card, label, options, getattr(self._settings, name), choose)

    def _set_privacy(self, **changed: Audience | Strangers) -> None:
        privacy = msgspec.structs.replace(self._engine.privacy(), **changed)
        self._engine.set_privacy(privacy)
        self._on_change()

    def _rename(self) -> str:
        words = self.ui.words
        try:
            self._engine.set_profile(self.name.value)
        except SecureChatError as wrong:
            self.name.say(words.error(wrong))
        else:
            self.name.say(words("✓ Saved"), self.ui.colors.good)
        return "break"

    def _unblock(self, user_id: UserId) -> None:
        self._engine.unblock(user_id)
        self._on_change()
