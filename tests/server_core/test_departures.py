"""The end of accounts: at once, whole, and only by who may."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select

from secure_chat.errors import Code, StorageUnavailable
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import (
    Accepted,
    AccountDelete,
    Delivery,
    Error,
    KeysGet,
    ManifestGet,
    Ok,
    Ping,
    Watch,
    Welcome,
    encode_header,
)
from secure_chat.protocol.messages import List as ListMessage
from secure_chat.protocol.wiretypes import Signature
from secure_chat.server.core.settings import Settings
from secure_chat.server.store import departures
from secure_chat.server.store.departures import AccountLine, Deleted
from secure_chat.server.store.schema import metadata
from tests.server_core.support import Person, World, ack, deletion_message, login_message, pm

Told = list[Any]


def disable(world: World, name: str) -> Told:
    """The operator's wish; the list has the outcome once it is carried out."""
    told: Told = []
    world.hub.departures.disable(name, told.append)
    return told


def delete(world: World, name: str) -> Told:
    told: Told = []
    world.hub.departures.delete(name, told.append)
    return told


def wait(world: World, told: Told) -> Any:
    world.loop.run_until(lambda: bool(told))
    world.settle()
    return told[0]


def everything(world: World) -> dict[str, list[Any]]:
    """All rows of all tables."""

    def job(connection: Connection) -> dict[str, list[Any]]:
        return {
            table.name: [tuple(row) for row in connection.execute(select(*table.c))]
            for table in metadata.sorted_tables
        }

    return world.store.ask(job)


def hand_in(world: World, person: Person, *said: Any) -> None:
    """Frames that arrive and are looked at, and whose work is not done yet."""
    person.peer.send_without_waiting(*said)


# ---------------------------------------------------------------- disabled


def test_attack_21_a_disabled_account_is_out_at_once(world: World) -> None:
    """Its connection is told why and closed, others see it go, and it does not come back."""
    alice, bob = world.person("alice"), world.person("bob")
    assert wait(world, disable(world, "alice")) is True
    assert alice.peer.connection.bye is Code.ACCOUNT_DISABLED
    peer = world.connect()
    assert peer.login(alice) is Code.ACCOUNT_DISABLED
    bob.peer.send(ListMessage(1))
    assert "alice" not in str(bob.peer.news())
    bob.peer.send(pm("alice/main", b"hello?"))
    assert bob.peer.expect(Error).code is Code.UNKNOWN_USER


@pytest.mark.parametrize("how", ["disable", "delete"])
def test_attack_21_nothing_acts_after_the_kick(world: World, how: str) -> None:
    """Whatever was handed in and not carried out, and whatever comes after, has no effect."""
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    bob.publish(3, kem=3)
    carol.peer.hang_up()
    world.advance(100)  # nobody uses carol's mailbox any more: it has to be loaded again
    before = everything(world)["one_time_keys"]
    account = world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    hand_in(world, alice, pm("carol/main", b"waits for the mailbox"))
    told: Told = []
    kick = world.hub.departures
    (kick.remove if how == "delete" else kick._disable)("alice", account, told.append)
    hand_in(
        world, alice,
        pm("bob/main", b"after"), KeysGet(1, "bob/main"), ListMessage(2), Watch(3, presence=True),
    )  # fmt: skip
    wait(world, told)
    hand_in(world, alice, pm("bob/main", b"long after"))
    world.advance(3)
    assert alice.peer.connection.inbox == []
    assert not any(isinstance(message, Delivery) for message, _ in bob.peer.news())
    assert everything(world)["deliveries"] == []
    assert everything(world)["one_time_keys"] == before
    carol.login()
    assert carol.peer.deliveries() == []


@pytest.mark.parametrize("end", [disable, delete])
def test_attack_21_a_login_that_is_being_checked_does_not_slip_in(
    world: World, end: Callable[[World, str], Told]
) -> None:
    """The disk said "let in" before the kick; the answer comes after it, and is worth nothing."""
    alice = world.person("alice")
    alice.peer.hang_up()
    peer = world.connect()
    connection = peer.connection
    login = login_message(alice, peer.hello, connection.hello_bytes, connection.exporter)
    told: Told = []
    answers: list[Any] = []
    # The check's answer lies in the loop while the kick is carried out from beginning to end.
    checked = world.hub._admission._proof(world.hub._sessions[connection], login)
    found = world.store.ask(checked)
    told = end(world, "alice")
    wait(world, told)
    assert not isinstance(found, Code)
    world.hub._enter(world.hub._sessions[connection], found)
    answers = [message for message, _ in connection.inbox]
    assert not any(isinstance(message, Welcome) for message in answers)
    assert connection.bye in {Code.ACCOUNT_DISABLED, Code.ACCOUNT_DELETED}


def test_an_account_is_enabled_again_with_all_it_had(world: World) -> None:
    """Mail that waited before is there, keys too, and others reach it again."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.hang_up()
    bob.peer.send(pm("alice/main", b"before"))
    wait(world, disable(world, "alice"))
    bob.peer.news()
    told: Told = []
    world.hub.departures.enable("alice", told.append)
    assert wait(world, told) is True
    alice.login()
    assert [body for _, body in alice.peer.deliveries()] == [b"before"]
    bob.peer.send(pm("alice/main", b"after"))
    assert [body for _, body in alice.peer.deliveries()] == [b"after"]


@pytest.mark.parametrize("end", [disable, delete])
def test_a_name_that_nobody_has_is_said(world: World, end: Callable[[World, str], Told]) -> None:
    """None: the caller can say that there is no such account."""
    assert wait(world, end(world, "nobody")) is None


# ---------------------------------------------------------------- deleted


def test_deleting_takes_everything_but_the_name(world: World) -> None:
    """Of every table nothing is left that came with the account; the others' rows are untouched."""
    bob = world.person("bob")
    carol = world.person("carol")
    carol.peer.send(pm("bob/main", b"stays", 1))
    bob.peer.hang_up()
    world.advance(3)
    before = everything(world)
    alice = world.person("alice")
    alice.publish(5, kem=5)
    alice.peer.send(pm("bob/main", b"from alice, for who is away", 2))
    alice.peer.expect(Accepted)
    alice.peer.hang_up()
    carol.peer.send(pm("alice/main", b"for alice, who is away", 3))
    world.advance(3)
    outcome = wait(world, delete(world, "alice"))
    assert isinstance(outcome, Deleted)
    assert (outcome.received, len(outcome.sent)) == (1, 1)
    after = everything(world)
    assert after.pop("reserved_names") == [("alice", "allce")]
    before.pop("reserved_names")
    before_bob = [row[:5] for row in before["devices"]]  # the rest of a device's row: its mailbox
    assert [row[:5] for row in after.pop("devices")] == before_bob
    before.pop("devices")
    assert after == before
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"stays"]


def test_what_a_deleted_account_sent_is_not_written_later(world: World) -> None:
    """A message that was pushed and not acknowledged does not come back from memory to disk."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"first", 9))  # a mailbox begins on disk
    (seq, _) = bob.peer.deliveries()[0]
    bob.peer.send(ack(seq))
    world.advance(3)
    alice.peer.send(pm("bob/main", b"on the way", 1))
    assert bob.peer.deliveries() == [(2, b"on the way")]
    assert everything(world)["deliveries"] == []
    wait(world, delete(world, "alice"))
    world.advance(3)  # when it would have been written
    bob.peer.hang_up()
    world.advance(3)
    assert everything(world)["deliveries"] == []
    bob.login()
    carol = world.person("carol")
    carol.peer.send(pm("bob/main", b"later", 2))
    carol.peer.send(pm("bob/main", b"and later", 3))
    assert [body for _, body in bob.peer.deliveries()] == [b"later", b"and later"]
    bob.peer.send(ack(4))
    world.advance(3)
    assert everything(world)["deliveries"] == []


def test_a_deleted_senders_mail_frees_its_place(make_world: Callable[..., World]) -> None:
    """A mailbox that was full of it takes messages again, without a restart."""
    world = make_world(Settings(registration="open", mailbox_messages=1))
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", b"x", 1))
    alice.peer.expect(Accepted)
    carol.peer.send(pm("bob/main", b"no room", 3))
    assert carol.peer.expect(Error).code is Code.MAILBOX_FULL
    wait(world, delete(world, "alice"))
    carol.peer.send(pm("bob/main", b"room", 3))
    carol.peer.expect(Accepted)


def test_a_deleted_name_is_reserved_until_it_is_freed(world: World) -> None:
    """Nobody takes it, nor one that looks like it; once freed it is anybody's, with other keys."""
    first = world.person("alice")
    wait(world, delete(world, "alice"))
    assert world.store.ask(departures.listed) == [AccountLine("alice", "deleted")]
    assert first.peer.connection.bye is Code.ACCOUNT_DELETED
    again = Person(world, "alice")
    for name in ("alice", "a1ice"):
        peer = world.connect()
        error = peer.register(Person(world, name))
        assert isinstance(error, Error)
        assert error.code is Code.NAME_TAKEN
    assert world.connect().login(first) is Code.LOGIN_REFUSED
    assert world.store.ask(lambda db: departures.free(db, "alice"))
    assert isinstance(world.connect().register(again), Welcome)
    bob = world.person("bob")
    bob.peer.send(ManifestGet(1, "alice"))
    answer, _ = bob.peer.news()[0]
    assert answer.account_key == again.device.account_key  # type: ignore[attr-defined]
    assert world.connect().login(first) is Code.LOGIN_REFUSED


def test_a_failed_disk_deletes_nothing_and_keeps_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator hears of it; the account's client comes back as after any failure."""
    alice = world.person("alice")

    def full(_connection: Connection, account: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(departures, "remove", full)
    assert isinstance(wait(world, delete(world, "alice")), StorageUnavailable)
    assert alice.peer.connection.bye is Code.INTERNAL_ERROR
    alice.login()


# ---------------------------------------------------------------- by the account itself


def test_a_failed_deletion_accepts_nothing_that_is_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was on its way is asked for again, and is on disk once it is accepted."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("bob/main", b"first", 9))  # a mailbox begins on disk
    bob.peer.send(ack(bob.peer.deliveries()[0][0]))
    world.advance(3)
    alice.peer.send(pm("bob/main", b"on the way", 1))
    assert [body for _, body in bob.peer.deliveries()] == [b"on the way"]

    def full(_: Connection, account: int) -> None:
        raise OSError("no space")

    with monkeypatch.context() as broken:
        broken.setattr(departures, "remove", full)
        assert isinstance(wait(world, delete(world, "alice")), StorageUnavailable)
    alice.login()
    alice.peer.send(pm("bob/main", b"on the way", 1))
    assert not [m for m, _ in alice.peer.news() if isinstance(m, Accepted)]
    world.advance(3)
    alice.peer.expect(Accepted)
    bob.peer.hang_up()
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"on the way"]


def test_an_account_deletes_itself(world: World) -> None:
    """Signed by the account key over this connection: answered, then everything ends."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(deletion_message(alice, alice.peer))
    alice.peer.send(Ping(), pm("bob/main", b"after"))
    assert alice.peer.expect(Ok).ref == 8
    assert alice.peer.connection.bye is Code.ACCOUNT_DELETED
    assert alice.peer.connection.inbox == []
    assert bob.peer.news() == []
    assert [line.state for line in world.store.ask(departures.listed)] == ["deleted", "active"]


def test_a_stolen_session_deletes_nothing(world: World) -> None:
    """Neither the device key, nor the account key over anything else, nor a replay will do."""
    alice = world.person("alice")
    peer, connection = alice.peer, alice.peer.connection
    good = deletion_message(alice, peer)
    login = login_message(alice, peer.hello, connection.hello_bytes, connection.exporter)
    attempts = [
        Signature(bytes(64)),
        login.signature,
        Signature(alice.account.sign(b"secure_chat/1 account deletion")),
        Signature(alice.device.signing.sign(b"anything")),
    ]
    for signature in attempts:
        alice.login().send(AccountDelete(1, signature))
        assert alice.peer.connection.bye is Code.BAD_SIGNATURE
    alice.login().send(good)  # of the connection before
    assert alice.peer.connection.bye is Code.BAD_SIGNATURE
    alice.login()
    assert [line.state for line in world.store.ask(departures.listed)] == ["active"]


def test_deleting_needs_a_login(world: World) -> None:
    """A stranger with the right key and no session is sent away."""
    alice = world.person("alice")
    peer = world.connect()
    peer.raw(Frame(encode_header(deletion_message(alice, peer)), b""))
    assert peer.connection.bye is Code.NOT_LOGGED_IN
