"""Whole dialogues: real windows, real keys and mouse, real engines, a real server process.

Alice has a keyboard and no mouse. Bob presses things with the mouse, and types what he says.
"""

from collections.abc import Iterator
from pathlib import Path
from tkinter import filedialog

import pytest

from secure_chat.client import qr
from secure_chat.client.events import ConnectionChanged, ConnectionState, TypingChanged
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.notices import Notice
from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.rows import Delivery, Mark
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window import sheets
from secure_chat.client.window.app import App
from secure_chat.client.window.popup_menu import PopupMenu
from secure_chat.client.window.sheet import Sheet
from secure_chat.protocol.addresses import UserId
from tests.support.processes import ServerProcess
from tests.support.waiting import wait_for
from tests.window.stage import (
    Silent,
    Stage,
    all_texts,
    chat_view,
    drawn_texts,
    item_option,
    items,
    shown,
)
from tests.window.test_two_people import (
    BOB,
    PASSWORD,
    chat,
    deliveries,
    engine,
    find,
    mark,
    register,
    say,
    texts,
)

pytestmark = [pytest.mark.window, pytest.mark.timeout(300)]
CAROL = UserId("carol")
SECONDS = 5  # of the shortest timer that there is


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own that takes people with an invite."""
    with ServerProcess(tmp_path / "server", registration="invite") as running:
        yield running


def account(server: ServerProcess, home: Path, name: str) -> None:
    """An account whose window is not open, with its profile on this device."""
    made = Profiles(home).create(server.link(server.new_invite()), name, PASSWORD, None)
    made.start()

    def online() -> bool:
        event = made.events.get(timeout=30)
        return isinstance(event, ConnectionChanged) and event.state is ConnectionState.ONLINE

    wait_for(online)
    made.stop()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the system's file dialogs answer, in order: they are the system's, not ours."""
    given: list[str] = []
    for name in ("askopenfilename", "askdirectory"):
        monkeypatch.setattr(filedialog, name, lambda **_: given.pop(0))
    return given


def menu(app: App) -> PopupMenu | None:
    """The menu that is open."""
    return next((w for w in app.root.winfo_children() if isinstance(w, PopupMenu)), None)


def sheet(app: App) -> Sheet | None:
    """The card that is open."""
    return next((w for w in app.root.winfo_children() if isinstance(w, Sheet)), None)


def choose(stage: Stage, app: App, text: str) -> None:
    """With the keyboard: the menu of what it is on, down to an entry, Return."""
    stage.press(app, "Menu")
    opened = stage.until(lambda: menu(app), "the menu")
    assert opened is not None
    stage.press(app, *["Down"] * opened.texts.index(text), "Return")
    stage.until(lambda: menu(app) is None, "the menu is gone")


def pick(stage: Stage, app: App, what: str, entry: str) -> None:
    """With the mouse: the right button on what says this, then an entry of the menu."""
    stage.click(app, what, button=3)
    stage.until(lambda: menu(app), "the menu")
    stage.click(app, entry)
    stage.until(lambda: menu(app) is None, "the menu is gone")


def people_drawn(app: App) -> list[str]:
    """Every text in the list of people."""
    canvas = chat_view(app).people.canvas
    return [item_option(canvas, item, "text") for item in items(canvas, "text")]


def told(app: App) -> list[Notice]:
    """What the desktop was told to show."""
    desktop = app.watch._desktop
    assert isinstance(desktop, Silent)
    return desktop.told


def test_two_people_live_with_each_other(
    stage: Stage,
    server: ServerProcess,
    tmp_path: Path,
    answers: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request refused and one accepted; receipts and typing from the moment of verification on;
    answers, edits, reactions, deletion, files, forwarding, timers; another language and theme in
    the middle; people named, muted, blocked; drafts, places and several profiles over a restart."""
    monkeypatch.setattr(sheets, "TIMERS", (0, SECONDS))
    account(server, tmp_path / "a", "carol")
    alice = register(stage, server, tmp_path / "a", "alice")
    bob = register(stage, server, tmp_path / "b", "bob")
    a_request_is_refused_and_another_accepted(stage, alice, bob)
    nothing_of_reading_and_typing_is_told_before_verification(stage, alice, bob)
    both_verify(stage, alice, bob, tmp_path, answers)
    reading_and_typing_are_told(stage, alice, bob)
    messages_are_answered_changed_and_taken_back(stage, alice, bob)
    a_file_is_sent_saved_and_forwarded(stage, alice, bob, tmp_path, answers)
    another_language_and_theme_in_the_middle(stage, alice, bob)
    what_shall_disappear_does(stage, alice, bob)
    people_are_muted_pinned_archived_and_blocked(stage, alice, bob)
    a_restart_brings_the_draft_the_place_and_another_profile(stage, alice, tmp_path)


def a_request_is_refused_and_another_accepted(stage: Stage, alice: App, bob: App) -> None:
    """What was refused never shows; a second try is asked about anew."""
    find(stage, alice, BOB)
    say(stage, alice, "may I write?")
    stage.until(lambda: "wants to write to you" in " ".join(people_drawn(bob)), "the request")
    stage.click(bob, "alice")
    stage.until(lambda: "alice wants to write to you" in shown(bob), "the question")
    assert "may I write?" not in shown(bob)
    stage.click(bob, "Delete")
    stage.until(lambda: sheet(bob), "it asks")
    stage.click(bob, "Delete")
    stage.until(lambda: "wants to write" not in shown(bob), "refused")
    say(stage, alice, "please")
    stage.until(lambda: "wants to write to you" in " ".join(people_drawn(bob)), "asked anew")
    stage.click(bob, "alice")
    stage.click(bob, "Accept")
    stage.until(lambda: "please" in drawn_texts(bob), "accepted, and drawn")
    assert "may I write?" not in drawn_texts(bob)


def nothing_of_reading_and_typing_is_told_before_verification(
    stage: Stage, alice: App, bob: App
) -> None:
    heard: list[object] = []
    chat(alice).listeners.append(heard.append)
    say(stage, bob, "who are you?")
    stage.until(lambda: "who are you?" in drawn_texts(alice), "the answer")
    stage.until(lambda: deliveries(alice)[-2:-1] == [Delivery.DELIVERED], "with Bob's device")
    say(stage, alice, "your neighbour")
    stage.until(lambda: "your neighbour" in drawn_texts(bob), "read by Bob")
    say(stage, bob, "oh")
    stage.until(lambda: "oh" in drawn_texts(alice), "what would have come after a receipt")
    assert Delivery.READ not in deliveries(alice)
    assert not [event for event in heard if isinstance(event, TypingChanged)]


def both_verify(stage: Stage, alice: App, bob: App, folder: Path, answers: list[str]) -> None:
    """Bob reads a picture of Alice's code; Alice pastes the link that Bob copied."""
    picture = folder / "photo.png"
    picture.write_bytes(qr.png(engine(alice).qr_content(BOB), 300))
    stage.click(bob, "Compare and mark verified")
    stage.until(lambda: "Verify alice" in shown(bob), "the page")
    answers.append(str(picture))
    stage.click(bob, "From an image…")
    stage.until(lambda: "Verified: this key is alice's." in shown(bob), "read")
    stage.until(lambda: "verified by QR code" in shown(bob), "in the history of the key")
    stage.click(bob, "‹ Back")
    stage.until(lambda: mark(bob) is Mark.VERIFIED, "verified")
    stage.click(bob, "Settings")
    stage.click(bob, "Your contact link and QR code")
    stage.click(bob, "Copy the link")
    stage.click(bob, "‹ Back")
    stage.click(bob, "‹ Back")
    stage.until(lambda: bob.pages.page is None, "back")

    stage.push(alice, "Compare and mark verified")
    stage.until(lambda: "Verify bob" in shown(alice), "the page")
    stage.tab_to(alice, "Copy its digits")
    stage.press(alice, "Tab", "ctrl+v", "Return")
    stage.until(lambda: "Verified: this key is bob's." in shown(alice), "the link was right")
    stage.press(alice, "Escape")
    stage.until(lambda: mark(alice) is Mark.VERIFIED, "verified")


def reading_and_typing_are_told(stage: Stage, alice: App, bob: App) -> None:
    stage.press(alice, "ctrl+m", "Escape")
    stage.write(alice, "hmm")
    stage.until(lambda: "writing…" in all_texts(chat_view(bob).conversation), "drawn above")
    stage.press(alice, "Return")
    stage.until(lambda: "hmm" in drawn_texts(bob), "it arrives")
    stage.until(lambda: "writing…" not in all_texts(chat_view(bob).conversation), "no more")
    assert deliveries(alice)[-1] is not Delivery.READ  # it is drawn, but Bob looks elsewhere
    stage.front(bob)
    stage.until(lambda: deliveries(alice)[-1] is Delivery.READ, "read")


def messages_are_answered_changed_and_taken_back(stage: Stage, alice: App, bob: App) -> None:
    """Each is drawn in the other window; a quote names whom it quotes as the reader calls them."""
    alice_decides(stage, alice, "A name of your own for them…")
    stage.until(lambda: sheet(alice), "the card")
    stage.write(alice, "Neighbour")
    stage.press(alice, "Return")
    stage.until(lambda: "Neighbour" in people_drawn(alice), "named")
    stage.press(alice, "ctrl+m", "Up")  # from Alice's last message to Bob's "oh"
    stage.press(alice, "ctrl+r")
    stage.until(lambda: "Reply to Neighbour" in shown(alice), "the strip")
    stage.write(alice, "surprised?")
    stage.press(alice, "Return")
    stage.until(lambda: drawn_texts(alice).count("Neighbour") == 1, "quoted by our name for him")
    stage.until(lambda: "surprised?" in drawn_texts(bob), "the answer")
    assert "You" in drawn_texts(bob)  # the quoted words are Bob's own
    stage.press(alice, "Up")
    stage.write(alice, " not me")
    stage.press(alice, "Return")
    stage.until(lambda: "surprised? not me" in drawn_texts(bob), "edited")
    assert any(text.startswith("edited ") for text in drawn_texts(bob))

    thumb = chat_view(bob)._ui.picture("\U0001f44d")
    stage.click(bob, "surprised? not me", button=3)
    stage.until(lambda: menu(bob), "the menu")
    stage.click(bob, thumb)
    stage.until(lambda: thumb in drawn_texts(alice), "the reaction")
    say(stage, bob, "wrong window")
    stage.until(lambda: "wrong window" in drawn_texts(alice), "it arrives")
    pick(stage, bob, "wrong window", "Delete for both…")
    stage.until(lambda: sheet(bob), "it asks")
    stage.click(bob, "Delete for both")
    stage.until(lambda: "wrong window" not in drawn_texts(alice), "taken back")
    stage.until(lambda: "This message was deleted." in drawn_texts(alice), "said")


def a_file_is_sent_saved_and_forwarded(
    stage: Stage, alice: App, bob: App, folder: Path, answers: list[str]
) -> None:
    content = b"a plan " * 20_000
    (folder / "plan.txt").write_bytes(content)
    (folder / "saved").mkdir()
    answers.append(str(folder / "plan.txt"))
    stage.press(alice, "ctrl+o")
    stage.until(lambda: "plan.txt" in drawn_texts(bob), "the file's name")
    pick(stage, bob, "plan.txt", "Forward…")  # before it was fetched
    stage.until(lambda: sheet(bob), "to whom")
    stage.write(bob, "carol")
    stage.press(bob, "Return")
    stage.until(lambda: chat(bob).selected == CAROL, "forwarded")
    stage.until(lambda: deliveries(bob) == [Delivery.ACCEPTED], "on the server")
    assert "plan.txt" in drawn_texts(bob)
    stage.click(bob, "alice")
    stage.until(lambda: "plan.txt" in drawn_texts(bob), "back with Alice")
    answers.append(str(folder / "saved"))
    stage.click(bob, "plan.txt")
    saved = folder / "saved" / "plan.txt"
    stage.until(saved.exists, "saved")
    assert saved.read_bytes() == content
    stage.press(alice, "ctrl+k")
    stage.write(alice, "plan")
    stage.until(lambda: [row.match for row in chat(alice).found] == ["plan"], "found by its name")
    stage.press(alice, "Escape")


def another_language_and_theme_in_the_middle(stage: Stage, alice: App, bob: App) -> None:
    """What was being written stays, what comes meanwhile is there, and both go on."""
    stage.write(bob, "half a thought")
    light = str(chat_view(bob).messages.canvas.cget("background"))
    stage.click(bob, "Settings")
    stage.until(lambda: bob.pages.page, "the settings")
    stage.click(bob, "Dark")
    stage.until(lambda: bob.settings.theme == "dark", "dark")
    stage.click(bob, bob.ui.say("فارسی"))
    stage.until(lambda: bob.settings.language == "fa", "Persian")
    find(stage, alice, BOB)
    say(stage, alice, "still there?")
    stage.press(bob, "Escape")
    stage.until(lambda: bob.pages.page is None, "back")
    stage.until(lambda: "still there?" in drawn_texts(bob), "what came meanwhile")
    assert str(chat_view(bob).messages.canvas.cget("background")) != light
    assert bob.ui.say(Words("fa")("Settings")) in all_texts(bob.root)
    assert chat_view(bob).composer.written == "half a thought"
    stage.press(bob, "ctrl+a")
    say(stage, bob, "سلام")
    stage.until(lambda: alice.ui.say("سلام") in drawn_texts(alice), "joined letters")


def what_shall_disappear_does(stage: Stage, alice: App, bob: App) -> None:
    """On both sides, after reading."""
    assert chat(alice).talk is not None
    stage.press(alice, "ctrl+t")
    stage.until(lambda: sheet(alice), "the card")
    stage.push(alice, chat(alice).times.span(SECONDS))
    say(stage, alice, "soon gone")
    stage.until(lambda: "soon gone" in drawn_texts(bob), "it arrives")
    stage.front(bob)  # he looks: from now on the time runs
    for app in (bob, alice):
        stage.until(lambda: "soon gone" not in drawn_texts(app), "it disappears")  # noqa: B023
    stage.press(alice, "ctrl+t")
    stage.until(lambda: sheet(alice), "the card")
    stage.push(alice, "Off")


def alice_decides(stage: Stage, alice: App, entry: str) -> None:
    """In the list of people, by keyboard, about Bob."""
    people = chat_view(alice).people
    stage.press(alice, "ctrl+k", "Down")
    stage.until(lambda: alice.root.focus_get() is people.canvas, "at the list")
    steps = (chat(alice).people.place(BOB) or 0) - people._current
    if steps:
        stage.press(alice, *["Down" if steps > 0 else "Up"] * abs(steps))
    choose(stage, alice, entry)


def people_are_muted_pinned_archived_and_blocked(stage: Stage, alice: App, bob: App) -> None:
    """Bob has the keyboard, so Alice's desktop tells of him, unless he is muted."""
    count = len(told(alice))
    say(stage, bob, "ping")
    stage.until(lambda: len(told(alice)) > count, "told")
    assert told(alice)[-1] == Notice("Neighbour", "1 new message", BOB)
    alice_decides(stage, alice, "Mute for an hour")
    count = len(told(alice))
    say(stage, bob, "pong")
    stage.until(lambda: "pong" in drawn_texts(alice), "drawn all the same")
    alice_decides(stage, alice, "Unmute")
    say(stage, bob, "ping again")
    stage.until(lambda: len(told(alice)) > count, "told")
    assert told(alice)[count:] == [Notice("Neighbour", "1 new message", BOB)]

    alice_decides(stage, alice, "Pin to the top")
    stage.until(lambda: chat(alice).people[0].pinned, "pinned")
    alice_decides(stage, alice, "Archive")
    stage.until(lambda: "Archived (1)" in shown(alice), "in the archive")
    assert chat(alice).people.place(BOB) is None
    say(stage, bob, "knock")
    stage.until(lambda: chat(alice).people.place(BOB) is not None, "a message brings him back")

    find(stage, alice, BOB)
    alice_decides(stage, alice, "Block…")
    stage.until(lambda: sheet(alice), "it asks")
    stage.push(alice, "Block")
    stage.until(lambda: "You have blocked bob" in shown(alice), "said")
    say(stage, bob, "into the void")
    stage.until(lambda: deliveries(bob)[-1] is Delivery.ACCEPTED, "the server has it")
    stage.push(alice, "Unblock")
    stage.until(lambda: "You have blocked bob" not in shown(alice), "unblocked")
    say(stage, bob, "back again")
    stage.until(lambda: "back again" in drawn_texts(alice), "it arrives")
    assert "into the void" not in texts(alice)


def a_restart_brings_the_draft_the_place_and_another_profile(
    stage: Stage, alice: App, folder: Path
) -> None:
    """Carol lives on Alice's device, and has what Bob forwarded to her."""
    home = folder / "a"
    stage.press(alice, "ctrl+m", "Escape")
    stage.write(alice, "not yet said")
    alice.root.geometry("1000x700")
    stage.until(lambda: alice.root.winfo_width() == 1000, "another size")
    stage.close(alice)

    carol = sign_in_as(stage, home, "carol", alice.settings)
    stage.press(carol, "ctrl+k")
    stage.write(carol, "bob")
    stage.press(carol, "Return")
    stage.push(carol, "Accept")
    stage.until(lambda: "plan.txt" in drawn_texts(carol), "the forwarded file")
    stage.close(carol)

    again = sign_in_as(stage, home, "alice", alice.settings)
    stage.until(lambda: "back again" in drawn_texts(again), "the conversation of the last time")
    assert chat_view(again).composer.written == "not yet said"
    assert (again.root.winfo_width(), again.root.winfo_height()) == (1000, 700)
    assert mark(again) is Mark.VERIFIED


def sign_in_as(stage: Stage, home: Path, name: str, settings: Settings) -> App:
    """Choose one of several profiles and give its password, by keyboard."""
    app = stage.open(Profiles(home), settings=settings)
    stage.tab_to(app, name)
    stage.press(app, "space")
    stage.tab_to(app, "")
    stage.write(app, PASSWORD)
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, f"{name} is signed in")
    return app
