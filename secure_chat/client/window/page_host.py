"""Opens the pages that cover the window, one at a time, and brings the window back."""

import tkinter as tk
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

from secure_chat.client.api import Engine
from secure_chat.client.events import Event
from secure_chat.client.presenter.account import Deleting, Held
from secure_chat.client.presenter.adding import Adding
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.passwords import PasswordChange
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.verifying import Verifying
from secure_chat.client.window.desktop import can_notify
from secure_chat.client.window.pages.add_page import AddPage
from secure_chat.client.window.pages.card_page import CardPage
from secure_chat.client.window.pages.delete_page import DeletePage
from secure_chat.client.window.pages.held_page import HeldPage
from secure_chat.client.window.pages.page import Page
from secure_chat.client.window.pages.password_page import PasswordPage
from secure_chat.client.window.pages.settings_page import Doors, SettingsPage
from secure_chat.client.window.pages.verify_page import VerifyPage
from secure_chat.client.window.places import go_to, place_in
from secure_chat.client.window.ui import Ui
from secure_chat.errors import KeyUnknown
from secure_chat.protocol.addresses import UserId


class Kind(Enum):
    """Which page."""

    SETTINGS = auto()
    ADD = auto()
    CARD = auto()
    PASSWORD = auto()
    HELD = auto()
    DELETE = auto()
    VERIFY = auto()


_UNDER_SETTINGS = {Kind.CARD, Kind.PASSWORD, Kind.HELD, Kind.DELETE}


class Host(Protocol):
    """The window under the pages."""

    root: tk.Tk
    settings: Settings
    chat: Chat | None

    @property
    def ui(self) -> Ui:
        """How it looks now."""

    def cover(self, *, again: bool = False) -> None:
        """Take the screen away; a page comes, ``again`` if one was there before."""

    def uncover(self, *, elsewhere: bool = False) -> None:
        """Bring the screen back; the keyboard too unless what was open is ``elsewhere`` now."""

    def apply(self) -> None:
        """Put changed settings into force: everything is drawn anew."""

    def lock(self) -> None:
        """Ask for the password before anything is shown again."""

    def sign_out(self, said: str = "") -> None:
        """Close the profile; ``said`` stands on the sign-in screen."""

    def remove_profile(self, engine: Engine) -> None:
        """Stop the engine and remove its profile from this device."""


class PageHost:
    """Has at most one page open."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.kind: Kind | None = None
        self.page: Page | None = None
        self._about: UserId | None = None
        self._settings_place = "", 0.0  # what led from the settings to a page under them

    # ------------------------------------------------------------ opening and closing

    def open(
        self, kind: Kind, *, about: UserId | None = None, link: str = "", position: float = 0.0
    ) -> None:
        """Show a page in place of whatever is shown."""
        chat = self._host.chat
        if chat is None:
            return
        if self.page is not None and self.kind is Kind.SETTINGS:
            self._settings_place = place_in(self.page), self.page.position
        again = self.page is not None
        self._destroy()
        self._host.cover(again=again)
        self.kind, self._about = kind, about
        self.page = self._make(kind, chat, link)
        self.page.pack(fill="both", expand=True)
        if position:
            self.page.settle(position)

    def close(self) -> None:
        """Go back: to the settings from what they led to, else to the conversations."""
        kind = self.kind
        if kind not in _UNDER_SETTINGS:
            self.leave()
            return
        place, position = self._settings_place
        self.open(Kind.SETTINGS, position=position)
        if self.page is not None:
            go_to(self.page, place)

    def leave(self, *, elsewhere: bool = False) -> None:
        """Bring the conversations back; ``elsewhere``: another one than before is open."""
        self._settings_place = "", 0.0
        if self.page is not None:
            self._destroy()
            self._host.uncover(elsewhere=elsewhere)

    def reopen(self) -> None:
        """Make the page anew after a change of language, theme or size."""
        if self.kind is not None and self.page is not None:
            place = place_in(self.page)
            self.open(self.kind, about=self._about, position=self.page.position)
            go_to(self.page, place)

    def _destroy(self) -> None:
        if self.page is not None:
            self.page.destroy()
        self.page = self.kind = None

    # ------------------------------------------------------------ what goes on meanwhile

    def take(self, event: Event) -> None:
        """Something happened."""
        if self.page is not None:
            self.page.take(event)

    def poll(self) -> None:
        """Look at slow work."""
        if self.page is not None:
            self.page.poll()

    # ------------------------------------------------------------ the pages

    def _make(self, kind: Kind, chat: Chat, link: str) -> Page:
        host, engine, words = self._host, chat.engine, self._host.ui.words
        root, ui = host.root, host.ui
        makers: dict[Kind, Callable[[], Page]] = {
            Kind.SETTINGS: lambda: self._settings(engine),
            Kind.ADD: lambda: AddPage(
                root, ui, Adding(engine, words), self.close, self._found, link
            ),
            Kind.CARD: lambda: CardPage(
                root, ui, engine.user_id, _own_link(engine), engine.our_fingerprint, self.close
            ),
            Kind.PASSWORD: lambda: PasswordPage(
                root, ui, PasswordChange(engine, words), self.close
            ),
            Kind.HELD: lambda: HeldPage(root, ui, Held(engine, words), self.close),
            Kind.DELETE: lambda: self._delete(engine),
            Kind.VERIFY: lambda: VerifyPage(
                root, ui, Verifying(engine, self._who(), words, chat.times), self.close
            ),
        }
        return makers[kind]()

    def _settings(self, engine: Engine) -> Page:
        host = self._host
        doors = Doors(
            card=lambda: self.open(Kind.CARD),
            password=lambda: self.open(Kind.PASSWORD),
            held=lambda: self.open(Kind.HELD),
            delete=lambda: self.open(Kind.DELETE),
            lock=host.lock,
            sign_out=host.sign_out,
        )
        return SettingsPage(
            host.root, host.ui, engine, host.settings, doors,
            can_notify=can_notify(), on_close=self.close, on_change=host.apply,
        )  # fmt: skip

    def _delete(self, engine: Engine) -> Page:
        host = self._host
        deleting = Deleting(engine, host.ui.words, lambda: host.remove_profile(engine))
        return DeletePage(host.root, host.ui, deleting, engine.user_id, self.close, host.sign_out)

    def _who(self) -> UserId:
        assert self._about is not None, "a verification is of somebody"
        return self._about

    def _found(self, user_id: UserId) -> None:
        chat = self._host.chat
        if chat is not None:
            chat.select(user_id)
        self.leave(elsewhere=True)


def _own_link(engine: Engine) -> str:
    try:
        return str(engine.contact_link())
    except KeyUnknown:
        return ""
