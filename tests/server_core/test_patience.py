"""A connection that only makes work is ended, with the reason and a time to come again."""

from collections.abc import Callable

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import (
    Accepted,
    Delivery,
    Error,
    KeysGet,
    KeysLow,
    ManifestGet,
    MyData,
    Ping,
    Pong,
    encode_header,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.server.core.mailbox import BUFFERED
from secure_chat.server.core.session import UNREAD
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import World, ack, pm

NONSENSE = {
    "unknown type": Frame(b'{"type":"dance"}', b""),
    "unknown field": Frame(b'{"type":"ping","loud":true}', b""),
    "a body that is none": Frame(b'{"type":"ping"}', b"x"),
    "an acknowledgement of nothing": Frame(b'{"type":"ack","seq":7}', b""),
    "a room": Frame(b'{"type":"chat","id":"AAAAAAAAAAAAAAAAAAAAAA","room":"x"}', b""),
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_attack_5_a_stranger_gets_few_answers(world: World, kind: str) -> None:
    """Before the login a score of refusals, or one that closes at once."""
    stranger = world.connect()
    stranger.raw(*[NONSENSE[kind]] * 1_000)
    assert len(stranger.news()) <= world.settings.refusals_of_strangers.burst
    assert stranger.connection.bye in {Code.RATE_LIMITED, Code.NOT_LOGGED_IN}
    if stranger.connection.bye is Code.RATE_LIMITED:
        assert stranger.connection.retry_after


@pytest.mark.parametrize("kind", NONSENSE)
def test_attack_17_nonsense_without_end_ends_the_connection(world: World, kind: str) -> None:
    """After the login a thousand; mistakes now and then are forgiven; nobody else is concerned."""
    alice, bob = world.person("alice"), world.person("bob")
    for _ in range(30):
        alice.peer.raw(*[NONSENSE[kind]] * 50)
        world.advance(1)
        assert not alice.peer.connection.bye
    alice.peer.news()
    alice.peer.raw(*[NONSENSE[kind]] * 5_000)
    assert alice.peer.connection.bye is Code.RATE_LIMITED
    assert alice.peer.connection.retry_after
    assert len(alice.peer.news()) <= world.settings.refusals.burst
    bob.peer.send(Ping())
    bob.peer.expect(Pong)
    alice.login()


def test_attack_17_frames_without_end_end_the_connection(make_world: Callable[..., World]) -> None:
    """Pings are no refusals, and yet there is an end to them; a steady stream is served."""
    world = make_world(Settings(registration="open", frames=Rate(100, 500)))
    alice = world.person("alice")
    ping = Frame(encode_header(Ping()), b"")
    for _ in range(20):
        alice.peer.raw(*[ping] * 100)
        world.advance(1)
    assert len(alice.peer.news()) == 2_000
    for _ in range(6):
        alice.peer.raw(*[ping] * 100)
    assert alice.peer.connection.bye is Code.RATE_LIMITED
    assert alice.peer.connection.retry_after


def test_attack_17_large_messages_count_for_several(make_world: Callable[..., World]) -> None:
    """A sender's rate bounds its bytes as well: 60 KiB count as 16 messages."""
    world = make_world(Settings(registration="open", messages=Rate(10, 100)))
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(*(pm("bob/main", bytes(61_000)) for _ in range(10)))
    news = [m for m, _ in alice.peer.news()]
    refused = [m for m in news if isinstance(m, Error)]
    assert len(news) - len(refused) == 100 // 15
    assert all(m.code is Code.RATE_LIMITED and m.retry_after for m in refused)
    world.advance(max(m.retry_after or 0 for m in refused))
    alice.peer.send(pm("bob/main", bytes(61_000)))
    assert not isinstance(alice.peer.news()[0][0], Error)


def test_attack_17_logins_over_and_over_must_wait(make_world: Callable[..., World]) -> None:
    """After a burst it is told when to come back; others and the session that stands go on."""
    world = make_world(Settings(registration="open", logins_of_account=Rate(0.5, 5)))
    alice, bob = world.person("alice"), world.person("bob")
    for _ in range(4):
        alice.login()
    standing = alice.peer
    peer = world.connect()
    assert peer.login(alice) is Code.RATE_LIMITED
    assert peer.connection.retry_after == 2
    standing.send(Ping())
    standing.expect(Pong)
    bob.login()
    world.advance(2)
    alice.login()


def test_attack_18_mail_waits_on_disk_for_who_does_not_read(
    world: World,
) -> None:
    """Nothing is pushed to a peer that takes nothing, and nothing is lost; then all comes."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"warm up"))  # from here on what comes is pushed at once
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.expect(Accepted)
    bob.peer.connection.buffered = BUFFERED
    alice.peer.send(*(pm("bob/main", b"waits", n) for n in range(1, 4)))
    world.advance(1)
    assert [type(m) for m, _ in alice.peer.news()] == [Accepted] * 3
    assert bob.peer.news() == []
    bob.peer.connection.buffered = BUFFERED - 1
    world.advance(1)
    assert [body for _, body in bob.peer.deliveries()] == [b"waits"] * 3


def test_attack_18_who_does_not_read_gets_no_more_answers(world: World) -> None:
    """Asked for or still on its way: refused with a time to wait, until what was sent is read."""
    alice = world.person("alice")
    alice.peer.connection.buffered = UNREAD
    asked = [ListMessage(1), MyData(2), KeysGet(3, "alice/main"), ManifestGet(4, "alice")]
    alice.peer.send(*asked)
    news = [m for m, _ in alice.peer.news()]
    assert [m.ref for m in news if isinstance(m, Error) and m.retry_after] == [1, 2, 3, 4]
    assert {m.code for m in news if isinstance(m, Error)} == {Code.OVERLOADED}
    alice.peer.connection.buffered = 0
    alice.peer.send_without_waiting(MyData(5))
    alice.peer.connection.buffered = UNREAD
    assert [m.ref for m, _ in alice.peer.news() if isinstance(m, Error)] == [5]
    alice.peer.connection.buffered = UNREAD - 1
    alice.peer.send(*asked)
    answers = [m for m, _ in alice.peer.news() if not isinstance(m, Error | KeysLow)]
    assert len(answers) == len(asked)
