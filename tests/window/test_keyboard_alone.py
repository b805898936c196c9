"""A whole dialogue without a mouse: a real window, real keys, the real engine, a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.rows import Delivery, Mark
from secure_chat.client.window.page_host import Kind
from secure_chat.client.window.pages.lock_page import LockView
from secure_chat.client.window.signin_view import SignInView
from tests.support.processes import ServerProcess
from tests.window.stage import Stage, chat_view, drawn_texts, shown
from tests.window.test_dialogues import account, choose
from tests.window.test_two_people import (
    BOB,
    PASSWORD,
    deliveries,
    find,
    mark,
    register,
    say,
)

pytestmark = [pytest.mark.window, pytest.mark.timeout(240)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own that takes people with an invite."""
    with ServerProcess(tmp_path / "server", registration="invite") as running:
        yield running


def test_a_life_with_the_keyboard_alone(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """Sign-up, find, write, a message's menu, verification, the lock, another password, what the
    server holds, and the account's end: every button is reached by Tab, none by anything else."""
    account(server, tmp_path / "b", "bob")
    alice = register(stage, server, tmp_path / "a", "alice")
    find(stage, alice, BOB)
    say(stage, alice, "worth copying")
    stage.until(lambda: deliveries(alice) == [Delivery.ACCEPTED], "sent")
    stage.press(alice, "ctrl+m")
    choose(stage, alice, "Copy text")
    assert alice.root.clipboard_get() == "worth copying"
    stage.press(alice, "Escape")
    stage.until(lambda: alice.root.focus_get() is chat_view(alice).composer.text, "back to write")

    stage.push(alice, "Compare and mark verified")
    stage.push(alice, "They are the same: mark verified")
    stage.until(lambda: mark(alice) is Mark.VERIFIED, "verified")
    stage.until(lambda: "verified by comparing" in shown(alice), "in the history of the key")
    stage.press(alice, "Escape")

    fresh = "another horse entirely"
    stage.press(alice, "ctrl+comma")
    stage.push(alice, "Change the password…")
    stage.until(lambda: alice.pages.kind is Kind.PASSWORD, "the page")
    for text in (PASSWORD, fresh, fresh):
        stage.write(alice, text)
        stage.press(alice, "Tab")
    stage.push(alice, "Change it")
    stage.until(lambda: "The password is changed" in shown(alice), "changed")
    stage.press(alice, "ctrl+l")
    stage.until(lambda: isinstance(alice.screen, LockView), "locked")
    assert "worth copying" not in shown(alice)
    stage.write(alice, PASSWORD)
    stage.press(alice, "Return")
    stage.until(lambda: "The password is wrong." in shown(alice), "the old one is refused")
    stage.write(alice, fresh)
    stage.press(alice, "Return")
    stage.until(lambda: alice.chat is not None, "unlocked")
    stage.close(alice)

    again = stage.open(Profiles(tmp_path / "a"))
    stage.write(again, fresh)
    stage.press(again, "Return")
    stage.until(lambda: again.chat is not None, "signed in with the new one")
    stage.until(lambda: "worth copying" in drawn_texts(again), "where one was")
    stage.press(again, "ctrl+comma")
    stage.push(again, "What the server holds about you")
    stage.until(lambda: "alice" in shown(again) and again.pages.kind is Kind.HELD, "the page")
    stage.press(again, "Escape")
    stage.push(again, "Delete the account…")
    stage.until(lambda: again.pages.kind is Kind.DELETE, "the page")
    stage.write(again, "alice")
    stage.push(again, "Remove keys and history from this device too")
    stage.push(again, "Delete the account")
    stage.until(lambda: isinstance(again.screen, SignInView), "deleted")
    assert Profiles(tmp_path / "a").known() == []
