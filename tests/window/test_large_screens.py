"""The window on a dense screen, and with a very long conversation."""

import tkinter as tk
from pathlib import Path

import pytest

from secure_chat.client.presenter import talk
from secure_chat.client.presenter.settings import Settings
from tests.support.timing import seconds_of
from tests.window.fakes import FakeAccounts, FakeEngine
from tests.window.scenes import BOB, talking_to_bob
from tests.window.stage import Stage, chat_view, drawn_texts, items

pytestmark = pytest.mark.window
MANY = 100_000
PAGE_SECONDS = 0.005  # of processor time; measured: 0.0015


def test_everything_is_twice_as_large_at_192_dots_an_inch(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desktop's Xft.dpi makes letters, distances, outlines and drawn signs larger alike."""
    usual, scaling = _sizes(stage)
    resources = tmp_path / "resources"
    resources.write_text(f"Xft.dpi: {2 * round(scaling * 72)}\n", encoding="ascii")
    monkeypatch.setenv("XENVIRONMENT", str(resources))  # Xlib's file beside what xrdb loads
    try:
        large, _ = _sizes(stage)
    finally:  # all windows of a process share it
        root = tk.Tk()
        root.tk.call("tk", "scaling", scaling)
        root.destroy()
    assert {name: large[name] / usual[name] for name in usual} == {
        name: pytest.approx(2, abs=0.4) for name in usual
    }


def test_an_outline_stays_pale_while_a_field_has_the_keyboard(stage: Stage) -> None:
    """Tk draws a frame's outline in another colour, black, once something in it has the focus."""
    app = stage.open(FakeAccounts(FakeEngine()), settings=Settings())
    field = app.root.focus_lastfor()
    assert field is not None
    card = field.master
    assert card is not None
    while not int(str(card.cget("highlightthickness"))):
        card = card.master
        assert card is not None
    assert str(card.cget("highlightcolor")) == str(card.cget("highlightbackground"))


def test_a_hundred_thousand_messages_page_within_five_ms(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them in the list: what is drawn is what is in view, however far one goes."""
    monkeypatch.setattr(talk, "_PAGE", MANY // 2)  # a person would press Page Up a thousand times
    engine = FakeEngine()
    engine.fill(BOB, (f"message {i} " + "word " * (i % 40) for i in range(MANY)))
    app = talking_to_bob(stage, engine)
    assert app.chat is not None
    while app.chat.load_earlier():
        pass
    view = chat_view(app)
    assert seconds_of(view.refresh) < 1
    messages = view.messages

    def stands_there(text: str) -> bool:
        return any(text in one for one in drawn_texts(app))

    def page(key: str) -> None:
        messages.canvas.event_generate(key)
        messages.draw()

    messages.canvas.focus_set()
    stage.press(app, "Home")
    stage.until(lambda: stands_there("message 0"), "the beginning")
    down = sorted(seconds_of(lambda: page("<Next>")) for _ in range(20))
    stage.press(app, "End")
    stage.until(lambda: stands_there(f"message {MANY - 1}"), "the end")
    up = sorted(seconds_of(lambda: page("<Prior>")) for _ in range(20))
    assert max(down[10], up[10]) < PAGE_SECONDS
    assert len(messages.canvas.find_all()) < 400


def _sizes(stage: Stage) -> tuple[dict[str, float], float]:
    """What must grow with the density of the screen, in pixels; and the screen's pixels a point."""
    engine = FakeEngine()
    engine.say(BOB, "good morning")
    engine.say(BOB, "good morning to you", ours=True)
    app = talking_to_bob(stage, engine)
    ui, view = app._ui, chat_view(app)
    canvas = view.messages.canvas
    _, top, _, bottom = canvas.bbox(items(canvas, "text")[-1])
    left, _, right, _ = canvas.bbox(items(canvas, "oval")[0])
    scaling = float(app.root.tk.call("tk", "scaling"))
    found: dict[str, float] = {
        **{name: font.metrics("linespace") for name, font in ui.fonts.items()},
        "a padding": ui.px(14),
        "a drawn text": bottom - top,
        "the waiting sign": right - left,
        "the outline of the composer": int(str(view.composer.text.cget("highlightthickness"))),
        "the caret": int(str(view.composer.text.cget("insertwidth"))),
        "a button": view.composer.button.winfo_reqheight(),
        "the column of people": view.people.canvas.winfo_reqwidth(),
        "the narrowest window": app.root.minsize()[0],
    }
    stage.close(app)
    return found, scaling
