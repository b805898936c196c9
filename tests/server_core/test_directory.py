"""Directory modes: everybody is listed, or nobody whom one does not know by name."""

from collections.abc import Callable
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.messages import (
    Error,
    KeysGet,
    Manifest,
    ManifestGet,
    Ok,
    Presence,
    Users,
    Watch,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import Person, World, pm

BY_NAME = Settings(registration="open", directory="by-name", misses=Rate(1 / 30, 3))


@pytest.fixture
def private(make_world: Callable[..., World]) -> World:
    return make_world(BY_NAME)


def watch(person: Person, *names: str) -> list[Any]:
    person.peer.send(Watch(5, presence=True, names=list(names)))
    return [message for message, _ in person.peer.news()]


def test_by_name_nobody_is_listed(private: World) -> None:
    """Neither the list nor the presence of all; both are refused by a code that says why."""
    alice = private.person("alice")
    private.person("bob")
    alice.peer.send(ListMessage(1))
    assert alice.peer.expect(Error).code is Code.NOT_LISTED
    assert watch(alice)[0].code is Code.NOT_LISTED
    private.person("carol")
    private.advance(3)
    assert alice.peer.news() == []


def test_by_name_presence_is_told_of_those_who_were_named(private: World) -> None:
    """Who is here now first, then the answer; then comings and goings, of nobody else."""
    alice, bob = private.person("alice"), private.person("bob")
    private.advance(3)
    assert watch(alice, "Bob", "carol", "nobody") == [Presence(["bob"]), Ok(5)]
    bob.peer.hang_up()
    private.person("dave")
    private.advance(3)
    assert [message for message, _ in alice.peer.news()] == [Presence([], ["bob"])]
    carol = private.person("carol")
    private.advance(3)
    assert [message for message, _ in alice.peer.news()] == [Presence(["carol"])]
    assert watch(alice, "bob") == [Ok(5)]  # in place of the names before
    carol.peer.hang_up()
    private.advance(3)
    assert alice.peer.news() == []
    alice.peer.send(Watch(6, presence=False))
    bob.login()
    private.advance(3)
    assert [message for message, _ in alice.peer.news()] == [Ok(6)]


@pytest.mark.parametrize("how", ["by name", "list"])
def test_who_was_asked_for_in_the_second_of_coming_and_going_is_not_left_here(
    make_world: Callable[..., World], how: str
) -> None:
    """An answer between two announcements is corrected by the next one, or was right already."""
    world = make_world(BY_NAME if how == "by name" else Settings(registration="open"))
    alice = world.person("alice")
    world.advance(3)
    bob = world.person("bob")
    here: set[str] = set()
    alice.peer.send(Watch(5, presence=True, names=["bob"] if how == "by name" else []))
    if how == "list":
        alice.peer.send(ListMessage(6))
    bob.peer.hang_up()
    world.advance(3)
    for message, _ in alice.peer.news():
        if isinstance(message, Users):
            here |= {one.user_id for one in message.users if one.online}
        elif isinstance(message, Presence):
            here = (here | set(message.online)) - set(message.offline)
    assert "bob" not in here


def test_names_can_be_followed_where_everybody_is_listed(world: World) -> None:
    """The same message works on every server; without names it is everybody."""
    alice = world.person("alice")
    world.person("bob")
    world.advance(3)
    assert watch(alice, "bob") == [Presence(["bob"]), Ok(5)]
    world.person("carol")
    world.advance(3)
    assert alice.peer.news() == []
    alice.peer.send(ListMessage(1))
    assert isinstance(alice.peer.news()[0][0], Users)


def test_the_number_of_followed_names_is_bounded(private: World) -> None:
    """One more than the limit is refused, and a name that breaks the rule too."""
    alice = private.person("alice")
    names = [f"person-{n}" for n in range(limits.WATCHED_NAMES)]
    assert watch(alice, *names) == [Ok(5)]
    assert watch(alice, *names, "one-more")[0].code is Code.BAD_FIELD
    assert watch(alice, "no name")[0].code is Code.BAD_USER_ID
    alice.peer.hang_up()
    private.advance(1)
    board = private.hub._presence
    assert not board._watched
    assert not board._names


def test_exact_names_reach_people(private: World) -> None:
    """Manifest, keys and messages by exact name, as on every server."""
    alice, bob = private.person("alice"), private.person("bob")
    alice.peer.send(ManifestGet(1, "Bob"))
    assert isinstance(alice.peer.news()[0][0], Manifest)
    alice.peer.send(pm("bob/main", b"hello"))
    assert [body for _, body in bob.peer.deliveries()] == [b"hello"]


def asks(world: World, person: Person) -> list[Callable[[str], Code | None]]:
    """Three ways to ask whether there is somebody: each tells the code of the answer."""

    def code(message: Any) -> Code | None:
        person.peer.send(message)
        answers = [one for one, _ in person.peer.news()]
        return answers[0].code if isinstance(answers[0], Error) else None

    return [
        lambda name: code(ManifestGet(1, name)),
        lambda name: code(KeysGet(2, f"{name}/main")),
        lambda name: code(pm(f"{name}/main", b"x")),
    ]


@pytest.mark.parametrize("how", [0, 1, 2])
def test_attack_10_guessing_names_is_limited(private: World, how: int) -> None:
    """After some misses a name that exists and one that does not get the same answer."""
    mallory = private.person("mallory")
    private.person("bob")
    private.advance(3)
    ask = asks(private, mallory)[how]
    assert [ask(f"guess-{n}") for n in range(3)] == [Code.UNKNOWN_USER] * 3
    assert ask("guess-3") is Code.RATE_LIMITED
    for other in asks(private, mallory):  # by none of the ways
        assert other("bob") is Code.RATE_LIMITED
    private.advance(31)
    assert ask("bob") is None
    assert private.person("alice").peer is not None  # others are not held up


def test_where_everybody_is_listed_guessing_is_no_secret(make_world: Callable[..., World]) -> None:
    """The list tells the names anyway: misses cost nothing more."""
    world = make_world(Settings(registration="open", misses=Rate(1 / 30, 1)))
    alice = world.person("alice")
    ask = asks(world, alice)[0]
    assert {ask(f"guess-{n}") for n in range(5)} == {Code.UNKNOWN_USER}
