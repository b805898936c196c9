#!/usr/bin/env python3
"""Pictures of every screen of the window, in English and Persian, light and dark.

Needs a screen (`xvfb-run` will do) and ImageMagick's `import`. The people and messages are made
up, through the engine that the window's tests use: no server, no keys.

    xvfb-run -s "-screen 0 1300x860x24" python3 scripts/screenshots.py --out /tmp/pictures
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import _two_windows
from secure_chat.client.events import (
    Attachment,
    ConnectionChanged,
    ConnectionState,
    FileState,
    KeyEvent,
    KeyFact,
    Means,
    MessageState,
    Quote,
    Reaction,
    ServersData,
    Trust,
)
from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.rows import BubbleRow
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.presenter.signin import Field
from secure_chat.client.window import sheets
from secure_chat.client.window.app import App
from secure_chat.client.window.chat_view import ChatView
from secure_chat.client.window.page_host import Kind
from secure_chat.client.window.popup_menu import PopupMenu
from secure_chat.client.window.sheet import Sheet
from secure_chat.client.window.signin_view import SignInView
from secure_chat.errors import ConnectFailed
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.held import HeldRow
from secure_chat.protocol.invite import ContactLink
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.window.fakes import NOW, OURS, THEIRS, FakeAccounts, FakeEngine, at
from tests.window.stage import Silent

_LINK = "securechat://chat.example.org:7443/#v=1&pin=" + "A" * 43 + "&invite=" + "A" * 22
_KEPT: list[App] = []
"""Windows are never collected: a Tcl interpreter that another thread frees ends the process."""
BOB, SARA, CAROL, DARIUSH = map(UserId, ("bob", "sara", "carol", "dariush"))


HELD_ROWS = (
    HeldRow("accounts", {"user_id": "alice", "skeleton": "a1ice",
                         "account_key": "kX3v" * 10 + "aaa", "manifest_counter": 1}),
    HeldRow("devices", {"name": "main", "acked": 184, "reserved": 186, "revoked": False}),
    *(HeldRow("one_time_keys", {"key_id": n, "key": f"{n:02}" + "Qm7c" * 10 + "Q"})
      for n in range(1, 41)),
    HeldRow("deliveries", {"seq": 185, "sender": "bob/main", "time": at(3), "size": 343}),
)  # fmt: skip


def a_contact_link() -> ContactLink:
    """Of somebody who is not known yet."""
    return ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["b"])


def engine() -> FakeEngine:
    """A few people and a conversation in two languages."""
    fake = FakeEngine()
    for name, online, trust in (
        ("bob", True, Trust.VERIFIED), ("sara", True, Trust.NEW), ("carol", False, Trust.CHANGED),
        ("dariush", False, None), ("mina.k", True, None),
    ):  # fmt: skip
        fake.meet(name, online=online, trust=trust)
    say = fake.say
    say(CAROL, "See you at the meeting.", ago=3000)
    say(CAROL, "", notice=True, problem="The key of carol is not the one known before.", ago=3)
    say(BOB, "Hi Alice! Did the new server survive the weekend?", ago=1500)
    say(BOB, "It did. Not one message lost, and I pulled the plug twice.", ours=True, ago=1497,
        state=MessageState.READ)  # fmt: skip
    say(BOB, "سلام! فارسی هم درست نشان داده می‌شود؟", ago=40)
    say(BOB, "بله، حروف به هم می‌چسبند و خط از راست شروع می‌شود، حتی با (پرانتز) و Python 3.11 "
        "در میان جمله. متن بلند هم درست شکسته می‌شود.", ours=True, ago=38,
        state=MessageState.READ)  # fmt: skip
    say(BOB, "Lovely 😀", ago=37, reactions=(Reaction(ours=True, emoji="👍"),))
    say(BOB, "Multi-line works too:\n  1. write\n  2. Shift+Enter\n  3. send", ago=36)
    say(BOB, "Have you seen https://example.org/minutes? It is page 4.", ago=9)
    say(BOB, "I'll send the minutes tonight.", ours=True, ago=5, state=MessageState.DELIVERED,
        quoted=Quote(b"q", ours=False, number=7, text="Multi-line works too:"),
        edited=at(4), reactions=(Reaction(ours=False, emoji="❤️"),))  # fmt: skip
    say(BOB, "And the photos after that.", ours=True, ago=4, state=MessageState.ACCEPTED)
    say(BOB, "One more thing…", ours=True, ago=0, state=MessageState.WAITING)
    fake.unread[BOB] = 0
    fake.histories[BOB] = [
        KeyEvent(at(3000), KeyFact.SEEN, None, THEIRS),
        KeyEvent(at(60), KeyFact.VERIFIED, Means.QR, THEIRS),
    ]
    fake.histories[SARA] = [KeyEvent(at(900), KeyFact.SEEN, None, THEIRS)]
    fake.histories[CAROL] = [
        KeyEvent(at(3000), KeyFact.SEEN, None, OURS),
        KeyEvent(at(2000), KeyFact.VERIFIED, Means.DIGITS, OURS),
        KeyEvent(at(3), KeyFact.CHANGED, None, THEIRS),
    ]
    fake.requests.add(fake.meet("p4ul"))
    say(UserId("p4ul"), "Limited offer", ago=1)
    fake.pin(SARA, pinned=True)
    fake.set_contact_name(SARA, "سارا (دانشگاه)")
    fake.mute(CAROL, None)
    _more(fake)
    say(SARA, "فردا ساعت ۱۰ جلسه داریم", ago=12)
    say(SARA, "لطفاً دیر نکن!", ago=11)
    say(SARA, "This one is held.", ours=True, ago=2, state=MessageState.HELD,
        problem="The recipient's mailbox is full.")  # fmt: skip
    return fake


def _more(fake: FakeEngine) -> None:
    """Files, timers, and what is gone."""
    fake.timers[DARIUSH] = 3600
    say, him = fake.say, DARIUSH
    say(him, "See https://example.org/برنامه before you answer.", ago=50)
    say(him, "", ago=48, deleted=True)
    say(him, "😀😀", ago=47)
    say(him, "", ago=46, file=Attachment(
        "minutes of the meeting in October 2026, second version.pdf", 2_400_000,
        "application/pdf", FileState.DOWNLOADING, done=1_000_000, total=2_400_000))  # fmt: skip
    say(him, "", ours=True, ago=45, state=MessageState.DELIVERED, file=Attachment(
        "photo.jpg", 812_000, "image/jpeg", FileState.SENT))  # fmt: skip
    say(him, "This one goes in an hour.", ours=True, ago=30, state=MessageState.READ, timer=3600,
        expires=at(-30))  # fmt: skip
    say(him, "کلید را زیر گلدان گذاشتم", ago=3, timer=3600, expires=at(-57),
        quoted=Quote(b"q", ours=True, number=1, text="This one goes in an hour."))  # fmt: skip
    say(him, "My clock is wrong.", ago=2, claimed=at(-100_000))
    say(him, "", notice=True, ago=1,
        problem="dariush set messages to disappear 1 hour after they are read.")  # fmt: skip


class Studio:
    """Shows a screen and takes its picture."""

    def __init__(self, out: Path, language: str, theme: str) -> None:
        self._out, self._language, self._theme = out, language, theme
        self._number = 0

    def app(self, accounts: FakeAccounts, options: Options | None = None) -> App:
        """A window with this studio's language and theme."""
        settings = Settings(self._language, self._theme)
        app = App(options or Options(), accounts, settings, Silent())
        _KEPT.append(app)
        return app

    def take(self, app: App, name: str, *, keep_focus: bool = False) -> None:
        """Let the window draw itself, then photograph it."""
        app.root.geometry("+0+0")
        app.root.lift()
        if not keep_focus:
            app.root.focus_force()
        for _ in range(8):
            app.root.update()
            time.sleep(0.03)
        path = self._out / f"{name}-{self._language}-{self._theme}.png"
        subprocess.run(["import", "-window", str(app.root.winfo_id()), str(path)], check=True)
        print(path)

    def signin(self) -> None:
        """The first screen: empty, with mistakes, and with a known profile."""
        app = self.app(FakeAccounts(FakeEngine()), Options(link=_LINK))
        assert isinstance(app.screen, SignInView)
        self.take(app, "signin")
        fields = app.screen.fields
        fields[Field.LINK].insert(0, "x")
        for field, text in (
            (Field.NAME, "9lives"), (Field.PASSWORD, "short"), (Field.REPEAT, "shot"),
        ):  # fmt: skip
            fields[field].insert(0, text)
        app.screen.submit()
        app.screen._fold()
        self.take(app, "signin-mistakes")
        app.close()
        profile = KnownProfile(Path("/profiles/alice"), "alice", "chat.example.org:7443")
        other = KnownProfile(Path("/profiles/alice-lab"), "alice.lab", "lab.example.org:7443")
        app = self.app(FakeAccounts(FakeEngine(), [profile, other]))
        self.take(app, "signin-known")
        app.close()

    def people(self) -> None:
        """A request, and the menu of somebody."""
        app = self._open(UserId("p4ul"), _nothing)
        self.take(app, "request")
        assert isinstance(app.screen, ChatView)
        app.screen.select(BOB)
        app.screen.deeds.show_menu(BOB, 160, 300)
        self.take(app, "person-menu", keep_focus=True)
        app.close()

    def pages(self) -> None:
        """Everything around the conversation."""
        app = self._open(SARA, _nothing)
        for kind, name in (
            (Kind.SETTINGS, "settings"), (Kind.CARD, "card"), (Kind.PASSWORD, "password"),
            (Kind.DELETE, "delete-account"), (Kind.HELD, "held"),
        ):  # fmt: skip
            app.pages.open(kind)
            if kind is Kind.HELD:
                app.pages.take(ServersData(HELD_ROWS))
            self.take(app, name)
        app.pages.open(Kind.SETTINGS, position=0.62)
        self.take(app, "settings-below")
        app.pages.open(Kind.ADD, link=str(a_contact_link()))
        self.take(app, "add")
        for person, name in ((BOB, "verify-verified"), (SARA, "verify"), (CAROL, "verify-changed")):
            app.verify(person)
            self.take(app, name)
            if person == SARA and app.pages.page is not None:
                app.pages.page.settle(1.0)
                self.take(app, "verify-below")
        app.lock()
        self.take(app, "locked")
        app.close()

    def chat(self) -> None:
        """The conversation in its states."""
        for name, person, prepare in (
            ("chat", BOB, _nothing),
            ("offline", SARA, _offline),
            ("changed", CAROL, _nothing),
        ):
            app = self._open(person, prepare)
            self.take(app, name)
            app.close()
        app = self._open(None, _nothing)
        self.take(app, "nobody")
        app.close()

    def deeds(self) -> None:
        """What one does in a conversation: menus, cards, answers, a selection, a search."""
        app = self._open(BOB, _nothing)
        assert isinstance(app.screen, ChatView)
        assert app.chat is not None
        view, deeds, talk = app.screen, app.screen.conversation.deeds, app.chat.talk
        assert talk is not None
        rows = [row for row in app.chat.timeline.rows if isinstance(row, BubbleRow)]
        ours = next(row.number for row in reversed(rows) if row.edited)
        link = next(row for row in rows if "https" in row.text)
        for name, act in (
            ("menu", lambda: deeds.show_menu(ours, 620, 130)),
            ("link", lambda: deeds.open_link("https://аррӏе.com/login?next=/account")),
            ("details", lambda: deeds.details(ours)),
            ("delete", lambda: deeds.delete({ours})),
            ("react", lambda: deeds.choose_reaction(link.number)),
            ("forward", lambda: deeds.forward({ours})),
            ("timer", deeds.choose_timer),
            ("shortcuts", lambda: sheets.shortcuts(view, view._ui)),
        ):
            act()
            self.take(app, name)
            for child in app.root.winfo_children():
                if isinstance(child, Sheet | PopupMenu):
                    child.close()
        deeds.reply(link.number)
        view.composer.put("Yes, page 4 above all")
        self.take(app, "reply")
        view.conversation.cancel()
        for row in rows[-4:-1]:
            deeds.choose(row.number)
        self.take(app, "selection")
        deeds.unchoose()
        view.search.insert("1.0", "the")
        view.side.ask("the")
        self.take(app, "search")
        app.close()
        app = self._open(DARIUSH, _nothing)
        self.take(app, "more")
        app.close()

    def _open(self, person: UserId | None, prepare: Callable[[FakeEngine], None]) -> App:
        fake = engine()
        app = self.app(FakeAccounts(fake))
        app._start_chat(fake)
        fake.start()
        app.chat = Chat(fake, app._words, clock=lambda: NOW)
        prepare(fake)
        app.chat.poll()
        app._show()
        assert isinstance(app.screen, ChatView)
        app.root.update()  # a page is as wide as the window that it covers
        if person is not None:
            app.screen.select(person)
        if person == SARA:
            app.screen.composer.put("سلام سارا، می‌آیم\nand a second line")
        return app


def _nothing(_: FakeEngine) -> None:
    """Leave all as it is."""


def _offline(fake: FakeEngine) -> None:
    problem = ConnectFailed(server="chat.example.org:7443", reason="connection refused")
    fake.tell(ConnectionChanged(ConnectionState.OFFLINE, problem, retry_in=12))


def main() -> int:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--language", choices=["en", "fa"], help="only this one")
    parser.add_argument("--theme", choices=["light", "dark"], help="only this one")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for language in [options.language] if options.language else ["en", "fa"]:
        for theme in [options.theme] if options.theme else ["light", "dark"]:
            studio = Studio(options.out, language, theme)
            studio.signin()
            studio.chat()
            studio.people()
            studio.pages()
            studio.deeds()
    if not options.language:
        print(_two_windows.take(options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
