"""The open book: all that the server holds on an account, and nothing of anybody else."""

import hashlib
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import sqlite

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.held import HeldRow, decode_rows
from secure_chat.protocol.messages import (
    BLOBS,
    Accepted,
    BlobHeld,
    BlobPut,
    Error,
    HeldData,
    MyData,
)
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.store import book, departures
from secure_chat.server.store.schema import metadata
from tests.server_core.support import Person, World, pm


def read(person: Person) -> list[HeldRow]:
    """The whole book, page by page, as a client asks for it."""
    rows: list[HeldRow] = []
    after = ""
    while True:
        person.peer.send(MyData(9, after))
        answer, body = next(one for one in person.peer.news() if isinstance(one[0], HeldData))
        assert isinstance(answer, HeldData)
        assert len(body) <= limits.BODY
        rows += decode_rows(body)
        after = answer.next
        if not after:
            return rows


def bring_something(person: Person) -> None:
    """A blob that is whole and one that is coming."""
    for data, size in ((b"sealed", 6), (b"sea", 7)):
        name = BlobHash(hashlib.sha256(b"sealed").digest() if size == 6 else bytes(32))
        person.peer.send((BlobPut(1, name, size), data))
        assert person.peer.expect(BlobHeld).held == len(data)


def of_table(rows: list[HeldRow], name: str) -> list[dict[str, Any]]:
    return [row.values for row in rows if row.table == name]


def test_every_table_is_shown_or_said_to_hold_nothing_personal() -> None:
    """A later table that nobody thought of fails here: show it, or say why it is nobody's."""
    shown = {section.table.name for section in book.SECTIONS}
    assert not shown & set(book.NOT_PERSONAL)
    assert shown | set(book.NOT_PERSONAL) == set(metadata.tables)
    assert all(book.NOT_PERSONAL.values())


def test_every_column_is_shown(world: World) -> None:
    """Each row has all its columns, whatever was added to the table."""
    alice, bob = world.person("alice", features=(BLOBS,)), world.person("bob")
    bring_something(alice)
    alice.publish(2, kem=2)
    alice.peer.hang_up()
    bob.peer.send(pm("alice/main", b"waits"))
    alice.login()
    rows = read(alice)
    for section in book.SECTIONS:
        found = of_table(rows, section.table.name)
        assert found, f"nothing of {section.table.name}"
        for values in found:
            assert set(values) == {column.name for column in section.table.c}


def test_the_book_of_the_only_account_is_the_whole_database(world: World) -> None:
    """Row by row: what is on disk and not in the book belongs to no account."""
    alice = world.person("alice", features=(BLOBS,))
    bring_something(alice)
    alice.publish(7, kem=7)
    for number in (1, 2, 3):
        alice.peer.send(pm("alice/main", b"to myself", number))
    world.advance(3)
    rows = read(alice)

    def count(connection: Connection) -> dict[str, int]:
        return {
            table.name: len(connection.execute(select(*table.c)).all())
            for table in metadata.sorted_tables
            if table.name not in book.NOT_PERSONAL
        }

    assert world.store.ask(count) == {
        section.table.name: len(of_table(rows, section.table.name)) for section in book.SECTIONS
    }
    assert of_table(rows, "deliveries")


def test_messages_in_both_directions_are_shown(world: World) -> None:
    """What waits for the account, and what it sent and the other has not fetched; nobody else's."""
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    alice.peer.hang_up()
    carol.peer.hang_up()
    bob.peer.send(pm("alice/main", b"to alice", 1), pm("carol/main", b"to carol", 2))
    assert [type(m) for m, _ in bob.peer.news()] == [Accepted, Accepted]
    world.advance(3)
    senders = {person.name: of_table(read(person), "deliveries") for person in (bob,)}
    assert [row["sender"] for row in senders["bob"]] == ["bob/main", "bob/main"]
    alice.login()
    mine = read(alice)
    assert [row["sender"] for row in of_table(mine, "deliveries")] == ["bob/main"]
    assert len(of_table(mine, "bodies")) == 1
    assert "carol" not in str(mine)


def test_a_large_book_comes_in_pages(world: World) -> None:
    """Each fits a frame; together they are what the operator sees at once, no row twice."""
    alice = world.person("alice")
    alice.publish(150, kem=150)
    pages = 0
    rows: list[HeldRow] = []
    after = ""
    while True:
        alice.peer.send(MyData(1, after))
        answer, body = alice.peer.news()[0]
        assert isinstance(answer, HeldData)
        rows += decode_rows(body)
        pages += 1
        after = answer.next
        if not after:
            break
    assert pages > 5
    account = world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    on_disk = [row for row in rows if row.table != "memory"]
    assert on_disk == world.store.ask(lambda db: book.whole(db, account))
    assert len({str(row) for row in on_disk}) == len(on_disk)


def test_what_is_only_in_memory_is_shown_to_its_owner(world: World) -> None:
    """The network that limits count by is not on disk; only the account itself sees it."""
    alice = world.person("alice")
    assert of_table(read(alice), "memory") == [
        {"device": "main", "network": "192.0.2.1", "unacknowledged": 0}
    ]
    account = alice.peer.world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    shown = world.hub.book.memory(account, to_owner=False)
    assert "192.0.2.1" not in str(shown)
    assert shown


def test_a_place_that_does_not_exist_is_refused(world: World) -> None:
    """Whatever stands in `after`: an answer, and no bug."""
    alice = world.person("alice")
    for place in ("x", "-1", "99", "0.1.2", "0..1", "٣", "1." + "9" * 40, ".", "0.1e3"):
        alice.peer.send(MyData(3, place))
        assert alice.peer.expect(Error).code is Code.BAD_FIELD


def test_reading_without_end_is_limited(world: World) -> None:
    """A book costs the disk: an account that reads on and on is told to wait."""
    alice = world.person("alice")
    for _ in range(100):
        alice.peer.send_without_waiting(MyData(4))
        world.settle()
    alice.peer.news()
    alice.peer.send(MyData(5))
    error = alice.peer.expect(Error)
    assert (error.code, error.ref) == (Code.RATE_LIMITED, 5)
    assert error.retry_after is not None


def test_nobody_elses_mailbox_is_scanned(world: World) -> None:
    """On SQLite every chapter is answered by an index, however many messages others have."""
    owner = book.Owner(1, [1, 2], ["alice/main", "alice/phone"])

    def plans(connection: Connection) -> list[str]:
        found = []
        for section in book.SECTIONS:
            query = book._query(section, owner, tuple(1 for _ in section.key))
            text = str(
                query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
            )
            rows = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + text)
            found += [str(row[3]) for row in rows]
        return found

    steps = world.store.ask(plans)
    assert len(steps) > 5
    assert not [step for step in steps if step.startswith("SCAN")]
    by_sender = [step for step in steps if "deliveries" in step and "sender=?" in step]
    assert len(by_sender) == 4
