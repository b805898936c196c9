"""Real windows and real keys around the conversation: people, pages, lock, settings."""

import re
import threading
import time
import tkinter as tk
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tkinter import ttk

import pytest
from msgspec.structs import replace

from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    PeopleChanged,
    Problem,
    ServersData,
    Trust,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import notices
from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.rows import Action, Tone
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.window.app import App
from secure_chat.client.window.page_host import Kind
from secure_chat.client.window.pages.add_page import AddPage
from secure_chat.client.window.pages.held_page import HeldPage
from secure_chat.client.window.pages.lock_page import LockView
from secure_chat.client.window.pages.settings_page import SettingsPage
from secure_chat.client.window.popup_menu import PopupMenu
from secure_chat.client.window.signin_view import SignInView
from secure_chat.errors import Code, Refused
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.held import HeldRow
from secure_chat.protocol.invite import ContactLink
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.window.fakes import NOW, NUMBER, FakeAccounts, FakeEngine
from tests.window.stage import Silent, Stage, all_texts, chat_view, item_option, items
from tests.window.test_two_people import chat, find, texts

pytestmark = [pytest.mark.window, pytest.mark.timeout(240)]
ALICE, BOB, SARA = UserId("alice"), UserId("bob"), UserId("sara")


def signed_in(stage: Stage, engine: FakeEngine, options: Options | None = None) -> App:
    """A window whose person has just signed in."""
    accounts = FakeAccounts(engine, [KnownProfile(Path("/p/alice"), "alice", "")])
    app = stage.open(accounts, options)
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "signed in")
    return app


def page(app: App, kind: type) -> object:
    assert isinstance(app.pages.page, kind), app.pages.page
    return app.pages.page


def shown(app: App) -> str:
    """All words in the window, on one line."""
    return " ".join(all_texts(app.root)).replace("\n", " ")


# ---------------------------------------------------------------- the lock


def test_a_locked_window_holds_no_text_and_goes_on_receiving(stage: Stage) -> None:
    """No widget has a word of any conversation, no shortcut works; what came meanwhile is there
    after the password."""
    fake = FakeEngine()
    fake.say(BOB, "a private word")
    app = signed_in(stage, fake)
    chat_view(app).select(BOB)
    stage.write(app, "half a dra")
    stage.press(app, "ctrl+l")
    stage.until(lambda: isinstance(app.screen, LockView), "locked")
    assert app.chat is None
    fake.say(BOB, "came meanwhile")
    stage.press(app, "ctrl+k", "F1", "alt+Down", "ctrl+n", "ctrl+comma")
    stage.until(fake.events.empty, "the events are taken")
    words = shown(app)
    assert "private" not in words
    assert "meanwhile" not in words
    assert app.pages.page is None
    stage.write(app, "wrong")
    stage.press(app, "Return")
    stage.until(lambda: "The password is wrong." in shown(app), "refused")
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "unlocked")
    chat_view(app).select(BOB)
    stage.until(lambda: texts(app)[-1:] == ["came meanwhile"], "nothing was missed")
    assert chat_view(app).composer.written == "half a dra"


def test_a_window_that_nobody_uses_locks_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the chosen minutes without a key or a move; a key puts it off."""
    app = signed_in(stage, FakeEngine())
    app.settings.idle_minutes = 1
    start = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: start + 55)
    app.watch.poll()
    app.watch._on_input(None)
    monkeypatch.setattr(time, "monotonic", lambda: start + 100)
    assert not app.watch.poll()
    monkeypatch.setattr(time, "monotonic", lambda: start + 120)
    assert app.watch.poll()
    monkeypatch.undo()
    app.settings.idle_minutes = 0


@pytest.mark.parametrize("what", ["details", "remove", "show_menu"])
def test_a_lock_takes_cards_and_menus_away(stage: Stage, what: str) -> None:
    """A card that is open when the window locks is gone: Tab reaches nothing of it, no grab holds
    the mouse, and its words are nowhere."""
    fake = FakeEngine()
    fake.say(BOB, "a private word")
    app = signed_in(stage, fake)
    chat_view(app).select(BOB)
    deeds = chat_view(app).conversation.deeds
    number = deeds._chat.timeline.last_number
    assert number is not None
    open_it: dict[str, Callable[[], object]] = {
        "details": lambda: deeds.details(number),
        "remove": lambda: deeds.remove({number}),
        "show_menu": lambda: deeds.show_menu(number, 300, 300),
    }
    open_it[what]()
    stage.pump()
    app.lock()
    stage.pump()
    assert app.root.winfo_children() == [app.screen]
    assert not app.root.tk.call("grab", "current")
    lock_view = app.screen
    assert isinstance(lock_view, LockView)
    assert app.root.focus_get() is lock_view.entry
    for _ in range(5):
        stage.press(app, "Tab")
        assert str(app.root.focus_get()).startswith(str(lock_view))


@pytest.mark.parametrize("language", ["en", "fa"])
def test_signs_of_choices_stand_where_reading_starts_and_grow(stage: Stage, language: str) -> None:
    """Profiles to choose from: the sign is before the text, and as large as letters of 150 %."""
    profiles = [KnownProfile(Path(f"/p/{name}"), name, "") for name in ("alice", "carol")]
    app = stage.open(FakeAccounts(FakeEngine(), profiles), None, Settings(language, text_size=150))
    first = next(one for one in _all(app.root) if isinstance(one, ttk.Radiobutton))
    stage.until(first.winfo_ismapped, "shown")
    wide, middle = first.winfo_width(), first.winfo_height() // 2
    places = [x for x in range(wide) if first.identify(x, middle).endswith("sign")]
    assert len(places) >= app.ui.line_height * 0.9
    assert (min(places) > wide // 2) == (language == "fa")
    assert str(app.root.getvar("chosen_profile")) == "/p/alice"


def test_persian_is_joined_wherever_people_write_it(stage: Stage) -> None:
    """The own name in the settings and the day in the list of people too; an empty field's caret
    stands where reading starts, and Tab goes from the search to what it narrows."""
    fake = FakeEngine()
    yesterday = NOW.timestamp() - (time.time() - 86_400)
    fake.say(BOB, "hi", ago=yesterday / 60)
    fake.set_profile("سارا")
    app = stage.open(
        FakeAccounts(fake, [KnownProfile(Path("/p/alice"), "alice", "")]), None, Settings("fa")
    )
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "signed in")
    search = chat_view(app).search
    people = chat_view(app).people.canvas
    listed = "".join(item_option(people, item, "text") for item in items(people, "text"))
    assert re.search("[\ufe70-\ufefc]", listed), "the day, in words"
    assert not re.search("[\u0621-\u064a]", listed), "and none of it in loose letters"
    caret = search.bbox("insert")
    assert caret is not None
    assert caret[0] > search.winfo_width() * 3 // 4
    search.focus_set()
    stage.press(app, "Tab")
    assert app.root.focus_get() is chat_view(app).people.canvas
    app.pages.open(Kind.SETTINGS)
    settings = page(app, SettingsPage)
    assert isinstance(settings, SettingsPage)
    entry = settings.name.entry
    stage.until(lambda: entry.picture.shown, "drawn in joined letters")
    drawn = [item_option(entry.picture, item, "text") for item in items(entry.picture, "text")]
    assert drawn == ["\ufe8d\ufead\ufe8e\ufeb3"]


def test_signing_out_closes_the_profile_and_asks_again(stage: Stage) -> None:
    """The sign-in screen comes, and the engine is stopped."""
    fake = FakeEngine()
    app = signed_in(stage, fake)
    app.sign_out()
    stage.until(lambda: isinstance(app.screen, SignInView), "the sign-in screen")
    stage.until(lambda: fake.stopped, "closed")


def test_signing_out_never_waits_for_what_is_under_way(stage: Stage) -> None:
    """A file is being saved, say: the window answers at once, and who comes back waits for it."""
    fake = FakeEngine()
    app = signed_in(stage, fake)
    fake.may_stop.clear()
    began = time.monotonic()
    app.sign_out()
    app.root.update()
    assert time.monotonic() - began < 1  # 200 ms where nothing else runs
    assert isinstance(app.screen, SignInView)
    fake.started = False
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: "Closing the profile…" in all_texts(app.root), "said meanwhile")
    assert not fake.started
    fake.may_stop.set()
    stage.until(lambda: fake.stopped and fake.started, "opened once it was closed")


def test_who_quits_while_a_profile_is_closed_waits_for_it(stage: Stage) -> None:
    """The window goes away at once; the program only when the vault is closed."""
    fake = FakeEngine()
    app = signed_in(stage, fake)
    fake.may_stop.clear()
    app.sign_out()
    threading.Timer(0.2, fake.may_stop.set).start()
    stage.close(app)
    assert fake.stopped


# ---------------------------------------------------------------- settings


def test_settings_are_in_force_at_once_and_keep_their_page(stage: Stage, tmp_path: Path) -> None:
    """Language, theme, text size and Enter change while the page is open, and are remembered."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    app = signed_in(stage, fake)
    app.settings.path = tmp_path / "window.json"
    chat_view(app).select(BOB)
    stage.press(app, "ctrl+comma")
    stage.until(lambda: isinstance(app.pages.page, SettingsPage), "by its shortcut")
    height, smallest = app.ui.line_height, app.root.minsize()
    for name, value in (("theme", "dark"), ("text_size", 150), ("enter_sends", False)):
        setattr(app.settings, name, value)
        app.apply()
    assert app.ui.line_height > height
    assert app.root.minsize() > smallest  # a window never too small for its letters
    app.settings.language = "fa"
    app.apply()
    assert isinstance(app.pages.page, SettingsPage)
    assert app.ui.words.rtl
    app.settings.language, app.settings.text_size = "en", 100
    app.apply()
    stage.press(app, "Escape")
    stage.until(lambda: app.pages.page is None, "back")
    stage.write(app, "one")
    stage.press(app, "Return")
    stage.write(app, "two")
    assert chat_view(app).composer.written == "one\ntwo"
    stage.press(app, "ctrl+Return")
    stage.until(lambda: fake.history(BOB)[-1].text == "one\ntwo", "sent")
    saved = Settings.load(app.settings.path, language="en")
    assert (saved.theme, saved.enter_sends) == ("dark", False)


def test_a_long_answer_of_the_server_is_drawn_in_pieces(stage: Stage) -> None:
    """Thousands of values that a server tells of us never hold the window up."""
    engine = FakeEngine()
    app = signed_in(stage, engine)
    app.pages.open(Kind.HELD)
    held = page(app, HeldPage)
    assert isinstance(held, HeldPage)
    rows = tuple(HeldRow(f"t{n % 30}", {f"c{k}": "x" * 90 for k in range(30)}) for n in range(3000))
    beats = heart_of(app)
    held.take(ServersData(rows))
    stage.until(lambda: not held.drawing, "all is drawn")
    stage.until(lambda: len(beats) > 2, "and the window goes on")
    assert "c29" in all_texts(held)
    assert longest_pause(beats) < 0.2


def heart_of(app: App) -> list[float]:
    """When the window could do something else, in processor time; it goes on growing."""
    beats: list[float] = []

    def beat() -> None:
        beats.append(time.thread_time())
        app.root.after(1, beat)

    beat()
    return beats


def longest_pause(beats: list[float]) -> float:
    return max(after - before for before, after in pairwise(beats))


@pytest.mark.parametrize("what", ["messages", "problems"])
def test_a_server_that_floods_never_holds_the_window_up(stage: Stage, what: str) -> None:
    """Thousands of messages into the open conversation, or of errors: no pause like a hang.

    The longest takes 130 ms on an idle machine; taken at once they would take many seconds.
    """
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = signed_in(stage, engine)
    find(stage, app, "bob")
    beats = heart_of(app)
    for number in range(3_000):
        if what == "messages":
            engine.say(BOB, f"سلام {number}")
        else:
            engine.events.put(Problem(Refused(Code.OVERLOADED, "busy")))
    stage.until(engine.events.empty, "all is taken")
    done = len(beats)
    stage.until(lambda: len(beats) > done + 2, "and drawn")
    assert longest_pause(beats) < 0.5
    if what == "messages":
        assert texts(app)[-1] == "سلام 2999"


def test_every_choice_of_the_settings_is_reached_by_keyboard(stage: Stage) -> None:
    """Tab goes round through every button, scrolls to it, and comes back."""
    app = signed_in(stage, FakeEngine())
    stage.press(app, "ctrl+comma")
    stage.until(lambda: isinstance(app.pages.page, SettingsPage), "open")
    buttons = [w for w in _all(app.pages.page) if w.winfo_class() == "TButton"]
    reached: set[str] = set()
    for _ in range(len(buttons) + 6):
        stage.press(app, "Tab")
        focus = app.root.focus_get()
        assert focus is not None
        reached.add(str(focus))
        top, bottom = focus.winfo_rooty(), focus.winfo_rooty() + focus.winfo_height()
        assert app.root.winfo_rooty() <= top
        assert bottom <= app.root.winfo_rooty() + app.root.winfo_height()
    assert {str(one) for one in buttons} <= reached


def _all(widget: tk.Misc | None) -> list[tk.Misc]:
    children = widget.winfo_children() if widget is not None else []
    return [*children, *(one for child in children for one in _all(child))]


# ---------------------------------------------------------------- people


def test_a_person_is_blocked_from_the_list_by_keyboard_after_a_question(stage: Stage) -> None:
    """Down, Menu, the line, the card: Return on Cancel does nothing, on Block it does."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    app = signed_in(stage, fake)
    chat_view(app).people.canvas.focus_set()
    stage.press(app, "Menu")
    menus = [w for w in _all(app.root) if isinstance(w, PopupMenu)]
    assert len(menus) == 1
    assert menus[0].texts[-2:] == ["Block…", "Delete the conversation…"]
    stage.press(app, "Up", "Up", "Return")
    stage.until(lambda: "Block bob?" in shown(app), "the question")
    stage.press(app, "Return")
    assert "block bob" not in fake.calls
    stage.press(app, "Menu", "Up", "Up", "Return")
    stage.until(lambda: "Block bob?" in shown(app), "the question again")
    stage.press(app, "shift+Tab", "Return")
    stage.until(lambda: "block bob" in fake.calls, "blocked")
    stage.until(lambda: chat(app).people[0].blocked, "shown")


def test_the_archive_opens_and_closes(stage: Stage) -> None:
    """With the keyboard, by the button that counts what is in it."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    fake.say(SARA, "hi")
    fake.archive(SARA, archived=True)
    app = signed_in(stage, fake)
    stage.until(lambda: "Archived (1)" in shown(app), "the way to the archive")
    chat_view(app).side.archive.focus_set()
    stage.press(app, "Return")
    assert [row.user_id for row in chat(app).people] == [SARA]
    stage.press(app, "Return")
    assert [row.user_id for row in chat(app).people] == [BOB]


def test_a_contact_link_given_at_the_start_is_asked_about_after_signing_in(stage: Stage) -> None:
    """`secure-chat LINK` of a contact: the safe answer has the keyboard and verifies nobody."""
    link = str(ContactLink(SERVER, SERVER_ID, UserId("reza"), KEYS["b"]))
    fake = FakeEngine()
    app = signed_in(stage, fake, Options(link=link))
    stage.until(lambda: "Is this link from reza?" in shown(app), "the question")
    assert isinstance(app.pages.page, AddPage)
    stage.press(app, "Return")
    stage.until(lambda: app.pages.page is None, "the conversation is open")
    assert "link reza" in fake.calls
    assert chat(app).selected == "reza"


def test_digits_that_differ_lead_to_advice_and_verify_nobody(stage: Stage) -> None:
    """It says not to write there, and the key stays as it was."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    app = signed_in(stage, fake)
    app.verify(BOB)
    stage.until(lambda: set(NUMBER) <= set(all_texts(app.root)), "twelve groups")
    stage.press(app, "Tab", "Tab", "Return")
    stage.until(lambda: "Do not write to bob here" in shown(app), "the advice")
    stage.press(app, "Escape")
    assert fake.trust[BOB] is Trust.NEW


# ---------------------------------------------------------------- notifications


def test_the_desktop_is_told_only_when_nobody_looks(stage: Stage) -> None:
    """By default the sender's name and a number, never a text; also while locked."""
    fake = FakeEngine()
    app = signed_in(stage, fake)
    desktop = app.watch._desktop
    assert isinstance(desktop, Silent)
    app.watch.looking = True
    fake.say(BOB, "seen")
    stage.until(fake.events.empty, "taken")
    app.lock()
    fake.say(BOB, "a secret")
    stage.until(lambda: bool(desktop.told), "told")
    assert desktop.told == [notices.Notice("bob", "1 new message", BOB)]
    app.watch._next_notice = 0.0
    desktop.pressed.put(BOB)
    stage.until(desktop.pressed.empty, "pressed")
    assert isinstance(app.screen, LockView)  # a press does not open the lock


@pytest.mark.parametrize("size", ["1120x720", "780x620"])
def test_attack_72_no_name_pushes_the_sign_of_trust_out_of_sight(stage: Stage, size: str) -> None:
    """An account of 32 wide letters that calls itself as long a name: the badge stays in the
    header, and what has the keyboard there keeps it while the person comes and goes."""
    fake = FakeEngine()
    name = fake.meet("w" * 32, trust=Trust.CHANGED)
    fake.say(name, "hi")
    fake.persons[name] = replace(fake.persons[name], display_name="verified " * 7)
    app = signed_in(stage, fake)
    app.root.geometry(size)
    chat_view(app).select(name)
    header = chat_view(app).conversation._header
    stage.until(lambda: _badges(header), "the header is drawn")
    stage.pump()
    (badge,) = _badges(header)
    right = badge.winfo_rootx() + badge.winfo_width()
    key = header._buttons[0]
    assert right <= key.winfo_rootx()
    assert badge.winfo_width() > 8
    key.focus_set()
    stage.pump()
    fake.tell(PeopleChanged((replace(fake.persons[name], online=False),)))
    stage.until(lambda: header._buttons[0] is not key, "drawn anew")
    stage.until(lambda: app.root.focus_get() is header._buttons[0], "the keyboard stays")


def _badges(header: tk.Misc) -> list[tk.Canvas]:
    """The signs of trust in a header: not its avatar, which is larger, nor a button."""
    return [
        one
        for one in _all(header)
        if type(one) is tk.Canvas and one.winfo_ismapped() and one.winfo_reqheight() < 30
    ]


def test_attack_72_a_chosen_name_cannot_write_over_the_accounts(stage: Stage) -> None:
    """A display name with an override and a line break is drawn as an item of its own, cleaned,
    and the account's name stands whole before it."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    app = signed_in(stage, fake)
    fake.meet("bob", trust=Trust.NEW)
    fake.set_contact_name(BOB, "\u202ekcirtap\u2066\nverified")
    stage.until(lambda: bool(chat(app).people[0].title), "the name has come")
    canvas = chat_view(app).people.canvas

    def drawn() -> list[str]:
        return [item_option(canvas, one, "text") for one in items(canvas, "text")]

    stage.until(lambda: "bob" in drawn(), "the account's name is drawn by itself")
    assert not set("".join(drawn())) & set("\u202e\u2066\n")
    assert any("kcirtap verified" in one for one in drawn())


def test_attack_49_a_login_elsewhere_is_said_and_waits_for_the_person() -> None:
    """Two copies of a device cannot both be in: the one that was replaced says so and stays out."""
    fake = FakeEngine()
    made = Chat(fake, Words())
    fake.tell(ConnectionChanged(ConnectionState.STOPPED, Refused(Code.REPLACED)))
    made.poll()
    banner = made.banner
    assert banner is not None
    assert banner.tone is Tone.DANGER
    assert "elsewhere" in banner.text
    assert banner.action is Action.RECONNECT
    assert "reconnect" not in fake.calls
