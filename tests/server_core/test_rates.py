"""Every rate: who asks for more is told so, with a time after which it is true no more."""

from collections.abc import Callable
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import (
    BLOBS,
    BlobPut,
    Error,
    KeysGet,
    ManifestGet,
    Message,
    MyData,
    Ping,
    encode_header,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import Peer, Person, World, pm

Refused = tuple[Code | None, float | None]
Provoke = Callable[[World], Refused]
_ONCE = Rate(0.5, 1)


def bye(peer: Peer) -> Refused:
    return peer.connection.bye, peer.connection.retry_after


def limited(peer: Peer) -> Refused:
    """The one request that was refused for its rate; it is named."""
    (error,) = [message for message, _ in peer.news()
                if isinstance(message, Error) and message.code is Code.RATE_LIMITED]  # fmt: skip
    assert error.ref == 2 or error.id == (2).to_bytes(16, "big")
    return error.code, error.retry_after


def asking(*said: Message | tuple[Message, bytes]) -> Provoke:
    """Somebody logged in says both at once; the second is refused."""

    def provoke(world: World) -> Refused:
        alice = world.person("alice", features=(BLOBS,))
        alice.peer.send(*said)
        return limited(alice.peer)

    return provoke


def registering(world: World) -> Refused:
    world.person("alice")
    answer = world.connect().register(Person(world, "bob"))
    assert isinstance(answer, Error)
    return answer.code, answer.retry_after


def logging_in(world: World) -> Refused:
    alice = world.person("alice")
    alice.login()
    peer = world.connect()
    answer = peer.login(alice)
    return (answer.code, answer.retry_after) if isinstance(answer, Error) else bye(peer)


def logging_in_after_registering(world: World) -> Refused:
    """A registration logs in too."""
    alice = world.person("alice")
    peer = world.connect()
    peer.login(alice)
    return bye(peer)


def flooding(world: World) -> Refused:
    alice = world.person("alice")
    alice.peer.raw(*[Frame(encode_header(Ping()), b"")] * 2)
    return bye(alice.peer)


def nonsense(world: World) -> Refused:
    alice = world.person("alice")
    alice.peer.raw(*[Frame(b'{"type":"dance"}', b"")] * 2)
    return bye(alice.peer)


def nonsense_of_strangers(world: World) -> Refused:
    stranger = world.connect()
    stranger.raw(*[Frame(b'{"type":"dance"}', b"")] * 2)
    return bye(stranger)


def _chunk(ref: int) -> Message:
    return BlobPut(ref, BlobHash(bytes(32)), 9)


def guessing(world: World) -> Refused:
    alice = world.person("alice")
    alice.peer.send(ManifestGet(1, "nobody"))  # else both are looked up at once
    alice.peer.news()
    alice.peer.send(ManifestGet(2, "alice"))
    return limited(alice.peer)


PROVOKE: dict[str, Provoke] = {
    "requests": asking(ListMessage(1), ListMessage(2)),
    "messages": asking(pm("bob/main", b"x", 1), pm("bob/main", b"y", 2)),
    "frames": flooding,
    "refusals": nonsense,
    "refusals_of_strangers": nonsense_of_strangers,
    "blob_chunks": asking(_chunk(1), _chunk(2)),
    "bundles": asking(KeysGet(1, "alice/main"), KeysGet(2, "alice/main")),
    "registrations": registering,
    "logins": logging_in,
    "logins_of_account": logging_in_after_registering,
    "book_pages": asking(MyData(1), MyData(2)),
    "misses": guessing,
}
_NO_REFUSAL = {"one_time_keys", "one_time_keys_of_address"}  # beyond it: the last-resort key


def test_every_rate_is_provoked() -> None:
    """A later one needs a line above."""
    names = {name for name in Settings().__struct_fields__
             if isinstance(getattr(Settings(), name), Rate)}  # fmt: skip
    assert set(PROVOKE) | _NO_REFUSAL == names
    assert set(Rates(Settings()).all()) <= names


@pytest.mark.parametrize("name", PROVOKE)
def test_who_asks_for_more_is_told_when_to_come_again(
    make_world: Callable[..., World], name: str
) -> None:
    """`rate_limited`, with the seconds that the rate names, or the calm of a closed connection."""
    changed: dict[str, Any] = {name: _ONCE}
    if name == "misses":
        changed["directory"] = "by-name"
    code, retry_after = PROVOKE[name](make_world(Settings(registration="open", **changed)))
    assert code is Code.RATE_LIMITED
    assert retry_after
    closed = name in {"frames", "refusals", "refusals_of_strangers"}
    assert retry_after == (10 if closed else pytest.approx(2, abs=0.1))
