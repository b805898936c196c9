"""The power is cut, or the disk fails: what was acknowledged is on what is left of the disk."""

import random
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from secure_chat.errors import Code
from secure_chat.protocol.messages import Accepted, Delivery, Error
from secure_chat.server.store import Store, invites, writer
from secure_chat.server.store.schema import facts
from tests.server_core.support import World, ack, pm
from tests.support import disk as disks
from tests.support.disk import Disk
from tests.support.waiting import wait_for


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "server0")
    if not disk.works:
        pytest.skip("this Python's SQLite cannot be reached from outside")
    with disk:
        yield disk


@pytest.fixture
def world(disk: Disk, make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """A server on ``disk``, whose journal moves into the database every few groups."""
    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 0.02)
    return make_world()


def stored(folder: Path) -> dict[int, bytes]:
    """The messages that a server finds when it starts on a folder, by the number in their id."""
    store = Store.open(folder)  # recovers the journal as a server does
    store.close()
    connection = sqlite3.connect(folder / "server.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    rows = connection.execute(
        "SELECT delivery_id, body FROM deliveries JOIN bodies ON bodies.id = body_id"
    ).fetchall()
    connection.close()
    return {int.from_bytes(name, "big"): body for name, body in rows}


@pytest.mark.parametrize("cuts", [12, pytest.param(400, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
def test_what_was_accepted_survives_a_power_cut(
    world: World, disk: Disk, tmp_path: Path, cuts: int
) -> None:
    """At any moment the synced part of the disk, with any part of the rest, has all accepted."""
    chance = random.Random(cuts)
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    accepted: dict[int, bytes] = {}
    number = 0
    for cut in range(cuts):
        wave = {}
        for _ in range(chance.randrange(1, 12)):
            number += 1
            wave[number] = chance.randbytes(chance.choice((40, 400, 9_000)))
        alice.peer.send_without_waiting(*(pm("bob/main", body, n) for n, body in wave.items()))
        disk.image(tmp_path / f"under-way-{cut}", chance)  # nobody knows how far it has come
        answers = [message for message, _ in alice.peer.news()]
        for answer in answers:
            assert isinstance(answer, Accepted), answer
        disk.image(tmp_path / f"cut-{cut}", chance)
        assert accepted.items() <= stored(tmp_path / f"under-way-{cut}").items()
        accepted |= wave
        assert stored(tmp_path / f"cut-{cut}").items() == accepted.items()
    assert disk.syncs > cuts


@pytest.mark.parametrize(
    ("where", "error"),
    [("write", disks.FULL), ("write", disks.WRITE_ERROR), ("sync", disks.SYNC_ERROR)],
    ids=["full", "write error", "sync error"],
)
def test_a_failing_disk_accepts_nothing_and_heals(
    world: World, disk: Disk, tmp_path: Path, where: str, error: int
) -> None:
    """storage_unavailable while it fails, whatever fails; live messages pass; then it goes on."""
    alice, bob, carol = (world.person(name) for name in ("alice", "bob", "carol"))
    carol.peer.hang_up()
    alice.peer.send(pm("carol/main", b"before", 1))
    alice.peer.expect(Accepted)
    alice.peer.send(pm("bob/main", b"first", 7))  # now sequences of his are reserved
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.expect(Accepted)
    world.advance(3)
    setattr(disk, f"{where}_result", error)
    for number in range(2, 6):
        alice.peer.send(pm("carol/main", b"%d" % number, number))
        refused = alice.peer.expect(Error)
        assert refused.code is Code.STORAGE_UNAVAILABLE
        assert refused.retry_after
    alice.peer.send(pm("bob/main", b"live", 9))
    bob.peer.send(ack(bob.peer.expect(Delivery).seq))
    alice.peer.expect(Accepted)
    disk.image(tmp_path / "image")
    assert stored(tmp_path / "image") == {1: b"before"}
    setattr(disk, f"{where}_result", disks.OK)
    for number in range(2, 6):
        alice.peer.send(pm("carol/main", b"%d" % number, number))
        alice.peer.expect(Accepted)
    disk.image(tmp_path / "later", random.Random(1))
    expected = {1: b"before"} | {n: b"%d" % n for n in range(2, 6)}
    assert stored(tmp_path / "later") == expected
    carol.login()
    assert [body for _, body in carol.peer.deliveries()] == list(expected.values())


def test_no_sequence_is_given_out_that_the_disk_has_not_reserved(world: World, disk: Disk) -> None:
    """Else a crash would give it to another message: while the disk takes nothing, none is pushed.

    Once a block is reserved, what comes is pushed whatever the disk does.
    """
    alice, bob = world.person("alice"), world.person("bob")
    disk.write_result = disks.FULL
    alice.peer.send(pm("bob/main", b"nothing is reserved", 1))
    assert alice.peer.expect(Error).code is Code.STORAGE_UNAVAILABLE
    assert bob.peer.news() == []
    disk.write_result = disks.OK
    alice.peer.send(pm("bob/main", b"now", 1))
    assert bob.peer.expect(Delivery).seq > 0


def test_a_checkpoint_that_fails_ends_no_thread(world: World, disk: Disk) -> None:
    """The journal cannot be moved into the database: it is said once, and writing goes on."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.peer.hang_up()
    disk.only, disk.write_result = "server.db", disks.WRITE_ERROR
    tried: list[int] = [disk.refused]
    for number in range(1, 6):
        alice.peer.send(pm("bob/main", b"%d" % number, number))
        alice.peer.expect(Accepted)
        wait_for(lambda: disk.refused > tried[-1], 10, "a checkpoint is tried")
        tried.append(disk.refused)
    assert world.store.writer.is_alive()
    disk.write_result = disks.OK
    bob.login()
    assert [body for _, body in bob.peer.deliveries()] == [b"1", b"2", b"3", b"4", b"5"]


def test_one_connection_writes_and_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite before 3.51.3 can lose a commit when two connections checkpoint: here one does.

    Every statement of every connection is recorded while a server registers, stores, reads,
    acknowledges and checkpoints.
    """
    said: dict[str, list[str]] = {}
    connect = sqlite3.connect

    def recorded(*args: Any, **more: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **more)
        who = f"{threading.current_thread().name} {len(said)}"
        said[who] = []
        connection.set_trace_callback(said[who].append)
        return connection

    monkeypatch.setattr(writer, "_CHECKPOINT_SECONDS", 0.0)
    world = World(tmp_path / "server")
    try:
        monkeypatch.setattr(sqlite3.dbapi2, "connect", recorded)
        alice, bob = world.person("alice"), world.person("bob")
        bob.peer.hang_up()
        alice.publish(5, kem=5)
        alice.peer.send(pm("bob/main", b"x"))
        alice.peer.expect(Accepted)
        bob.login().send(ack(bob.peer.expect(Delivery).seq))
        world.advance(3)
    finally:
        world.close()
    assert len(said) >= 3, said.keys()
    writes = re.compile(r"(?i)\s*(INSERT|UPDATE|DELETE|REPLACE|BEGIN IMMEDIATE|.*wal_checkpoint)")
    writing = {who for who, lines in said.items() if any(map(writes.match, lines))}
    assert [who.split()[0] for who in writing] == ["store-writer"]
    assert any("wal_checkpoint" in line for line in said[writing.pop()])
    for who, lines in said.items():
        if not who.startswith("store-writer"):
            assert "PRAGMA query_only=ON" in lines
            assert "PRAGMA wal_autocheckpoint=0" in lines


def test_a_job_that_fails_costs_the_others_of_its_group_nothing(world: World) -> None:
    """Whatever one request's statement violates, what was to be committed with it is committed."""
    go = threading.Event()
    told: list[Any] = []
    store = world.store
    assert store.write(lambda connection: go.wait(10), told.append)
    assert store.write(lambda connection: invites.create(connection, "one", 1, None), told.append)
    assert store.write(violate, told.append)
    assert store.write(lambda connection: invites.create(connection, "two", 1, None), told.append)
    go.set()
    world.loop.run_until(lambda: len(told) == 4)
    assert isinstance(told[2], IntegrityError)
    assert [invite.label for invite in store.list_invites()] == ["one", "two"]


def violate(connection: Connection) -> None:
    connection.execute(insert(facts).values(name="server_id", value=b"another"))
