"""Writing Persian in a real window: what is seen, clicked and typed agree."""

import pytest

from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window.app import App
from secure_chat.client.window.shaped_entry import ShapedEntry
from secure_chat.client.window.shaped_text import ShapedText
from tests.support.timing import seconds_of
from tests.window.fakes import FakeEngine
from tests.window.scenes import BOB, talking_to_bob
from tests.window.stage import Stage, chat_view, item_option, items

pytestmark = pytest.mark.window


def composing(stage: Stage, settings: Settings | None = None) -> tuple[App, ShapedText]:
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine, settings)
    field = chat_view(app).composer.text
    if field.picture.tk.call("tk", "windowingsystem") != "x11":
        pytest.skip("this toolkit shapes letters by itself")
    return app, field


def drawn(field: ShapedText) -> list[str]:
    return [item_option(field.picture, item, "text") for item in items(field.picture, "text")]


def click(stage: Stage, app: App, field: ShapedText, index: int, *, count: int = 1) -> None:
    """Press the mouse where the caret of ``index`` is drawn."""
    caret = field.edit_layout.caret(index)
    x, y = field.picture._x(caret.x), field.picture._y(caret.row) + 5
    stage.front(app)
    for _ in range(count):
        field.picture.event_generate("<Button-1>", x=x, y=y)
        field.picture.event_generate("<ButtonRelease-1>", x=x, y=y)
    stage.pump()


def test_persian_is_joined_while_it_is_written(stage: Stage) -> None:
    """As soon as a Persian letter is typed the field shows joined forms, and again Tk's own text
    when the last one is gone."""
    app, field = composing(stage)
    stage.write(app, "hi")
    assert not field.picture.shown
    stage.press(app, "ctrl+a", "BackSpace")
    stage.write(app, "سلام")
    stage.until(lambda: any("\ufeb3" in text for text in drawn(field)), "joined letters")
    assert field.written == "سلام"
    stage.press(app, "BackSpace", "BackSpace", "BackSpace", "BackSpace")
    stage.until(lambda: not field.picture.shown, "an empty field is Tk's own")


def test_arrow_keys_go_where_they_point(stage: Stage) -> None:
    """In a Persian line the left arrow goes on; what is typed then stands there."""
    app, field = composing(stage)
    chat_view(app).composer.put("درود دنیا")
    stage.press(app, "Home", "Left", "Left")
    assert field.insertion == 2
    stage.press(app, "End", "Right", "BackSpace")
    assert field.written == "درود دنا"
    stage.press(app, "ctrl+Right")
    assert field.insertion == 5


def test_what_is_selected_with_the_keyboard_is_replaced(stage: Stage) -> None:
    """Shift with the arrows selects as one sees, typing replaces it, and undo brings it back."""
    app, field = composing(stage)
    chat_view(app).composer.put("یک دو سه")
    stage.press(app, "Home", "shift+Left", "shift+Left", "shift+Left")
    assert field.selection == (0, 3)
    stage.press(app, "shift+Right")
    assert field.selection == (0, 2)
    stage.until(lambda: bool(items(field.picture, "rectangle")), "the selection is drawn")
    stage.write(app, "x")
    assert field.written == "x دو سه"
    stage.press(app, "ctrl+z", "ctrl+z")
    stage.until(lambda: field.written == "یک دو سه", "undone")


def test_a_click_puts_the_caret_where_it_was_pressed(stage: Stage) -> None:
    """Every place in a mixed text of several lines is reached with the mouse."""
    app, field = composing(stage)
    text = "درود (دنیا) with Latin\nand سطر دوم"
    chat_view(app).composer.put(text)
    stage.until(lambda: len(field.edit_layout.rows) == 2, "both lines are laid out")
    for index in (0, 3, 7, 11, 14, 23, 27, 29):
        click(stage, app, field, index)
        caret, wanted = field.edit_layout.caret(field.insertion), field.edit_layout.caret(index)
        assert (caret.row, caret.x) == (wanted.row, wanted.x), index
    click(stage, app, field, 2, count=2)
    stage.until(lambda: field.selection == (0, 4), "a double click selects the word")


def test_up_and_down_keep_their_column(stage: Stage) -> None:
    """Down goes to what stands below, not to the same count of letters; a short line between
    does not lose the place."""
    app, field = composing(stage)
    chat_view(app).composer.put("یک سطر بلند برای آزمایش\nک\nیک سطر بلند برای آزمایش")
    stage.until(lambda: len(field.edit_layout.rows) == 3, "laid out")
    field.put_insertion(10)
    before = field.edit_layout.caret(10).x
    stage.press(app, "Down", "Down")
    caret = field.edit_layout.caret(field.insertion)
    assert caret.row == 2
    assert abs(caret.x - before) <= 6
    stage.press(app, "Up", "Up")
    assert field.insertion == 10


def test_a_column_is_kept_however_fast_the_keys_come_and_left_by_a_letter(stage: Stage) -> None:
    """Two keys before anything is drawn go straight down; up begins where one has typed."""
    app, field = composing(stage)
    chat_view(app).composer.put("یک سطر بلند برای آزمایش\nک\nیک سطر بلند برای آزمایش")
    stage.pump()
    stage.front(app)
    field.put_insertion(10)
    before = field.edit_layout.caret(10).x
    for _ in range(2):
        field.event_generate("<Down>")
    caret = field.edit_layout.caret(field.insertion)
    assert caret.row == 2
    assert abs(caret.x - before) <= 6
    stage.press(app, "Up")
    stage.write(app, "م")
    typed = field.edit_layout.caret(field.insertion).x
    stage.press(app, "Up")
    caret = field.edit_layout.caret(field.insertion)
    assert caret.row == 0
    assert abs(caret.x - typed) <= 6


def test_the_field_grows_with_what_is_drawn(stage: Stage) -> None:
    """As many rows as the joined text needs, at most seven; the caret stays in view."""
    app, field = composing(stage)
    chat_view(app).composer.put("سلام دنیا " * 12)
    stage.until(lambda: len(field.edit_layout.rows) > 1, "broken into rows")
    stage.until(lambda: int(field.cget("height")) == len(field.edit_layout.rows), "as high")
    chat_view(app).composer.put("سلام دنیا " * 120)
    stage.until(lambda: int(field.cget("height")) == 7, "no higher")
    stage.press(app, "ctrl+End")
    caret = field.edit_layout.caret(field.insertion)
    assert 0 <= field.picture._y(caret.row) < field.picture.winfo_height()
    stage.press(app, "ctrl+Home")
    caret = field.edit_layout.caret(field.insertion)
    assert 0 <= field.picture._y(caret.row) < field.picture.winfo_height()


def test_a_long_text_is_typed_without_delay(stage: Stage) -> None:
    """A letter typed into the longest text is drawn within 200 ms."""
    app, field = composing(stage)
    chat_view(app).composer.put(("سلام دنیا این یک متن بلند است " * 600)[:8000])
    stage.pump()

    def typed() -> None:
        field.insert("insert", "ی")
        field.refresh()

    assert seconds_of(typed) < 0.2


def test_what_comes_in_while_one_writes_eats_no_letter(stage: Stage) -> None:
    """Bob goes at the very moment of a key or a paste: the field is drawn anew, and keeps both."""
    engine = FakeEngine()
    engine.say(BOB, "hello")
    app = talking_to_bob(stage, engine)
    field = chat_view(app).composer.text
    assert app.chat is not None
    for letter in "awa":
        field.insert("insert", letter)
    stage.pump()
    field.insert("insert", "y")  # a paste by the mouse: Tk says so behind all that waits already
    engine.meet(BOB, online=False)
    app.chat.poll()
    chat_view(app).refresh()
    assert field.written == "away"
    stage.front(app)
    field.event_generate("<Key>", keysym="exclam")
    assert app.chat.draft == "away!"  # a key is known at once, whatever it is followed by


def test_an_entry_shows_persian_in_one_row(stage: Stage) -> None:
    """A single row: joined, moved sideways so that the caret is in view; Return and pasted line
    ends do not break it, Tab leaves it."""
    app, _ = composing(stage)
    view = chat_view(app)
    submitted: list[str] = []
    entry = ShapedEntry(view, app._ui, hint="Search")
    entry.bind("<<Submit>>", lambda _: submitted.append(entry.value))
    entry.place(x=20, y=20, width=220)
    entry.focus_set()
    stage.write(app, "سلام")
    stage.until(lambda: any("\ufeb3" in text for text in drawn(entry)), "joined letters")
    app.root.clipboard_clear()
    app.root.clipboard_append("یک\nدو " * 20)
    stage.press(app, "ctrl+v", "Return")
    assert "\n" not in entry.value
    assert submitted == [entry.value]
    stage.pump()
    caret = entry.edit_layout.caret(entry.insertion)
    assert 0 <= entry.picture._x(caret.x) <= entry.picture.winfo_width()
    stage.press(app, "Home")
    caret = entry.edit_layout.caret(entry.insertion)
    assert entry.insertion == 0
    assert 0 <= entry.picture._x(caret.x) <= entry.picture.winfo_width()
    stage.press(app, "Tab")
    assert app.root.focus_get() is not entry


def test_a_persian_search_is_joined_and_finds(stage: Stage) -> None:
    """What is searched for is shown joined, and messages with these words are found."""
    engine = FakeEngine()
    engine.say(BOB, "فردا جلسه داریم")
    app = talking_to_bob(stage, engine)
    view = chat_view(app)
    stage.press(app, "ctrl+k")
    stage.write(app, "جلسه")
    search = view.search
    assert isinstance(search, ShapedEntry)
    stage.until(lambda: bool(drawn(search)), "joined")
    assert search.value == "جلسه"
    stage.until(lambda: app.chat is not None and bool(app.chat.found), "the message is found")
    stage.press(app, "Escape")
    stage.until(lambda: search.value == "", "cleared")
