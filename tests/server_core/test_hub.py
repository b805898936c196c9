"""Sessions: phases, the table of messages, presence, limits, the end."""

import logging
import typing
from collections.abc import Callable

import msgspec
import pytest

from secure_chat.errors import CODES, Code
from secure_chat.protocol import limits, messages
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import (
    AccountDelete,
    Ack,
    BlobGet,
    BlobPut,
    Chat,
    Delivery,
    Error,
    Hello,
    KeysGet,
    KeysPut,
    Login,
    ManifestGet,
    ManifestPut,
    Message,
    MyData,
    Phase,
    Ping,
    Pm,
    Pong,
    Presence,
    Register,
    Users,
    Watch,
    encode_header,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.protocol.wiretypes import BlobHash, DeliveryId
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import (
    FakeConnection,
    Person,
    World,
    ack,
    deletion_message,
    login_message,
    pm,
    register_message,
)
from tests.server_core.test_keys import next_manifest

CLIENT_TYPES: tuple[type[Message], ...] = typing.get_args(messages.ClientMessage)


def example(kind: type[Message], person: Person, victim: Person) -> tuple[Message, bytes]:
    """A well-formed message of each type that reaches for what belongs to ``victim``."""
    peer = person.peer
    connection = peer.connection
    if kind is Register:
        return register_message(
            victim, peer.hello, connection.hello_bytes, connection.exporter
        ), b""
    if kind is Login:
        made = login_message(person, peer.hello, connection.hello_bytes, connection.exporter)
        return msgspec.structs.replace(made, user_id=victim.name), b""
    examples: dict[type[Message], tuple[Message, bytes]] = {
        ListMessage: (ListMessage(1), b""),
        Watch: (Watch(2, True), b""),  # noqa: FBT003 - the order on the wire
        Pm: pm(victim.address, b"unasked"),
        Chat: (Chat(DeliveryId(bytes(16)), "room"), b"x"),
        Ack: (Ack(1), b""),
        Ping: (Ping(), b""),
        KeysPut: (KeysPut(3, 9, victim.signed_prekey, victim.last_resort), b""),
        KeysGet: (KeysGet(4, victim.address), b""),
        ManifestGet: (ManifestGet(5, victim.name), b""),
        ManifestPut: (next_manifest(victim), b""),
        MyData: (MyData(6, "4.2.0"), b""),  # a place in bob's mailbox
        AccountDelete: (deletion_message(victim, peer), b""),  # bob's signature, mallory's channel
        BlobPut: (BlobPut(8, BlobHash(bytes(32)), 10), b"x"),
        BlobGet: (BlobGet(9, BlobHash(bytes(32))), b""),
    }
    return examples[kind]


def held(world: World) -> list[typing.Any]:
    """All that the store holds of bob, apart from one-time stocks, which others may claim."""
    told: list[list[typing.Any]] = []

    def job(connection: typing.Any) -> list[typing.Any]:
        run = connection.exec_driver_sql
        return [
            run("SELECT * FROM accounts WHERE user_id = 'bob'").all(),
            run("SELECT devices.* FROM devices JOIN accounts ON accounts.id = account_id "
                "WHERE user_id = 'bob'").all(),
            run("SELECT seq, delivery_id, sender FROM deliveries").all(),
        ]  # fmt: skip

    assert world.store.read(job, told.append)
    world.loop.run_until(lambda: bool(told))
    return told[0]


@pytest.mark.parametrize("kind", CLIENT_TYPES, ids=lambda kind: kind.__name__)
def test_attack_20_no_verb_touches_what_another_owns(world: World, kind: type[Message]) -> None:
    """Each message of the table, sent by mallory at bob's things, leaves them as they were."""
    alice, bob, mallory = world.person("alice"), world.person("bob"), world.person("mallory")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", b"for bob alone", 1))
    world.advance(3)
    before = held(world)
    message, body = example(kind, mallory, bob)
    mallory.peer.send((message, body))
    world.advance(3)
    news = mallory.peer.connection.inbox
    assert not any(isinstance(m, Delivery) for m, _ in news), "no message of bob's comes out"
    after = held(world)
    if kind is Pm:  # the one thing that may be added to bob's: a message, stamped as mallory's
        assert after[2].pop()[2] == "mallory/main"
    assert after == before
    bob.login()
    assert (bob.peer.deliveries()[0][1]) == b"for bob alone"


def test_attack_20_an_ack_settles_nothing_of_others_who_are_online(world: World) -> None:
    """Mallory acknowledges her own first message: Bob's first, on its way to him, stays his."""
    alice, bob, mallory = world.person("alice"), world.person("bob"), world.person("mallory")
    alice.peer.send(pm("bob/main", b"for bob", 1), pm("mallory/main", b"for mallory", 2))
    assert [body for _, body in bob.peer.deliveries()] == [b"for bob"]
    mallory.peer.send(ack(1))
    bob.peer.hang_up()
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"for bob"]
    mallory.peer.hang_up()
    mallory.login()
    assert mallory.peer.deliveries() == []


@pytest.mark.parametrize("kind", CLIENT_TYPES, ids=lambda kind: kind.__name__)
def test_every_message_has_its_phase(world: World, kind: type[Message]) -> None:
    """Before login only what logs in, after it only the rest; each has a handler that answers."""
    bob = world.person("bob")
    message, body = example(kind, bob, bob)
    if kind.phase is Phase.AFTER_LOGIN:
        peer = world.connect()
        peer.send((message, body))
        assert peer.connection.bye is Code.NOT_LOGGED_IN
    else:
        bob.peer.send((message, body))
        assert bob.peer.expect(Error).code is Code.ALREADY_LOGGED_IN
    assert kind in world.hub._handlers


def test_attack_19_the_sender_is_stamped_by_the_server(world: World) -> None:
    """A client cannot say who it is: the field is refused, and the stamp is the session's."""
    alice, bob = world.person("alice"), world.person("bob")
    mallory = world.person("mallory")
    forged = b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAAAA","to":"bob/main","from":"alice/main"}'
    mallory.peer.raw(Frame(forged, b"x"))
    error = mallory.peer.expect(Error)
    assert (error.code, error.id) == (Code.BAD_FIELD, DeliveryId(bytes(16)))
    mallory.peer.send(pm("bob/main", b"x"))
    delivery = bob.peer.expect(Delivery)
    assert delivery.sender == "mallory/main"
    assert alice.peer.news() == []


NAUGHTY = [
    "'; DROP TABLE accounts; --", "' OR '1'='1", 'bob" --', "bob'/main", "%", "_", "bob\x00",
    "\\", "bob/main' UNION SELECT value FROM facts --", "\u202ebob", "\ud7ff", "🙂" * 8,
]  # fmt: skip


@pytest.mark.parametrize("text", NAUGHTY)
def test_attack_22_sql_in_any_field_is_only_text(world: World, text: str) -> None:
    """Naughty strings in every text field: a refusal or an empty page, and nothing is changed.

    (What comes through the operator's door is in test_own_things.py.)
    """
    alice, bob = world.person("alice"), world.person("bob")
    before = held(world)
    short = text[:32]
    alice.peer.send(
        ListMessage(1, short),
        KeysGet(2, text),
        ManifestGet(3, short),
        pm(text, b"x"),
        (Chat(DeliveryId(bytes(16)), text), b"x"),
    )
    news = [m for m, _ in alice.peer.news()]
    assert len(news) == 5
    codes = {m.code for m in news if isinstance(m, Error)}
    assert codes <= {Code.UNKNOWN_USER, Code.NOT_SUPPORTED}  # no statement failed
    (page,) = [m for m in news if isinstance(m, Users)]
    after = short.lower()
    assert [u.user_id for u in page.users] == [n for n in ("alice", "bob") if n > after]
    for login in (
        Login(short, "main", 1, [], bob.device.manifest_signature),
        Login("bob", short, 1, [], bob.device.manifest_signature),
    ):
        peer = world.connect()
        peer.send(login)
        assert peer.connection.bye is Code.LOGIN_REFUSED
    peer = world.connect()
    carol = Person(world, "carol")
    made = register_message(
        carol, peer.hello, peer.connection.hello_bytes, peer.connection.exporter
    )
    peer.send(msgspec.structs.replace(made, user_id=short))
    assert peer.expect(Error).code is Code.BAD_USER_ID
    assert held(world) == before
    alice.peer.send(ListMessage(9))
    assert [u.user_id for u in alice.peer.expect(Users).users] == ["alice", "bob"]


def test_unknown_and_malformed_headers_are_refused_by_name(world: World) -> None:
    """Unknown types and fields leave the connection open and name their request."""
    alice = world.person("alice")
    for header, code, ref in (
        (b'{"type":"room_put","ref":4}', Code.UNKNOWN_TYPE, 4),
        (b'{"type":"list","ref":5,"colour":"red"}', Code.BAD_FIELD, 5),
        (b'{"type":"list","ref":6,"limit":0}', Code.BAD_FIELD, 6),
        (b'{"type":"ack","seq":-1}', Code.BAD_FIELD, None),
    ):
        alice.peer.raw(Frame(header, b""))
        error = alice.peer.expect(Error)
        assert (error.code, error.ref) == (code, ref)
    alice.peer.raw(Frame(b'{"type":"list","ref":7}', b"body"))
    error = alice.peer.expect(Error)
    assert (error.code, error.ref) == (Code.BAD_FIELD, 7)
    alice.peer.send(Ping())
    alice.peer.expect(Pong)


def test_a_header_that_is_not_canonical_ends_the_connection(world: World) -> None:
    """White space and duplicate keys are refused, also for the messages with a short way."""
    for header in (
        b'{"type": "ping"}',
        b'{"type":"ack","seq":1,"seq":1}',
        b'{"type":"ack","seq":01}',
        b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAAAA","to":"bob/main","manifest":0}',
        b'{"type":"pm","id":"AAAAAAAAAAAAAAAAAAAAAB","to":"bob/main"}',
        b'{"type":"pm","to":"bob/main","id":"AAAAAAAAAAAAAAAAAAAAAA"}',
        b"\xff",
        b"",
    ):
        bob = Person(world, f"bob{world.now:.0f}")
        bob.peer = world.connect()
        bob.peer.register(bob)
        bob.peer.raw(Frame(header, b"x" if b'"pm"' in header else b""))
        assert bob.peer.connection.bye is Code.BAD_HEADER, header
        world.now += 1


def test_after_a_closing_error_nothing_more_is_read(world: World) -> None:
    """Frames behind the one that ended the connection have no effect."""
    alice, bob = world.person("alice"), world.person("bob")
    message, body = pm("bob/main", b"x")
    alice.peer.raw(Frame(b"no", b""), Frame(encode_header(message), body))
    assert alice.peer.connection.bye is Code.BAD_HEADER
    assert bob.peer.news() == []


def test_chat_is_not_supported_yet(world: World) -> None:
    """Rooms will come; until then the type is known and refused with its id."""
    alice = world.person("alice")
    alice.peer.send((Chat(DeliveryId(b"r" * 16), "lobby"), b"x"))
    error = alice.peer.expect(Error)
    assert (error.code, error.id) == (Code.NOT_SUPPORTED, DeliveryId(b"r" * 16))


def test_the_list_comes_in_pages_with_presence(world: World) -> None:
    """In order of name, ``more`` until the last page."""
    people = [world.person(name) for name in ("dora", "alice", "carl", "bob")]
    people[0].peer.hang_up()
    reader = people[1].peer
    reader.send(ListMessage(1, limit=3))
    page = reader.expect(Users)
    assert [(u.user_id, u.online) for u in page.users] == [
        ("alice", True),
        ("bob", True),
        ("carl", True),
    ]
    assert page.more
    reader.send(ListMessage(2, "carl", 3))
    page = reader.expect(Users)
    assert [(u.user_id, u.online) for u in page.users] == [("dora", False)]
    assert not page.more


def test_presence_is_gathered_for_a_second_and_only_for_those_who_asked(world: World) -> None:
    """Comings and goings of a second come as one message; what changed back is not told."""
    watcher, other = world.person("watcher"), world.person("other")
    world.advance(2)
    watcher.peer.send(Watch(1, True))  # noqa: FBT003
    watcher.peer.expect(messages.Ok)
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    world.advance(1.5)
    told = watcher.peer.expect(Presence)
    assert (told.online, told.offline) == (["alice"], [])
    alice.peer.hang_up()
    bob.login()
    world.advance(1.5)
    told = watcher.peer.expect(Presence)
    assert (told.online, told.offline) == (["bob"], ["alice"])
    assert watcher.peer.news() == []
    assert other.peer.news() == []
    watcher.peer.send(Watch(2, False))  # noqa: FBT003
    watcher.peer.expect(messages.Ok)
    bob.peer.hang_up()
    world.advance(1.5)
    assert watcher.peer.news() == []


def test_presence_frames_are_bounded(make_world: Callable[..., World]) -> None:
    """When everybody leaves at once, watchers get frames of at most 200 names."""
    world = make_world(
        Settings(registration="open", registrations=Rate(1e6, 1e6), logins=Rate(1e6, 1e6))
    )
    watcher = world.person("watcher")
    crowd = [world.person(f"user{n:03}") for n in range(205)]
    world.advance(2)
    watcher.peer.send(Watch(1, True))  # noqa: FBT003
    watcher.peer.expect(messages.Ok)
    for person in crowd:
        person.peer.hang_up()
    world.advance(1.5)
    frames = [m for m, _ in watcher.peer.news() if isinstance(m, Presence)]
    assert [len(m.offline) for m in frames] == [limits.PRESENCE_PER_FRAME, 5]


def test_silence_ends_a_connection_and_a_ping_keeps_it(world: World) -> None:
    """Nothing heard for the idle time: bye; a ping counts as something."""
    alice, bob = world.person("alice"), world.person("bob")
    world.advance(100)
    bob.peer.send(Ping())
    bob.peer.expect(Pong)
    world.advance(30)
    assert alice.peer.connection.bye is Code.IDLE_TIMEOUT
    assert bob.peer.connection.bye is None
    bob.peer.send(ListMessage(1))
    assert [(u.user_id, u.online) for u in bob.peer.expect(Users).users] == [
        ("alice", False),
        ("bob", True),
    ]


def test_requests_of_an_account_are_limited(make_world: Callable[..., World]) -> None:
    """Too many look-ups are refused by ref with a time to wait."""
    world = make_world(Settings(registration="open", requests=Rate(1, 2)))
    alice = world.person("alice")
    alice.peer.send(*(ListMessage(n) for n in range(3)))
    news = [m for m, _ in alice.peer.news()]
    errors = [m for m in news if isinstance(m, Error)]
    assert len(news) == 3
    assert [(m.code, m.ref, m.retry_after) for m in errors] == [(Code.RATE_LIMITED, 2, 1.0)]


def test_a_bug_costs_one_connection_and_logs_no_content(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a handler ends that connection with internal_error; the others go on."""
    alice, bob = world.person("alice"), world.person("bob")

    def broken(*_args: object) -> None:
        raise RuntimeError("the text of a SECRET message")

    monkeypatch.setattr(world.hub, "_ping", broken)
    monkeypatch.setattr(world.hub, "_handlers", world.hub._table())
    with caplog.at_level(logging.DEBUG):
        alice.peer.send(Ping())
    assert alice.peer.connection.bye is Code.INTERNAL_ERROR
    assert "RuntimeError" in caplog.text
    assert "SECRET" not in caplog.text
    bob.peer.send(ListMessage(1))
    bob.peer.expect(Users)


def test_a_bug_on_a_store_thread_costs_one_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads of the store live on after an exception in one of their jobs."""
    alice, bob = world.person("alice"), world.person("bob")

    def broken(*_args: object, **_more: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        for place in ("people.list_page", "keys.claim"):
            patch.setattr(f"secure_chat.server.store.{place}", broken)
        alice.peer.send(ListMessage(1))
        bob.peer.send(KeysGet(1, "alice/main"))
    assert alice.peer.connection.bye is Code.INTERNAL_ERROR
    assert bob.peer.connection.bye is Code.INTERNAL_ERROR
    alice.login()
    alice.peer.send(ListMessage(1))
    alice.peer.expect(Users)


def test_logs_hold_no_addresses_keys_or_content(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A conversation with errors leaves nothing of itself in the log, even at DEBUG."""
    with caplog.at_level(logging.DEBUG):
        alice, bob = world.person("alice"), world.person("bob")
        alice.peer.send(pm("bob/main", b"CANARY"), pm("nobody/main", b"CANARY"))
        bob.peer.raw(Frame(b"CANARY", b""))
        world.advance(3)
    for word in ("CANARY", "192.0.2.1", "alice", "bob", "nobody"):
        assert word not in caplog.text


def test_draining_puts_everything_on_disk_and_says_farewell(world: World) -> None:
    """What was in flight is stored and accepted before the bye; new requests are not taken."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"warm up"))
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.news()
    alice.peer.send(pm("bob/main", b"in flight"))
    bob.peer.expect(Delivery)
    world.hub.drain(world.now)
    alice.peer.raw(Frame(encode_header(ListMessage(1)), b""))
    world.advance(0.5)
    assert [type(m).__name__ for m, _ in alice.peer.connection.inbox] == ["Accepted"]
    assert alice.peer.connection.bye is Code.SHUTTING_DOWN
    assert bob.peer.connection.bye is Code.SHUTTING_DOWN
    assert world.hub.drained
    late = FakeConnection()
    world.hub.opened(late, world.now)
    assert isinstance(late.inbox[0][0], Hello)
    assert late.bye is Code.SHUTTING_DOWN
    world.restart()
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"in flight"]


def test_a_login_that_ends_while_draining_is_told(world: World) -> None:
    """Whoever is being let in when the server stops hears that it stops."""
    alice = world.person("alice")
    peer = world.connect()
    connection = peer.connection
    made = login_message(alice, peer.hello, connection.hello_bytes, connection.exporter)
    peer.send_without_waiting(made)
    world.hub.drain(world.now)
    world.advance(0.5)
    assert connection.bye is Code.SHUTTING_DOWN
    assert connection.inbox == []


def test_every_closing_code_closes_and_no_other(world: World) -> None:
    """What an error says about the connection is what happens to it."""
    for code, info in CODES.items():
        alice = Person(world, f"user-{code.value.replace('_', '-')}")
        alice.peer = world.connect()
        alice.peer.register(alice)
        alice.peer.news()
        session = world.hub._sessions[alice.peer.connection]
        session.refuse(code, ref=1, retry_after=2.0)
        assert (alice.peer.connection.bye is code) is info.closes
        if not info.closes:
            assert alice.peer.expect(Error) == Error(code, info.message, 1, None, 2.0)
