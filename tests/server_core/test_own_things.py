"""What an account does to itself touches nobody else, however near the others' ids lie."""

import hashlib
import typing
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, select

from secure_chat.errors import Code
from secure_chat.protocol import messages
from secure_chat.protocol.held import HeldRow, decode_rows
from secure_chat.protocol.messages import (
    BLOBS,
    AccountDelete,
    Ack,
    BlobGet,
    BlobHeld,
    BlobPut,
    HeldData,
    KeysPut,
    ManifestPut,
    Message,
    MyData,
    Ok,
)
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.store import departures, invites, keys, mail, people
from secure_chat.server.store.schema import metadata
from tests.server_core.support import Person, World, deletion_message, pm
from tests.server_core.test_keys import next_manifest

Row = dict[str, Any]
Own = Callable[[Person], tuple[Message, bytes]]


def sealed(name: str) -> bytes:
    """A blob of somebody."""
    return b"sealed by " + name.encode()


def blob_name(data: bytes) -> BlobHash:
    return BlobHash(hashlib.sha256(data).digest())


class Neighbours:
    """Three accounts made one after the other, each with all that an account can have.

    ``mallory`` is the one in the middle, and the one who is logged in.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.alice, self.mallory, self.bob = self.people = [
            world.person(name, features=(BLOBS,)) for name in ("alice", "mallory", "bob")
        ]
        for person in self.people:
            person.publish(3, kem=3)
            data = sealed(person.name)
            person.peer.send((BlobPut(1, blob_name(data), len(data)), data))
            assert person.peer.expect(BlobHeld).held == len(data)
            person.peer.send((BlobPut(2, blob_name(data + b"+"), len(data) + 1), data[:3]))
            assert person.peer.expect(BlobHeld).held == 3
        for number, to in enumerate(self.people):
            to.peer.hang_up()
            for sender in (world.person(f"writer{number}"), *self.others()):
                if sender is not to:
                    if not sender.peer.open:
                        sender.login(features=(BLOBS,))
                    sender.peer.send(pm(to.address, f"to {to.name}".encode()))
                    sender.peer.news()
        for person in self.people:
            person.peer.hang_up()
        self.mallory.login(features=(BLOBS,))
        self.mallory.peer.news()
        world.advance(3)

    def others(self) -> list[Person]:
        return [self.alice, self.bob]

    def rows(self, *, of_mallory: bool) -> dict[str, list[Row]]:
        """All rows that are mallory's, or all that are not."""
        tables = self.world.store.ask(_everything)
        account = next((r["id"] for r in tables["accounts"] if r["user_id"] == "mallory"), 0)
        devices = {r["id"] for r in tables["devices"] if r["account_id"] == account}
        waiting = [r for r in tables["deliveries"]
                   if r["device_id"] in devices or r["sender"] == "mallory/main"]  # fmt: skip
        bodies = {r["body_id"] for r in waiting}
        own: dict[str, Callable[[Row], bool]] = {
            "accounts": lambda r: r["id"] == account,
            "devices": lambda r: r["id"] in devices,
            "one_time_keys": lambda r: r["device_id"] in devices,
            "one_time_kem_keys": lambda r: r["device_id"] in devices,
            "deliveries": lambda r: r in waiting,
            "bodies": lambda r: r["id"] in bodies,
            "uploads": lambda r: r["account_id"] == account,
        }
        return {
            name: [row for row in tables[name] if test(row) is of_mallory]
            for name, test in own.items()
        }


def _everything(connection: Connection) -> dict[str, list[Row]]:
    return {
        table.name: [dict(row._mapping) for row in connection.execute(select(*table.c))]
        for table in metadata.sorted_tables
    }


def _more_keys(mallory: Person) -> tuple[Message, bytes]:
    """A restart, which empties a stock: her own."""
    return KeysPut(3, 9, mallory.signed_prekey, mallory.last_resort, restart=True), b""


def _new_manifest(mallory: Person) -> tuple[Message, bytes]:
    return next_manifest(mallory), b""


def _rest_of_blob(mallory: Person) -> tuple[Message, bytes]:
    data = sealed("mallory")
    return BlobPut(4, blob_name(data + b"+"), len(data) + 1, 3), data[3:] + b"+"


# Each message by which an account changes, reads or ends what is its own; a new one needs a line.
OWN: dict[type[Message], Own] = {
    Ack: lambda mallory: (Ack(2), b""),
    KeysPut: _more_keys,
    ManifestPut: _new_manifest,
    MyData: lambda mallory: (MyData(5), b""),
    AccountDelete: lambda mallory: (deletion_message(mallory, mallory.peer, (BLOBS,)), b""),
    BlobPut: _rest_of_blob,
    BlobGet: lambda mallory: (BlobGet(6, blob_name(sealed("mallory"))), b""),
}
_NOT_OWN = {
    messages.Register, messages.Login, messages.List, messages.Watch, messages.Pm, messages.Chat,
    messages.Ping, messages.KeysGet, messages.ManifestGet,
}  # fmt: skip


def test_every_message_is_tried() -> None:
    """A later message is one by which an account acts on what is its own, or is not."""
    assert set(OWN) | _NOT_OWN == set(typing.get_args(messages.ClientMessage))


def answer(person: Person) -> Message:
    (message, _), *more = person.peer.news()
    assert not more
    return message


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.__name__)
def test_attack_20_what_one_does_to_oneself_touches_nobody_else(
    world: World, kind: type[Message]
) -> None:
    """Mallory does what she may; alice and bob, made just before and after her, keep every row."""
    scene = Neighbours(world)
    mallory = scene.mallory
    own, others = scene.rows(of_mallory=True), scene.rows(of_mallory=False)
    assert all(own.values()), "she has something of everything"
    assert all(len(rows) > 1 for rows in others.values())
    mallory.peer.send(OWN[kind](mallory))
    said = mallory.peer.news()
    world.advance(3)
    assert scene.rows(of_mallory=False) == others
    after = scene.rows(of_mallory=True)
    if kind is AccountDelete:
        assert isinstance(said[0][0], Ok)
        assert not any(after.values()), "all of hers is gone"
    elif kind is MyData:
        shown = [row for message, body in said if isinstance(message, HeldData)
                 for row in decode_rows(body)]  # fmt: skip
        _must_be_hers(shown, own)
    else:
        assert (after == own) is (kind is BlobGet), "it did something, and to her own"
    for person in scene.others():
        person.login(features=(BLOBS,))
        waiting = person.peer.deliveries()
        assert [body for _, body in waiting] == [f"to {person.name}".encode()] * 2
        person.peer.send(BlobGet(7, blob_name(sealed(person.name))))
        assert [body for _, body in person.peer.news()] == [sealed(person.name)]


def _must_be_hers(shown: list[HeldRow], own: dict[str, list[Row]]) -> None:
    for table, rows in own.items():
        assert len([row for row in shown if row.table == table]) == len(rows), table
    (account,) = (row.values for row in shown if row.table == "accounts")
    assert account["user_id"] == "mallory"


NAUGHTY = [
    "'; DROP TABLE accounts; --", "' OR '1'='1", 'mallory" --', "mallory'/main", "%", "_",
    "mallory\x00", "mallory' UNION SELECT value FROM facts --", "' || (SELECT 1) || '",
]  # fmt: skip


@pytest.mark.parametrize("text", NAUGHTY)
def test_attack_22_sql_in_an_operators_words_is_only_text(world: World, text: str) -> None:
    """Names and labels that come through the operator's door: nobody is found, nothing changes."""
    for name in ("alice", "mallory"):
        world.person(name)
    world.store.create_invite("another")
    before = world.store.ask(_everything)
    ask = world.store.ask
    for call in (world.hub.departures.disable, world.hub.departures.enable,
                 world.hub.departures.delete):  # fmt: skip
        told: list[Any] = []
        call(text, told.append)
        world.loop.run_until(lambda told=told: bool(told))  # type: ignore[misc]
        assert told == [None]
    assert ask(lambda db: departures.account_id(db, text)) is None
    assert not ask(lambda db: departures.free(db, text))
    assert not ask(lambda db: departures.is_reserved(db, text, text))
    assert ask(lambda db: people.published(db, text)) is None
    assert ask(lambda db: mail.load_device(db, text, text)) is None
    assert ask(lambda db: mail.load_device(db, "alice", text)) is None
    assert ask(lambda db: mail.remove_sent(db, [text])) == []
    assert ask(lambda db: keys.claim(db, "alice", text, one_time=True)) is Code.UNKNOWN_USER
    names = [name for name in ("alice", "mallory") if name > text]
    assert ask(lambda db: people.list_page(db, text, 9)) == names
    assert world.store.revoke_invites((), text) == []
    assert ask(_everything) == before
    world.store.create_invite(text)
    assert [invite.label for invite in ask(invites.listed)] == ["another", text]
    assert [invite.label for invite in world.store.revoke_invites((), text)] == [text]
