"""What the window itself does with hostile text, whatever the layers below it let through.

Rows are given to the widgets as no presenter would make them: raw, in every field that a peer or a
server has a say in.
"""

import re
import tkinter as tk
from collections.abc import Iterator

import pytest

from secure_chat.client.events import Attachment, FileState, MessageState
from secure_chat.client.presenter.people import PersonRows
from secure_chat.client.presenter.rows import (
    BubbleRow,
    Delivery,
    FileAction,
    FileRow,
    HeaderRow,
    Mark,
    NoticeRow,
    PersonRow,
    QuoteRow,
    ResultRow,
)
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.presenter.timeline import Reset
from secure_chat.client.text.clean import MOST_MARKS
from secure_chat.client.window.app import App
from secure_chat.client.window.chat_view import ChatView
from secure_chat.client.window.pages.page import descendants
from secure_chat.protocol.addresses import UserId
from tests.window.fakes import FakeAccounts, FakeEngine, at
from tests.window.scenes import BOB
from tests.window.stage import (
    Stage,
    all_texts,
    chat_view,
    drawn_texts,
    item_option,
    items,
    most_marks,
)

pytestmark = pytest.mark.window

RAW = "\u202egpj.exe\u2066\u200f\x1b[31m\x9b2J\x07 [exit] $env(HOME) {x"
MARKED = "e" + "\u0301" * 40
ZALGO = f"{MARKED} {MARKED} ن" + "\u064b\u0651" * 20
INERT = "gpj.exe"


def raw_window(stage: Stage, text: str) -> App:
    """A window whose widgets were given ``text`` wherever somebody else has a say."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = stage.open(FakeAccounts(engine))
    app._start_chat(engine)
    view = chat_view(app)
    view.select(BOB)
    stage.until(app.root.winfo_viewable, "shown")
    stage.pump()
    bubble = BubbleRow(
        "1", text, ours=False, when="14:05", delivery=Delivery.NONE, state="", problem=text,
        flag=text, number=1, quote=QuoteRow(1, text, text, ours=False),
        file=FileRow(text, text, FileAction.SAVE, "Save", problem=text),
    )  # fmt: skip
    plain = BubbleRow("2", text, ours=True, when=text, delivery=Delivery.READ, state="", number=2)
    view.messages.show([bubble, plain, NoticeRow("3", text, "14:06", 3)], [Reset()])
    view.messages.draw()
    user_id = UserId(text)
    person = PersonRow(
        user_id, text, "14:05", online=True, mark=Mark.NEW, unread=1, selected=False, spoken="",
        title=text, calls_itself=text,
    )  # fmt: skip
    view.side.people.show(PersonRows([user_id], lambda _: person), "")
    view.side.people._draw()
    view.conversation._header.show(
        HeaderRow(
            user_id,
            text,
            online=True,
            mark=Mark.NEW,
            trust=text,
            title=text,
            calls_itself=text,
            known=True,
            timer=text,
        )
    )
    found = ResultRow(BOB, 1, text, "14:05", text, text, text)
    view.side.results.canvas.configure(width=300, height=200)
    view.side.results.show([found])
    view.side.results._draw()
    if app.chat is not None:
        app.chat.report(text)
    view.conversation.show_problem()
    app.root.update_idletasks()
    return app


def shown(app: App) -> Iterator[str]:
    """Every text that Tk was given to draw."""
    yield from all_texts(app.root)
    waiting: list[tk.Misc] = [app.root]
    while waiting:
        widget = waiting.pop()
        waiting += widget.winfo_children()
        if isinstance(widget, tk.Canvas):
            yield from (item_option(widget, one, "text") for one in items(widget, "text"))


def test_attack_59_the_window_shows_the_true_end_of_whatever_name_it_is_given(
    stage: Stage,
) -> None:
    """Overrides, escapes and Tcl in any field of a row: drawn without what turns or obeys."""
    app = raw_window(stage, RAW)
    texts = list(shown(app))
    assert sum(INERT in text for text in texts) >= 12, "every field is drawn"
    assert not [text for text in texts if set(text) & set("\u202e\u2066\u200f\x1b\x9b\x07")]
    assert any("[exit] $env(HOME) {x" in text for text in texts), "Tcl is text like any other"


def test_attack_73_the_window_draws_few_marks_on_a_letter(stage: Stage) -> None:
    """Whatever it is given: `MOST_MARKS` on one letter, so that nobody writes over a neighbour."""
    app = raw_window(stage, ZALGO)
    drawn = [most_marks(text) for text in shown(app)]
    assert max(drawn) == MOST_MARKS
    assert sum(count == MOST_MARKS for count in drawn) >= 12, "every field is drawn"


def test_attack_72_the_card_of_a_look_alike_site_warns(stage: Stage) -> None:
    """Cyrillic letters in a familiar name: what really opens is shown, with a warning."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = stage.open(FakeAccounts(engine))
    app._start_chat(engine)
    view = chat_view(app)
    assert isinstance(view, ChatView)
    view.select(BOB)
    view.conversation.deeds.open_link("https://аррӏе.com/login")
    stage.until(lambda: any("xn--" in text for text in all_texts(app.root)), "the real name")
    said = " ".join(" ".join(all_texts(app.root)).split())
    assert "other alphabets" in said


def test_attack_72_a_name_of_ones_own_leaves_the_accounts_in_sight(stage: Stage) -> None:
    """However little room there is beside the panel, words about trust give way to the account's
    name; and a sentence of ours in the list runs as the interface does, whoever begins it."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = stage.open(FakeAccounts(engine), settings=Settings("fa"))
    app._start_chat(engine)
    view = chat_view(app)
    view.select(BOB)
    stage.pump()
    header = view.conversation._header
    header.show(
        HeaderRow(
            BOB,
            "",
            online=True,
            mark=Mark.NEW,
            trust="تازه، مقایسه نشده " * 3,
            title="باب (دانشگاه)",
        )
    )
    assert "bob" in [str(one.cget("text")) for one in descendants(header) if type(one) is tk.Label]
    person = PersonRow(
        BOB, "bob پیام‌ها را پاک کرد", "", online=True, mark=Mark.NEW, unread=0, selected=False,
        spoken="", preview_is_notice=True,
    )  # fmt: skip
    canvas = view.side.people.canvas
    view.side.people.show(PersonRows([BOB], lambda _: person), "")
    view.side.people._draw()
    texts = [item_option(canvas, one, "text") for one in items(canvas, "text")]
    assert [text for text in texts if text.removesuffix(" ⓘ").endswith(" bob")], texts


@pytest.mark.parametrize("digits", ["auto", "latin"])
def test_every_number_on_the_screen_is_in_the_digits_of_the_person(
    stage: Stage, digits: str
) -> None:
    """Times, days, counts, sizes and badges; but for safety numbers, whose groups stay as the
    other side reads them, and for what stands in names, addresses and messages."""
    engine = FakeEngine()
    for number in range(3):
        engine.say(BOB, "سلام", ago=3_000 * number, state=MessageState.READ, ours=number == 1)
    engine.say(BOB, "", file=Attachment("نامه", 812_000, "a/b", FileState.OFFERED))
    engine.say(BOB, "می‌رود", timer=3600, expires=at(-30))
    engine.unread[BOB] = 12
    settings = Settings("fa", digits=digits)
    app = stage.open(FakeAccounts(engine), settings=settings)
    app._start_chat(engine)
    view = chat_view(app)
    view.select(BOB)
    stage.until(lambda: len(drawn_texts(app)) > 8, "drawn")
    numbers = [one for one in shown(app) if any(char.isdecimal() for char in one)]
    ours = [one for one in numbers if not re.search(r"[A-Za-z]|^\d{5}$", one, re.ASCII)]
    wrong = set("0123456789") if digits == "auto" else set("۰۱۲۳۴۵۶۷۸۹")
    assert len(ours) >= 6
    assert not [one for one in ours if set(one) & wrong]
    assert sum(bool(re.fullmatch(r"\d{5}", one, re.ASCII)) for one in numbers) >= 12
