"""Two real windows, the real engine, a real server over TLS, and real key presses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.api import Engine
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.rows import Action, BubbleRow, Delivery, Mark
from secure_chat.client.presenter.settings import Options
from secure_chat.client.presenter.signin import Field
from secure_chat.client.window.app import App
from secure_chat.protocol.addresses import UserId
from tests.client.world import World
from tests.support.processes import ServerProcess
from tests.window.lies import name_other_keys
from tests.window.stage import Stage, chat_view, drawn_texts, signin_view

pytestmark = [pytest.mark.window, pytest.mark.timeout(240)]
PASSWORD = "correct horse battery"
ALICE, BOB = UserId("alice"), UserId("bob")
SALAM = "سلام، خوبی؟"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server in a process of its own that takes people with an invite."""
    with ServerProcess(tmp_path / "server", registration="invite") as running:
        yield running


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server in this process, which can be made to lie."""
    made = World(tmp_path / "world")
    yield made
    made.close()


def register(stage: Stage, server: ServerProcess, home: Path, name: str) -> App:
    """Sign up as a newcomer does: paste the link, type the rest."""
    app = stage.open(Profiles(home), Options(link=str(server.link(server.new_invite()))))
    stage.write(app, name)
    for text in (PASSWORD, PASSWORD):
        stage.press(app, "Tab")
        stage.write(app, text)
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, f"{name} is registered")
    return app


def sign_in(stage: Stage, home: Path) -> App:
    """Come back: only the password is asked for."""
    app = stage.open(Profiles(home))
    stage.write(app, PASSWORD)
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "signed in")
    return app


def find(stage: Stage, app: App, name: str) -> None:
    """Search for somebody and open the conversation."""
    stage.until(lambda: name in [row.user_id for row in chat(app).people], f"{name} is in the list")
    stage.press(app, "ctrl+k")
    stage.write(app, name)
    stage.press(app, "Return")
    stage.until(lambda: chat(app).selected == name, f"{name} is open")


def say(stage: Stage, app: App, text: str) -> None:
    stage.write(app, text)
    stage.press(app, "Return")


def chat(app: App) -> Chat:
    assert app.chat is not None
    return app.chat


def engine(app: App) -> Engine:
    assert app._engine is not None
    return app._engine


def texts(app: App) -> list[str]:
    return [row.text for row in chat(app).timeline.rows if isinstance(row, BubbleRow)]


def deliveries(app: App) -> list[Delivery]:
    return [row.delivery for row in chat(app).timeline.rows if isinstance(row, BubbleRow)]


def mark(app: App) -> Mark:
    return chat(app).panel.mark


def test_two_people_register_talk_verify_and_come_back(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """By link, both ways, Persian included; verified by comparing; history after a restart."""
    alice = register(stage, server, tmp_path / "a", "Alice")
    bob = register(stage, server, tmp_path / "b", "bob")
    stage.until(lambda: "X25519MLKEM768" in chat(alice).secured, "the hybrid key exchange")
    find(stage, alice, BOB)
    find(stage, bob, ALICE)
    engine(bob).accept_request(ALICE)
    say(stage, alice, "Hello Bob")
    stage.until(lambda: "Hello Bob" in drawn_texts(bob), "it arrives")
    say(stage, bob, SALAM)
    stage.until(lambda: texts(alice) == ["Hello Bob", SALAM], "the answer arrives")
    stage.until(lambda: any("\ufeb3" in text for text in drawn_texts(alice)), "joined letters")
    stage.until(lambda: deliveries(alice)[0] is Delivery.DELIVERED, "with Bob's device")

    stage.until(lambda: mark(alice) is Mark.NEW and mark(bob) is Mark.NEW, "both know a key")
    number = chat(alice).panel.safety_number
    assert len(number) == 12
    assert number == chat(bob).panel.safety_number
    assert chat(alice).panel.our_fingerprint == chat(bob).panel.their_fingerprint
    chat_view(alice).compare()
    stage.press(alice, "Tab", "Return")
    stage.until(lambda: mark(alice) is Mark.VERIFIED, "verified")
    stage.press(alice, "Escape")
    assert mark(bob) is Mark.NEW

    stage.close(alice)
    say(stage, bob, "while you were away")
    stage.until(lambda: deliveries(bob)[-1] is Delivery.ACCEPTED, "on the server's disk")
    again = sign_in(stage, tmp_path / "a")
    find(stage, again, BOB)
    stage.until(
        lambda: texts(again) == ["Hello Bob", SALAM, "while you were away"], "history and news"
    )
    assert mark(again) is Mark.VERIFIED
    # Alice has verified Bob, so her window says what she has read; Bob's, with an unverified
    # contact, does not.
    stage.until(lambda: deliveries(bob)[-1] is Delivery.READ, "read after the restart")
    assert deliveries(again)[0] is Delivery.DELIVERED


def test_a_used_invite_and_a_taken_name_are_said_beside_their_fields(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """The server's refusal comes back to the form, and nothing half made stays behind."""
    link = str(server.link(server.new_invite()))
    first = stage.open(Profiles(tmp_path / "a"))
    fill(first, link, "alice")
    stage.until(lambda: first.chat is not None, "registered")
    stage.close(first)

    second = stage.open(Profiles(tmp_path / "b"))
    fill(second, link, "bob")
    stage.until(lambda: "used up" in mistake(second, Field.LINK), "the used invite is said")
    fresh = str(server.link(server.new_invite()))
    fill(second, fresh, "Alice")
    stage.until(lambda: "taken" in mistake(second, Field.NAME), "the taken name is said")
    fill(second, fresh, "bob")
    stage.until(lambda: second.chat is not None, "another name works with the same invite")
    assert [profile.name for profile in Profiles(tmp_path / "b").known()] == ["bob"]


def fill(app: App, link: str, name: str) -> None:
    """Put these into the fields and press the button."""
    view = signin_view(app)
    values = {Field.LINK: link, Field.NAME: name, Field.PASSWORD: PASSWORD, Field.REPEAT: PASSWORD}
    for field, text in values.items():
        view.fields[field].delete(0, "end")
        view.fields[field].insert(0, text)
    view.submit()


def mistake(app: App, field: Field) -> str:
    """What is said beside a field now."""
    return signin_view(app).mistake_beside(field)


def test_the_server_goes_and_comes_back(
    stage: Stage, server: ServerProcess, tmp_path: Path
) -> None:
    """Offline: a banner that counts, messages wait; back: they go out by themselves."""
    alice = register(stage, server, tmp_path / "a", "alice")
    bob = register(stage, server, tmp_path / "b", "bob")
    find(stage, alice, BOB)
    find(stage, bob, ALICE)
    engine(bob).accept_request(ALICE)
    say(stage, alice, "before")
    stage.until(lambda: texts(bob) == ["before"], "it arrives")
    server.kill()
    stage.until(lambda: chat(alice).banner is not None, "the banner")
    say(stage, alice, "during")
    stage.until(lambda: deliveries(alice)[-1] is Delivery.WAITING, "it waits")
    server.start()
    chat(alice).act(Action.RECONNECT)
    stage.until(lambda: texts(bob) == ["before", "during"], "it goes out")
    stage.until(lambda: chat(alice).banner is None, "no banner any more")


def test_a_swapped_key_of_a_verified_contact_stops_the_window_from_sending(
    stage: Stage, world: World, tmp_path: Path
) -> None:
    """The server names other keys for bob: the window warns, holds, and sends on a yes alone."""
    bob = world.person("bob")
    alice = stage.open(Profiles(tmp_path / "a"))
    fill(alice, str(world.server.link()), "alice")
    stage.until(lambda: alice.chat is not None, "registered")
    find(stage, alice, BOB)
    say(stage, alice, "hello")
    bob.has(ALICE, "hello")
    stage.until(lambda: mark(alice) is Mark.NEW, "the key is known")
    old = chat(alice).panel.safety_number
    chat_view(alice).compare()
    stage.press(alice, "Tab", "Return")
    stage.until(lambda: mark(alice) is Mark.VERIFIED, "verified")
    stage.press(alice, "Escape")

    name_other_keys(world, BOB)
    say(stage, alice, "secret")
    stage.until(lambda: mark(alice) is Mark.CHANGED, "the change is seen")
    stage.until(lambda: deliveries(alice)[-1] is Delivery.HELD, "held, with the reason")
    warning = chat(alice).warning
    assert warning is not None
    assert "bob" in warning.text
    assert chat(alice).panel.safety_number != old
    say(stage, alice, "more")
    assert texts(alice) == ["hello", "secret"]
    assert bob.texts(ALICE) == ["hello"]
