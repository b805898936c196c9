"""A conversation on a virtual screen: menus, cards, selection and links, by keyboard and mouse."""

import tkinter as tk
import webbrowser
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk

import msgspec
import pytest

from secure_chat.client.events import (
    Attachment,
    FileState,
    MessageChanged,
    MessageRemoved,
    MessageState,
    Quote,
    Reaction,
)
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.shortcuts import SHORTCUTS
from secure_chat.client.window import ui
from secure_chat.client.window.app import App
from secure_chat.client.window.drawn import Target
from secure_chat.client.window.emoji_grid import EmojiGrid
from secure_chat.client.window.page_host import Kind
from secure_chat.client.window.pages.page import descendants
from secure_chat.client.window.pages.settings_page import SettingsPage
from secure_chat.client.window.popup_menu import PopupMenu
from secure_chat.client.window.sheet import Sheet
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.support.timing import seconds_of
from tests.window.fakes import FakeEngine, at
from tests.window.scenes import BOB, signed_in, talking_to_bob
from tests.window.stage import Stage, all_texts, chat_view, drawn_texts, item_option, items

pytestmark = pytest.mark.window
CAROL = UserId("carol")


def sheet(app: App) -> Sheet | None:
    """The card that is open."""
    return next((w for w in app.root.winfo_children() if isinstance(w, Sheet)), None)


def menu(app: App) -> PopupMenu | None:
    """The menu that is open."""
    return next((w for w in app.root.winfo_children() if isinstance(w, PopupMenu)), None)


def choose(stage: Stage, app: App, text: str) -> None:
    """Open the menu of the message that the keyboard is on, and go down to an entry."""
    stage.press(app, "Menu")
    stage.until(lambda: menu(app) is not None, "the menu")
    opened = menu(app)
    assert opened is not None
    stage.press(app, *["Down"] * opened.texts.index(text), "Return")
    stage.until(lambda: menu(app) is None, "the menu is gone")


def button(page: tk.Misc, text: str) -> tk.Misc:
    """A button of a page."""
    return next(
        one for one in descendants(page)
        if isinstance(one, ttk.Button) and str(one.cget("text")) == text
    )  # fmt: skip


def to_messages(stage: Stage, app: App) -> None:
    stage.press(app, "ctrl+m")
    assert app.root.focus_get() is chat_view(app).messages.canvas


def click(stage: Stage, app: App, target: Target) -> None:
    """Press the newest part of this kind with the mouse."""
    view = chat_view(app).messages
    view.draw()
    x = y = 0
    for placed in view.laid.in_view():
        for hit in view.laid.layout(placed.row).hits:
            if hit.target is target:
                x = (hit.box[0] + hit.box[2]) // 2
                y = placed.y + 2 + (hit.box[1] + hit.box[3]) // 2
    assert x or y, f"no {target} is drawn"
    view.canvas.event_generate("<Button-1>", x=x, y=y)
    stage.pump()


# ---------------------------------------------------------------- with the keyboard alone


def test_a_message_is_answered_with_the_keyboard_alone(stage: Stage) -> None:
    """Ctrl+M, menu, Reply; the strip shows what is answered, Escape leaves, Return sends."""
    engine = FakeEngine()
    message = engine.say(BOB, "shall we?")
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    choose(stage, app, "Reply")
    view = chat_view(app)
    stage.until(lambda: "Reply to bob" in all_texts(view.conversation.area), "the strip")
    assert app.root.focus_get() is view.composer.text
    stage.press(app, "Escape")
    stage.until(lambda: "Reply to bob" not in all_texts(view.conversation.area), "left")
    to_messages(stage, app)
    stage.press(app, "ctrl+r")
    stage.write(app, "yes")
    stage.press(app, "Return")
    stage.until(lambda: engine.answered == [message.number], "sent as an answer")
    assert view.composer.written == ""


def test_the_up_arrow_edits_the_last_message_of_ours(stage: Stage) -> None:
    """Escape gives it up and empties the field; Return sends the edit."""
    engine = FakeEngine()
    own = engine.say(BOB, "firts", ours=True)
    app = talking_to_bob(stage, engine)
    composer = chat_view(app).composer
    stage.press(app, "Up")
    stage.until(lambda: composer.written == "firts", "its text is in the field")
    stage.press(app, "Escape")
    stage.until(lambda: composer.written == "", "as before")
    stage.press(app, "Up", "BackSpace", "BackSpace")
    stage.write(app, "st")
    stage.press(app, "Return")
    stage.until(lambda: ("edit", BOB, (own.number, "first")) in engine.changes, "edited")
    assert composer.written == ""


def test_a_reaction_is_chosen_from_the_menu_or_typed(stage: Stage) -> None:
    """The quick ones stand above the menu; the card takes any emoji, and no letters."""
    engine = FakeEngine()
    message = engine.say(BOB, "tea?")
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    if chat_view(app)._ui.astral:
        stage.press(app, "Menu")
        stage.until(lambda: menu(app) is not None, "the menu")
        stage.press(app, "Up", "Right", "Return")
        stage.until(lambda: ("react", BOB, (message.number, "❤️")) in engine.changes, "a heart")
    choose(stage, app, "React…")
    stage.until(lambda: sheet(app) is not None, "the card")
    stage.press(app, "Tab")
    stage.write(app, "☕")
    stage.press(app, "Return")
    stage.until(lambda: ("react", BOB, (message.number, "☕")) in engine.changes, "typed")
    assert sheet(app) is None


def test_where_colour_emoji_would_end_the_program_they_are_said_in_words(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an old libXft no character beyond U+FFFF is drawn: not in texts, reactions or menus."""
    monkeypatch.setattr(ui, "draws_astral", lambda: False)
    engine = FakeEngine()
    reactions = (Reaction(ours=False, emoji="👍"), Reaction(ours=True, emoji="❤️"))
    message = engine.say(BOB, "well done 🎉", reactions=reactions)
    app = talking_to_bob(stage, engine)
    stage.until(lambda: "thumbs up sign" in drawn_texts(app), "the reaction in words")
    assert "❤" in drawn_texts(app)
    to_messages(stage, app)
    stage.press(app, "Menu")
    stage.until(lambda: menu(app) is not None, "the menu")
    opened = menu(app)
    assert opened is not None
    drawn = [item_option(opened, one, "text") for one in items(opened, "text")]
    opened.close()
    chat_view(app).conversation.deeds.choose_reaction(message.number)
    stage.until(lambda: sheet(app) is not None, "the card")
    grid = app.root.focus_get()
    assert isinstance(grid, EmojiGrid)
    drawn += [item_option(grid, one, "text") for one in items(grid, "text")]
    everything = "".join([*drawn, *drawn_texts(app), *all_texts(app.root)])
    assert not {one for one in everything if one > "\uffff"}


def test_deleting_asks_and_the_keyboard_is_on_cancel(stage: Stage) -> None:
    """Return alone deletes nothing; both kinds of deletion say whom they touch."""
    engine = FakeEngine()
    own = engine.say(BOB, "regretted", ours=True)
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    choose(stage, app, "Delete for both…")
    stage.until(lambda: sheet(app) is not None, "it asks")
    stage.press(app, "Return")
    stage.until(lambda: sheet(app) is None, "cancelled")
    assert ("delete", BOB, (own.number,)) not in engine.changes
    stage.press(app, "Delete")
    stage.until(lambda: sheet(app) is not None, "it asks")
    assert any("this device alone" in text.replace("\n", " ") for text in all_texts(app.root))
    stage.press(app, "shift+Tab", "Return")
    stage.until(lambda: ("remove", BOB, (own.number,)) in engine.changes, "removed here")


def test_several_messages_are_selected_and_copied(stage: Stage) -> None:
    """Shift+Up extends, the bar says how many, Ctrl+C copies them, Escape ends it."""
    engine = FakeEngine()
    for text in ("one", "two", "three"):
        engine.say(BOB, text, ago=1)
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    stage.press(app, "shift+Up", "shift+Up")
    area = chat_view(app).conversation.area
    stage.until(lambda: "3 selected" in all_texts(area), "the bar")
    stage.press(app, "ctrl+c")
    copied = app.root.clipboard_get()
    assert [line for line in copied.splitlines() if line in {"one", "two", "three"}] == [
        "one", "two", "three",
    ]  # fmt: skip
    stage.until(lambda: "3 selected" not in all_texts(area), "the field is back")
    stage.press(app, "space")
    stage.until(lambda: "1 selected" in all_texts(area), "one")
    stage.press(app, "Escape")
    stage.until(lambda: "1 selected" not in all_texts(area), "none")


def test_a_message_is_forwarded_to_somebody_found_by_name(stage: Stage) -> None:
    """A few letters of the name and Return; the conversation with them is shown then."""
    engine = FakeEngine()
    engine.say(CAROL, "hi from carol", ago=50)
    engine.say(BOB, "worth telling")
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    choose(stage, app, "Forward…")
    stage.until(lambda: sheet(app) is not None, "the card")
    stage.write(app, "car")
    stage.press(app, "Return")
    stage.until(lambda: engine.messages[CAROL][-1].text == "worth telling", "sent")
    assert app.chat is not None
    assert app.chat.selected == CAROL


def test_a_timer_is_chosen_with_the_keyboard(stage: Stage) -> None:
    """Ctrl+T, Tab, Return: thirty seconds."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine)
    stage.press(app, "ctrl+t")
    stage.until(lambda: sheet(app) is not None, "the card")
    stage.press(app, "Tab", "Return")
    stage.until(lambda: ("timer", BOB, (30,)) in engine.changes, "thirty seconds")


def test_all_keys_stand_on_one_card(stage: Stage) -> None:
    """F1 and Ctrl+/ show them; Tab stays on the card; Escape gives the keyboard back."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine)
    before = app.root.focus_get()
    for keys in ("F1", "ctrl+slash"):
        stage.press(app, keys)
        stage.until(lambda: sheet(app) is not None, "the card")
        card = sheet(app)
        assert card is not None
        assert {shortcut.shown for shortcut in SHORTCUTS} <= set(all_texts(card))
        stage.press(app, "Tab", "Tab", "Tab")
        assert str(app.root.focus_get()).startswith(str(card))
        stage.press(app, "Escape")
        stage.until(lambda: sheet(app) is None, "closed")
        assert app.root.focus_get() is before


def test_letters_typed_among_the_messages_go_to_the_field(stage: Stage) -> None:
    """No letter is lost because the list has the keyboard."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    stage.write(app, "hello")
    assert chat_view(app).composer.written == "hello"


def test_the_search_finds_messages_and_goes_there(stage: Stage) -> None:
    """Ctrl+K, a word, Return: the conversation opens at the message, however old it is."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(800)))
    engine.messages[BOB][20] = msgspec.structs.replace(engine.messages[BOB][20], text="a needle")
    app = signed_in(stage, engine)
    stage.press(app, "ctrl+k")
    stage.write(app, "needle")
    side = chat_view(app).side
    stage.until(lambda: "1 message" in all_texts(side), "found")
    stage.press(app, "Return")
    stage.until(lambda: "a needle" in drawn_texts(app), "it is in view")
    assert "line 799" not in drawn_texts(app)
    stage.press(app, "End")
    stage.until(lambda: "line 799" in drawn_texts(app), "and back to the newest")


# ---------------------------------------------------------------- links, quotes, files


def test_a_link_opens_only_after_its_address_was_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A press shows the real address with the keyboard on Cancel; only Open opens."""
    opened: list[str] = []

    def browse(url: str, new: int = 0) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    engine = FakeEngine()
    engine.say(BOB, "see https://еxample.org/page now")  # the first letter is Cyrillic
    app = talking_to_bob(stage, engine)
    click(stage, app, Target.LINK)
    stage.until(lambda: sheet(app) is not None, "it asks")
    shown = "".join(all_texts(app.root)).replace("\n", "")
    assert "https://xn--" in shown
    assert "letters of other alphabets" in shown.replace("\n", " ")
    stage.press(app, "Return")
    stage.until(lambda: sheet(app) is None, "cancelled")
    assert opened == []
    click(stage, app, Target.LINK)
    stage.press(app, "Tab", "Return")
    stage.until(lambda: bool(opened), "opened")
    assert opened[0].startswith("https://xn--")
    to_messages(stage, app)
    stage.press(app, "Menu")
    stage.until(lambda: menu(app) is not None, "with the keyboard, from the menu")
    opened_menu = menu(app)
    assert opened_menu is not None
    assert opened_menu.texts[0].startswith("https://")


def test_a_contact_link_in_a_message_leads_to_the_question_whether_to_trust_it(
    stage: Stage,
) -> None:
    """A press says whose it is; going on asks, with the safe answer first, as for a pasted one."""
    engine = FakeEngine()
    engine.say(BOB, f"add her: {ContactLink(SERVER, SERVER_ID, UserId('reza'), KEYS['b'])}")
    app = talking_to_bob(stage, engine)
    click(stage, app, Target.LINK)
    stage.until(lambda: sheet(app) is not None, "it asks")
    assert f"reza@{SERVER}" in all_texts(app.root)
    stage.press(app, "Tab", "Return")
    stage.until(lambda: "Is this link from reza?" in all_texts(app.root), "the page")
    assert "link reza" not in engine.calls
    stage.press(app, "Return")
    stage.until(lambda: "link reza" in engine.calls, "not verified, but open")
    stage.until(lambda: app.pages.page is None, "back")
    assert app.root.focus_get() is chat_view(app).composer.text


def test_a_page_gives_the_keyboard_back_to_where_it_was(stage: Stage) -> None:
    """Also if the language was changed there; from a page under the settings to what led there."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    stage.press(app, "ctrl+comma")
    stage.until(lambda: app.pages.page is not None, "the settings")
    stage.press(app, "Escape")
    stage.until(lambda: app.pages.page is None, "back")
    assert app.root.focus_get() is chat_view(app).messages.canvas
    stage.press(app, "ctrl+k")
    stage.until(lambda: app.root.focus_get() is chat_view(app).search, "at the search")
    stage.press(app, "ctrl+comma")
    stage.until(lambda: app.pages.page is not None, "the settings")
    page = app.pages.page
    assert isinstance(page, SettingsPage)
    button(page, "Change the password…").focus_set()
    stage.press(app, "space")
    stage.until(lambda: app.pages.kind is Kind.PASSWORD, "the page of the password")
    stage.press(app, "Escape")
    stage.until(lambda: app.pages.kind is Kind.SETTINGS, "the settings")
    assert str(app.root.focus_get().cget("text")) == "Change the password…"  # type: ignore[union-attr]
    assert app.pages.page is not None
    assert app.pages.page.position > 0
    button(app.pages.page, "Dark").focus_set()
    stage.press(app, "space")
    stage.until(lambda: app.settings.theme == "dark", "another theme")
    assert str(app.root.focus_get().cget("text")) == "✓ Dark"  # type: ignore[union-attr]
    stage.press(app, "Escape")
    stage.until(lambda: app.pages.page is None, "the conversations")
    assert app.root.focus_get() is chat_view(app).search


def test_a_quote_leads_to_the_message_that_it_quotes(stage: Stage) -> None:
    """Also to one that is hundreds of lines away and not loaded yet."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(700)))
    engine.say(BOB, "this one", quoted=Quote(b"q", ours=False, number=11, text="line 10"))
    engine.unread[BOB] = 0
    app = talking_to_bob(stage, engine)
    stage.until(lambda: "this one" in drawn_texts(app), "the answer")
    click(stage, app, Target.QUOTE)
    stage.until(lambda: "line 12" in drawn_texts(app), "the original and what stands around it")
    assert chat_view(app).messages.laid.current == "message 11"


def test_attack_59_an_override_cannot_turn_the_end_of_a_file_name_round(stage: Stage) -> None:
    """``photo<RLO>gpj.exe`` is drawn with its true end, and pressing a file never opens it."""
    engine = FakeEngine()
    name = "photo\u202egpj.exe"
    file = Attachment(name, 1000, "image/jpeg", FileState.OFFERED)
    engine.say(BOB, "", file=file)
    app = talking_to_bob(stage, engine)
    stage.until(lambda: "photogpj.exe" in drawn_texts(app), "the true name")
    assert not any("\u202e" in text for text in drawn_texts(app))


def test_attack_70_escapes_of_terminals_are_drawn_as_something_odd(stage: Stage) -> None:
    """ESC, C1 and OSC 52 in text, file name and quote: none of it reaches the screen raw."""
    hostile = "a\x1b[31mb\x9b2Jc\x1b]52;c;AAAA\x07d"
    engine = FakeEngine()
    engine.say(BOB, hostile, quoted=Quote(b"q", ours=False, number=1, text=hostile))
    engine.say(BOB, "x", file=Attachment(hostile, 1, "x/y", FileState.OFFERED))
    app = talking_to_bob(stage, engine)
    stage.until(lambda: any("[31mb" in text for text in drawn_texts(app)), "drawn")
    everything = "".join([*drawn_texts(app), *all_texts(app.root)])
    assert not {one for one in everything if ord(one) < 32 and one != "\n"}
    assert not {one for one in everything if 0x7F <= ord(one) <= 0x9F}


def test_attack_71_nothing_runs_in_cards_strips_and_results(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tcl in a message stays text where it is quoted, answered, versioned, searched and linked."""
    monkeypatch.chdir(tmp_path)
    hostile = "[exec touch touched] $env(HOME) {x https://example.org/[exec%20touch%20touched]"
    engine = FakeEngine()
    message = engine.say(BOB, hostile, edited=at(0))
    app = talking_to_bob(stage, engine)
    view = chat_view(app)
    view.conversation.deeds.reply(message.number)
    stage.until(lambda: any("[exec" in text for text in all_texts(view)), "in the strip")
    for show in (view.conversation.deeds.details, view.conversation.deeds.versions):
        show(message.number)
        stage.press(app, "Escape")
    click(stage, app, Target.LINK)
    stage.press(app, "Escape")
    stage.press(app, "ctrl+k")
    stage.write(app, "exec")
    stage.until(lambda: "1 message" in all_texts(view.side), "found")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("what", ["quoted", "answered", "edited", "detailed", "searched"])
def test_attack_73_the_longest_message_of_marks_answers_everywhere(stage: Stage, what: str) -> None:
    """Wherever such a message is shown again, the window answers within 200 ms."""
    text = "a" + "\u0301" * (limits.TEXT // 2 - 1)
    engine = FakeEngine()
    message = engine.say(BOB, text, ours=True)
    engine.say(BOB, "short", quoted=Quote(b"q", ours=True, number=message.number, text=text))
    app = talking_to_bob(stage, engine)
    view, deeds = chat_view(app), chat_view(app).conversation.deeds
    acts: dict[str, Callable[[], object]] = {
        "quoted": view.messages.draw,
        "answered": lambda: deeds.reply(message.number),
        "edited": lambda: deeds.edit(message.number),
        "detailed": lambda: deeds.versions(message.number),
        "searched": lambda: view.side.ask("a"),
    }

    def act() -> None:
        acts[what]()
        app.root.update()

    assert seconds_of(act) < 0.2


# ---------------------------------------------------------------- staying and coming back


def test_what_disappears_while_one_reads_leaves_the_view_where_it_is(stage: Stage) -> None:
    """A removal below and a change above move no line that is in view."""
    engine = FakeEngine()
    engine.fill(BOB, (f"line {i}" for i in range(150)))
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    stage.press(app, "Home", "Next")
    stage.until(lambda: "line 12" in drawn_texts(app), "somewhere above")
    before = [text for text in drawn_texts(app) if text.startswith("line")]
    gone = engine.messages[BOB].pop(140)
    engine.tell(MessageRemoved(BOB, gone.number, gone.content_id))
    first = msgspec.structs.replace(engine.messages[BOB][0], state=MessageState.READ, text="other")
    engine.tell(MessageChanged(first))
    stage.until(
        lambda: app.chat is not None and app.chat.timeline.message(gone.number) is None, "gone"
    )
    stage.pump()
    assert [text for text in drawn_texts(app) if text.startswith("line")] == before


def test_window_column_conversation_and_draft_come_back(stage: Stage, tmp_path: Path) -> None:
    """Closed and opened again: the same size, the same conversation, the same half sentence."""
    path = tmp_path / "window.json"
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine, Settings.load(path, language="en"))
    app.root.geometry("901x707+33+44")
    chat_view(app)._settings.side_width = 333
    stage.write(app, "half a sentence")
    stage.until(lambda: app.root.winfo_width() == 901, "resized")
    stage.close(app)
    assert "bob" not in path.read_text("utf-8")
    again = signed_in(stage, engine, Settings.load(path, language="en"))
    stage.until(lambda: chat_view(again).composer.written == "half a sentence", "the draft")
    assert again.chat is not None
    assert again.chat.selected == BOB
    assert (again.root.winfo_width(), again.root.winfo_height()) == (901, 707)
    side = chat_view(again).side.people.canvas
    assert int(str(side.cget("width"))) == chat_view(again)._ui.px(333)


@pytest.mark.parametrize(
    "geometry", ["", "99999x99999+0+0", "900x700+90000-5", "[exec true]", "0x0+0+0"]
)
def test_a_place_off_the_screen_is_not_believed(
    stage: Stage, tmp_path: Path, geometry: str
) -> None:
    """Another screen, or nonsense in the file: the window is where it can be seen."""
    path = tmp_path / "window.json"
    path.write_text(f'{{"geometry": "{geometry}", "side_width": -4}}', "utf-8")
    app = signed_in(stage, FakeEngine(), Settings.load(path, language="en"))
    assert app.root.winfo_width() > 600
    assert 0 <= app.root.winfo_x() < app.root.winfo_screenwidth()
