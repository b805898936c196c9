"""Two real windows and a real server: everything that two people do with messages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.presenter.rows import BubbleRow, Delivery, Mark, NoticeRow
from secure_chat.client.window.app import App
from secure_chat.protocol.addresses import UserId
from tests.support.processes import ServerProcess
from tests.window.stage import Stage, chat_view, drawn_texts
from tests.window.test_two_people import (
    ALICE,
    BOB,
    chat,
    deliveries,
    engine,
    find,
    mark,
    register,
    say,
    sign_in,
    texts,
)

pytestmark = [pytest.mark.window, pytest.mark.timeout(240)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own that takes people with an invite."""
    with ServerProcess(tmp_path / "server", registration="invite") as running:
        yield running


def rows(app: App) -> list[BubbleRow]:
    return [row for row in chat(app).timeline.rows if isinstance(row, BubbleRow)]


def verify(stage: Stage, app: App, other: UserId) -> None:
    """The two have compared their numbers."""
    stage.until(lambda: bool(chat(app).panel.safety_number), "the number")
    engine(app).mark_verified(other, " ".join(chat(app).panel.safety_number))
    stage.until(lambda: mark(app) is Mark.VERIFIED, "verified")


def accept(stage: Stage, app: App) -> None:
    """Whoever wrote first is no stranger any more."""
    stage.until(lambda: bool((one := chat(app).conversation) and one.request), "the request")
    engine(app).accept_request(ALICE)


def test_two_people_answer_edit_react_delete_and_let_disappear(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """With keys alone where a person has keys; drafts and history come back after a restart."""
    alice = register(stage, server, tmp_path / "a", "alice")
    bob = register(stage, server, tmp_path / "b", "bob")
    find(stage, alice, BOB)
    find(stage, bob, ALICE)
    say(stage, alice, "shall we meat")
    accept(stage, bob)
    stage.until(lambda: texts(bob) == ["shall we meat"], "it arrives")

    stage.press(alice, "Up", "BackSpace", "BackSpace")
    stage.write(alice, "et")
    stage.press(alice, "Return")
    stage.until(lambda: texts(bob) == ["shall we meet"], "the edit arrives")
    assert rows(bob)[0].edited
    talk = chat(bob).talk
    assert talk is not None
    assert [fact.value for fact in talk.versions(rows(bob)[0].number)] == [
        "shall we meet", "shall we meat",
    ]  # fmt: skip

    stage.press(bob, "ctrl+m", "ctrl+r")
    say(stage, bob, "yes")
    stage.until(lambda: texts(alice) == ["shall we meet", "yes"], "the answer arrives")
    quote = rows(alice)[1].quote
    assert quote is not None
    assert (quote.text, quote.ours, quote.number) == ("shall we meet", True, rows(alice)[0].number)

    chat_view(alice).conversation.deeds.react(rows(alice)[1].number, "❤️")
    stage.until(lambda: bool(rows(bob)[1].reactions), "the reaction arrives")
    assert not rows(bob)[1].reactions[0].ours

    verify(stage, alice, BOB)
    verify(stage, bob, ALICE)
    stage.write(alice, "h")
    stage.until(lambda: bool((row := chat(bob).header) and row.writing), "Bob sees her write")
    stage.press(alice, "BackSpace")
    stage.until(lambda: not ((row := chat(bob).header) and row.writing), "and stop")

    say(stage, alice, "regretted")
    stage.until(lambda: texts(bob)[-1] == "regretted", "it arrives")
    stage.front(bob)  # what nobody looks at is not read
    stage.until(lambda: deliveries(alice)[-1] is Delivery.READ, "read: Bob has verified her")
    chat_view(alice).conversation.deeds._gone({rows(alice)[-1].number}, for_both=True)
    stage.until(lambda: rows(bob)[-1].deleted, "taken back on both sides")

    bobs = chat(bob).talk
    assert bobs is not None
    assert bobs.set_timer(5)
    stage.until(lambda: bool((row := chat(alice).header) and row.timer), "the timer is known")
    notices = [row.text for row in chat(alice).timeline.rows if isinstance(row, NoticeRow)]
    assert any("disappear 5 seconds" in text for text in notices)
    say(stage, alice, "for five seconds")
    stage.until(lambda: texts(bob)[-1] == "for five seconds", "it arrives")
    stage.front(bob)
    stage.until(lambda: "for five seconds" not in texts(bob) + texts(alice), "gone on both sides")
    assert "for five seconds" not in drawn_texts(alice) + drawn_texts(bob)

    stage.press(alice, "ctrl+m", "Home", "ctrl+r")
    stage.write(alice, "half a sen")
    stage.close(alice)
    again = sign_in(stage, tmp_path / "a")
    stage.until(lambda: chat(again).selected == BOB, "the conversation is open again")
    stage.until(lambda: chat_view(again).composer.written == "half a sen", "the draft")
    strip = chat(again).composer.strip
    assert strip is not None
    assert strip.text == "shall we meet"
    assert texts(again)[:2] == ["shall we meet", "yes"]
    assert rows(again)[1].reactions[0].ours


def test_a_message_found_in_the_vault_is_gone_to(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """Persian typed with the letters of another keyboard finds the message."""
    alice = register(stage, server, tmp_path / "a", "alice")
    register(stage, server, tmp_path / "b", "bob")
    find(stage, alice, BOB)
    for text in ("كتاب علي", "something else"):
        assert chat(alice).send(text)
    stage.until(lambda: len(texts(alice)) == 2, "written")
    stage.until(lambda: deliveries(alice)[-1] is Delivery.ACCEPTED, "on the server")
    view = chat_view(alice)
    view.side.ask("کتاب")
    stage.until(lambda: len(chat(alice).found) == 1, "found")
    view.open_at(chat(alice).found[0])
    stage.until(lambda: view.messages.laid.current == f"message {rows(alice)[0].number}", "there")
