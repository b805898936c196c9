"""The window itself: one Tk root, a screen in it, and a clock that polls the presenter."""

import gc
import logging
import signal
import tkinter as tk
from collections.abc import Iterable
from dataclasses import replace
from types import TracebackType

from secure_chat.bugs import described
from secure_chat.client.api import Engine
from secure_chat.client.events import Event
from secure_chat.client.i18n import LANGUAGES, system_language
from secure_chat.client.presenter.accounts import Accounts
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.passwords import Unlocking
from secure_chat.client.presenter.settings import GEOMETRY, Options, Settings
from secure_chat.client.presenter.signin import Field, SignIn, Stage
from secure_chat.client.window.chat_view import ChatView
from secure_chat.client.window.desktop import Desktop
from secure_chat.client.window.editing import make_fields_comfortable
from secure_chat.client.window.page_host import Kind, PageHost
from secure_chat.client.window.pages.lock_page import LockView
from secure_chat.client.window.pages.page import LOCK, QUIT
from secure_chat.client.window.places import go_to, place_in
from secure_chat.client.window.popup_menu import PopupMenu
from secure_chat.client.window.sheet import Sheet
from secure_chat.client.window.signin_view import SignInView
from secure_chat.client.window.soon import Soon
from secure_chat.client.window.system import before_the_first_window, set_scaling
from secure_chat.client.window.ui import Assets, Ui
from secure_chat.client.window.watch import Watch
from secure_chat.errors import SecureChatError, SettingsUnwritable
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import is_contact_link

_log = logging.getLogger(__name__)
_POLL_MS, _POLL_SIGN_IN_MS = 40, 10  # whoever signs in waits for it
_SIZE, _SMALLEST = (1120, 720), (760, 600)


class App:
    """Everything on Tk's thread. The engine has threads of its own and is only polled here."""

    def __init__(
        self,
        options: Options,
        accounts: Accounts,
        settings: Settings,
        desktop: Desktop | None = None,
    ) -> None:
        before_the_first_window()
        self._options, self.settings = options, settings
        self._accounts = accounts
        self.root = tk.Tk(className="secure_chat")
        self.root.withdraw()
        self.root.report_callback_exception = self._on_exception
        set_scaling(self.root)
        self._soon = Soon(self.root)
        self._words = settings.words
        self._assets = Assets(self.root)
        self._ui = Ui(self._assets, settings, self._words)
        self._signin = SignIn(accounts, self._words)
        self._engine: Engine | None = None
        self.chat: Chat | None = None
        self.screen: SignInView | ChatView | LockView | None = None
        self.pages = PageHost(self)
        self.watch = Watch(self.root, settings, self._words, desktop)
        self._stopping = False
        self._clock = ""
        self._in_front = False
        self._place_before = ""  # where the keyboard was when a page covered the screen
        self._place()
        self._show()
        self.root.protocol("WM_DELETE_WINDOW", self.close)
        self.root.bind("<FocusIn>", lambda _: self.root.after_idle(self._look))
        self.root.bind("<FocusOut>", lambda _: self.root.after_idle(self._look))
        self.root.bind("<Control-q>", lambda _: self.close())
        for keys, act in (
            ("<Control-l>", self.lock),
            (LOCK, self.lock),
            (QUIT, self.close),
            ("<Control-n>", lambda: self.pages.open(Kind.ADD)),
            ("<Control-comma>", lambda: self.pages.open(Kind.SETTINGS)),
        ):
            self.root.bind(keys, lambda _, act=act: act())  # type: ignore[misc]
        self.root.deiconify()
        self._tick()

    def run(self) -> int:
        """Until the window is closed; 0."""
        stopping = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda *_: self.close()) for number in stopping}
        try:
            self.root.mainloop()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            self.stop_engine()
        return 0

    def stop_engine(self) -> None:
        """Let the engine finish what it is doing and release the profile."""
        engine = self._engine or self._signin.engine
        if engine is not None:
            engine.stop()
        self._signin.finish()

    def close(self) -> None:
        """Close the window; `run` then stops the engine, which no longer has a screen to freeze."""
        if self._stopping:
            return
        self._stopping = True
        self.watch.stop()
        self.root.after_cancel(self._clock)
        self._keep_draft()
        self.settings.geometry = self.root.geometry()
        try:
            self.settings.save()
        except SettingsUnwritable as error:
            _log.warning("%s", self._words.error(error))
        finally:
            self.root.destroy()

    def _keep_draft(self) -> None:
        """What is being written goes into the vault before the screen goes away."""
        if isinstance(self.screen, ChatView) and self.chat is not None:
            self.screen.conversation.keep_draft()
            self.chat.close()

    # ------------------------------------------------------------ screens

    def _place(self) -> None:
        ui, root = self._ui, self.root
        width = min(ui.px(_SIZE[0]), root.winfo_screenwidth() * 95 // 100)
        height = min(ui.px(_SIZE[1]), root.winfo_screenheight() * 90 // 100)
        root.geometry(f"{width}x{height}")
        if remembered := on_screen(self.settings.geometry, root):
            root.geometry(remembered)
        self._leave_room()

    def _leave_room(self) -> None:
        """The window is never too small for its letters, as far as the screen allows."""
        ui, root = self._ui, self.root
        width = min(ui.px(_SMALLEST[0]), root.winfo_screenwidth() * 95 // 100)
        height = min(ui.px(_SMALLEST[1]), root.winfo_screenheight() * 90 // 100)
        root.minsize(width, height)
        if root.winfo_ismapped() and (root.winfo_width() < width or root.winfo_height() < height):
            root.geometry(f"{max(width, root.winfo_width())}x{max(height, root.winfo_height())}")

    def _show(self) -> None:
        """The screen for where we are: signing in, or talking."""
        make_fields_comfortable(self._ui)
        self._close_cards()
        if self.screen is not None:
            self.screen.destroy()
        self.screen = None
        if self.chat is not None:
            self.screen = ChatView(
                self.root, self._ui, self.chat, self.settings, self._tools, self.verify,
                lambda link: self.pages.open(Kind.ADD, link=link),
            )  # fmt: skip
        elif self.watch.locked and self._engine is not None:
            self.root.title("secure_chat")
            self.screen = LockView(
                self.root, self._ui, Unlocking(self._engine, self._words), self._engine.user_id,
                self._unlock, self.sign_out,
            )  # fmt: skip
        else:
            self.root.title("secure_chat")
            self.screen = SignInView(self.root, self._ui, self._signin, self._options, self._corner)
        self.screen.pack(fill="both", expand=True)

    def _close_cards(self) -> None:
        """Cards and menus lie beside the screen and must not outlive it: a lock covers them all."""
        for child in self.root.winfo_children():
            if isinstance(child, Sheet | PopupMenu):
                child.close()

    def _tools(self, parent: tk.Misc) -> tk.Frame:
        """Under the people: somebody new, the settings, the lock."""
        ui = self._ui
        tools = ui.frame(parent)
        for text, act in (
            (ui.words("New…"), lambda: self.pages.open(Kind.ADD)),
            (ui.words("Settings"), lambda: self.pages.open(Kind.SETTINGS)),
            (ui.words("Lock"), self.lock),
        ):
            ui.button(tools, text, act, "Quiet").pack(side=ui.start, expand=True)
        return tools

    def _corner(self, parent: tk.Misc) -> tk.Frame:
        """The switches of the sign-in screen: language and theme."""
        ui = self._ui
        corner = ui.frame(parent)
        other = next(one for one in LANGUAGES if one != self._words.language)
        # Each language is named in itself, whatever the interface speaks.
        ui.button(corner, other.name, lambda: self.speak(other.code), "Quiet").pack(side=ui.start)
        dark = self.settings.theme == "dark"
        text = ui.words("Light") if dark else ui.words("Dark")
        ui.button(corner, text, self.switch_theme, "Quiet").pack(side=ui.end)
        return corner

    def speak(self, code: str) -> None:
        """Another language, at once."""
        self.settings.language = code
        self._words = self.settings.words
        self._signin.speak(self._words)
        self._rebuild()

    def switch_theme(self) -> None:
        """Light becomes dark, dark light."""
        self.settings.theme = "light" if self.settings.theme == "dark" else "dark"
        self._rebuild()

    def _rebuild(self) -> None:
        if isinstance(self.screen, ChatView) and self.chat is not None:
            self.chat.keep_draft(self.screen.composer.written)
        self._ui = Ui(self._assets, self.settings, self._words)
        self._leave_room()
        self.watch.speak(self._words)
        if self.chat is not None:
            self.chat.speak(self._words)
        self._show()
        self.pages.reopen()
        self.settings.save()  # last: a failure is said on what is shown then

    # ------------------------------------------------------------ for the pages

    @property
    def ui(self) -> Ui:
        """How the window looks now."""
        return self._ui

    def apply(self) -> None:
        """Changed settings come into force."""
        self._words = self.settings.words
        self._signin.speak(self._words)
        self._rebuild()

    def cover(self, *, again: bool = False) -> None:
        """A page covers the screen; ``again``: in the place of one that did."""
        self._close_cards()
        if self.screen is not None:
            if not again:
                self._place_before = place_in(self.screen)
            self.screen.pack_forget()
        self._look()

    def uncover(self, *, elsewhere: bool = False) -> None:
        """The page is closed: the keyboard goes back, or where one writes if it is elsewhere."""
        if self.screen is not None:
            self.screen.pack(fill="both", expand=True)
        if isinstance(self.screen, ChatView) and self.chat is not None:
            self.chat.poll()
            self.screen.refresh()
            if elsewhere or not go_to(self.screen, self._place_before):
                self.screen.take_keyboard()
        self._look()

    def verify(self, user_id: UserId) -> None:
        """Make sure of somebody's key."""
        self.pages.open(Kind.VERIFY, about=user_id)

    def lock(self) -> None:
        """Show nothing until the password is given; the engine goes on."""
        if self.chat is None or self._engine is None:
            return
        self._keep_draft()
        self.pages.leave()
        self.chat = None
        self.watch.lock(self._engine)
        self._show()
        self._soon(self._forget_texts)  # not while the old screen's key is still being handled

    def _forget_texts(self) -> None:
        """What was shown is not kept where the program, or the desk's next person, finds it."""
        self._signin.seen.clear()
        self._assets.forget_texts()
        self._assets.clipboard.take_back()
        gc.collect()  # screens and their callbacks refer to each other

    def _unlock(self) -> None:
        if self._engine is not None:
            self._talk(self._engine, self.watch.unlock())

    def sign_out(self, said: str = "") -> None:
        """The sign-in screen comes, and says why; the profile is closed beside the window."""
        engine = self._engine
        self._keep_draft()
        self.pages.leave()
        self.chat = self._engine = None
        self.watch.unlock()
        self._soon(self._forget_texts)
        self._signin = SignIn(self._accounts, self._words, said, leaving=engine)
        self._options = replace(self._options, link="")
        self._show()

    def remove_profile(self, engine: Engine) -> None:
        """Stop the engine and remove its profile from this device. Blocks."""
        self._accounts.remove(engine)

    # ------------------------------------------------------------ time

    def _tick(self) -> None:
        if self._stopping:
            return
        try:
            self._poll()
        finally:  # one bad event must not stop the clock
            wait = _POLL_SIGN_IN_MS if isinstance(self.screen, SignInView) else _POLL_MS
            self._clock = self.root.after(wait, self._tick)

    def _poll(self) -> None:
        if self._has_keyboard() != self._in_front:
            self._look()  # not every loss of the keyboard comes as an event
        if self.chat is not None and isinstance(self.screen, ChatView):
            self.chat.poll()
            self.screen.refresh()
            self.pages.poll()
            if self.watch.poll():
                self.lock()
        elif isinstance(self.screen, LockView):
            self.watch.poll()
            self.screen.poll()
        elif isinstance(self.screen, SignInView) and self._signin.poll():
            self.screen.refresh()
            if self._signin.stage is Stage.DONE and self._signin.engine is not None:
                self._start_chat(self._signin.engine)

    def _start_chat(self, engine: Engine) -> None:
        self._engine = engine
        self.watch.begin(engine, self._open_notice)
        self._talk(engine, self._signin.seen)
        if is_contact_link(self._options.link):
            self.pages.open(Kind.ADD, link=self._options.link)
            self._options = replace(self._options, link="")

    def _talk(self, engine: Engine, first: Iterable[Event]) -> None:
        """The conversation screen, which has seen these events."""
        self.chat = Chat(engine, self._words)
        self.chat.listeners += [self.watch.take, self.pages.take]
        self.chat.poll(first)
        self._show()
        self._look()
        if isinstance(self.screen, ChatView):
            if self.chat.resume():
                self.screen.refresh()
                self.screen.conversation.focus_composer()
            else:
                self.screen.search.focus_set()

    def _open_notice(self, user_id: UserId | None) -> None:
        """A notification was pressed."""
        self.root.deiconify()
        self.root.lift()
        self.root.focus_force()
        if user_id is not None and self.chat is not None and isinstance(self.screen, ChatView):
            self._close_cards()  # they are about the conversation that was open
            self.pages.leave()
            self.screen.select(user_id)

    def _look(self) -> None:
        """Whether any widget of ours has the keyboard: then the person looks at this window."""
        if self._stopping:
            return
        self._in_front = in_front = self._has_keyboard()
        self.watch.looking = in_front and self.chat is not None
        if self.chat is not None:
            self.chat.look(looking=in_front and self.pages.page is None)

    def _has_keyboard(self) -> bool:
        return bool(str(self.root.tk.call("focus")))

    # ------------------------------------------------------------ failures

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, _trace: TracebackType | None
    ) -> None:
        """A callback failed: say so in words; log where, but never what (it may be a message)."""
        _log.error("The window failed: %s", described(error))
        if isinstance(error, SecureChatError):
            text = self._words.error(error)
        else:
            text = self._words(
                "Something in the window went wrong ({kind}). What stands in the "
                "conversations is saved; if it happens again, restart the program.",
                kind=kind.__name__,
            )
        if self.chat is not None:
            self.chat.report(text)
        elif isinstance(self.screen, LockView):
            self.screen.say(text)
        elif isinstance(self.screen, SignInView):
            self._signin.mistakes[Field.WHOLE] = text
            self.screen.refresh()


def on_screen(geometry: str, root: tk.Tk) -> str:
    """A remembered place, moved so that it lies on this screen; nothing if it does not fit."""
    found = GEOMETRY.fullmatch(geometry)
    if found is None:
        return ""
    width, height, x, y = (int(part) for part in found.groups())
    across, down = root.winfo_screenwidth(), root.winfo_screenheight()
    if width > across or height > down:
        return ""
    return f"{width}x{height}+{max(0, min(x, across - width))}+{max(0, min(y, down - height))}"


def language_of(options: Options) -> str:
    """The language to start with where none is remembered."""
    return options.language or system_language()
