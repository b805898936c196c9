"""Data kept least: what was delivered is gone from every file, within the time that is promised."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_chat.protocol.limits import DAY
from secure_chat.protocol.messages import Accepted, Delivery
from secure_chat.server.core.settings import Settings
from secure_chat.server.store import writer
from tests.server_core.support import Person, World, ack, pm
from tests.support.waiting import wait_for

CANARY = b"canary-0123456789"


def holds(folder: Path, what: bytes = CANARY) -> list[str]:
    """The files that have these bytes anywhere, free pages and logs included."""
    return [
        str(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and what in path.read_bytes()
    ]


def deliver_later(world: World) -> tuple[Person, bytes]:
    """A message that waits on disk, then is fetched and acknowledged; bob, and its delivery id."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    alice.peer.send(pm("bob/main", CANARY * 50, 77))
    alice.peer.expect(Accepted)
    assert holds(world.folder), "it must have been on disk for its end to mean anything"
    bob.login()
    delivery = bob.peer.expect(Delivery)
    bob.peer.send(ack(delivery.seq))
    world.advance(0.25)
    return bob, bytes(delivery.id)


def gone_after(world: World, patience: float) -> float:
    """Seconds until no file holds the canary."""
    begun = time.monotonic()
    wait_for(lambda: not holds(world.folder), patience, "the canary is gone")
    return time.monotonic() - begun


def test_a_delivered_message_is_gone_from_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Database, write-ahead log and whatever else: after the next checkpoint nothing is left.

    Its delivery id and who sent it are gone as well; the server still runs.
    """
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 1.0)
    world = World(tmp_path / "data")
    _, delivery_id = deliver_later(world)
    gone_after(world, 30)
    assert not holds(world.folder, delivery_id)
    assert world.store.writer.is_alive()
    world.close()


def test_a_reader_in_the_way_delays_it_only_as_long_as_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long question keeps the old state alive; the checkpoint is tried again soon after it."""
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 0.5)
    monkeypatch.setattr(writer, "_CHECKPOINT_AGAIN", 0.2)
    world = World(tmp_path / "data")
    reader = sqlite3.connect(world.folder / "server.db", isolation_level=None)
    world.person("carol")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM accounts").fetchone()
    bob, _ = deliver_later(world)
    deadline = time.monotonic() + 1.5
    wait_for(lambda: time.monotonic() > deadline, 10, "checkpoints have been tried")
    assert holds(world.folder)
    bob.peer.send(pm("bob/main", b"the writer was not held up", 5))
    reader.execute("COMMIT")
    reader.close()
    gone_after(world, 30)
    world.close()


@pytest.mark.soak
def test_a_delivered_message_is_gone_within_a_minute(tmp_path: Path) -> None:
    """With the intervals that ship: sixty seconds after the acknowledgement no file has it."""
    world = World(tmp_path / "data")
    deliver_later(world)
    assert gone_after(world, 60) < 60
    world.close()


def test_the_interval_that_ships_keeps_the_promise() -> None:
    """A minute holds a whole interval, the tick that deletes, and a second try."""
    assert writer._CHECKPOINT_SECONDS + writer._CHECKPOINT_AGAIN + 5 < 60


def test_an_invite_that_expired_long_ago_is_forgotten(make_world: Callable[..., World]) -> None:
    """Its label, often somebody's name, goes with it; one that expired lately is still listed."""
    world = make_world(Settings(registration="open", retention_seconds=DAY))
    now = world.store.clock.to_wall(world.store.clock.now_ms())
    world.store.create_invite("Alice Canary", 1, now + 1_000)
    world.advance(3_600)
    assert [one.label for one in world.store.list_invites()] == ["Alice Canary"]
    world.advance(DAY)
    wait_for(lambda: not world.store.list_invites(), 20, "the invite is forgotten")


def test_an_invite_that_is_used_up_or_revoked_is_forgotten(
    make_world: Callable[..., World],
) -> None:
    """It need not expire first, which may be a year away, or never come."""
    world = make_world(Settings(registration="invite", retention_seconds=DAY))
    year = world.store.clock.to_wall(world.store.clock.now_ms()) + 365 * DAY * 1_000
    used = world.store.create_invite("Alice Canary", 1, year)
    world.store.create_invite("Bob Canary", 1, None)
    world.store.create_invite("Carol Canary", 1, year)
    world.connect().register(Person(world, "alice"), invite=used)
    world.store.revoke_invites([], "Bob Canary")
    world.advance(3_600)
    states = [(one.label, one.state(0)) for one in world.store.list_invites()]
    assert states == [
        ("Alice Canary", "used up"), ("Bob Canary", "revoked"), ("Carol Canary", "open"),
    ]  # fmt: skip
    world.advance(DAY)
    wait_for(lambda: len(world.store.list_invites()) == 1, 20, "two are forgotten")
    assert [one.label for one in world.store.list_invites()] == ["Carol Canary"]


def test_no_address_and_no_time_of_a_visit_is_stored(world: World) -> None:
    """After logins, messages and farewells: no file holds the network of anybody."""
    for name, place in (("alice", "203.0.113.77"), ("bob", "2001:db8:77::1")):
        person = Person(world, name)
        person.peer = world.connect(place)
        person.peer.register(person)
        person.peer.send(pm("alice/main", b"x"))
        person.peer.hang_up()
    world.advance(10)
    for trace in (b"203.0.113.77", b"2001:db8:77", b"192.0.2.1"):
        assert not holds(world.folder, trace)
    names = {"last_seen", "last_login", "seen", "address", "ip", "peer", "network", "created"}
    schema = sqlite3.connect(world.folder / "server.db")
    tables = [row[0] for row in schema.execute("SELECT name FROM sqlite_master")]
    columns = {row[1] for table in tables for row in schema.execute(f"PRAGMA table_info({table})")}
    schema.close()
    assert not columns & names
