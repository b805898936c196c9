"""The open book: all that the server holds on an account, and nothing of anybody else."""

import hashlib
import re
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects import sqlite

from secure_chat.client.held_words import column
from secure_chat.client.i18n import Words
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
    KeysGet,
    MyData,
    Watch,
)
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.core import rates
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.settings import Rate, Settings
from secure_chat.server.store import book, departures
from secure_chat.server.store.schema import metadata
from tests.server_core.support import Person, World, ack, pm
from tests.support.timing import seconds_of

SECURITY = Path(__file__).parents[2] / "SECURITY.md"


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


def memory_of(person: Person) -> list[dict[str, Any]]:
    return of_table(read(person), "memory")


def test_what_is_only_in_memory_is_shown_to_its_owner(world: World) -> None:
    """Connections, whom they watch, what is left of each rate, mailboxes, ids that are remembered.

    The network that limits count by is on no disk; only the account itself sees it.
    """
    alice, bob = world.person("alice", features=(BLOBS,)), world.person("bob")
    carol = world.person("carol")
    bob.publish(2, kem=2)
    bring_something(alice)
    for peer in (alice.peer, carol.peer):
        peer.send(Watch(1, presence=True, names=["bob"]), KeysGet(2, "bob/main"))
    alice.peer.send(pm("bob/main", b"done", 1))
    bob.peer.send(ack(1))
    alice.peer.send(pm("bob/main", b"on the way", 2))
    world.now += 7
    carol.peer.send(pm("bob/main", b"of no concern", 3))
    rows = memory_of(alice)
    (connection,) = [row for row in rows if "connection" in row]
    assert connection | {"frames_lately": 0} == {
        "connection": "main", "network": "192.0.2.1", "features": "blobs", "connected_seconds": 7,
        "silent_seconds": 0, "unread_bytes": 0, "frames_lately": 0, "refusals_lately": 0,
        "requests_open": 0, "uploads_open": 1, "watches": "bob",
    }  # fmt: skip
    assert connection["frames_lately"] > 5
    ids = [row for row in rows if "delivery_ids_on_the_way" in row]
    assert ids == [{"delivery_ids_on_the_way": 1, "delivery_ids_done_lately": 1}]
    own = {row["rate"] for row in rows if "rate" in row and "network" not in row}
    assert own == {"requests", "messages", "blob_chunks", "bundles", "one_time_keys", "book_pages",
                   "logins_of_account"}  # fmt: skip
    networks = {row["rate"] for row in rows if "rate" in row and "network" in row}
    assert networks == {"registrations", "one_time_keys_of_address"}
    assert {row["device"] for row in rows if row.get("rate") == "one_time_keys"} == {"bob/main"}
    left = {row["rate"]: (row["left"], row["of"]) for row in rows if "rate" in row}
    assert left["messages"] == (4_000, 4_000)
    assert left["logins_of_account"] == (60, 60)
    assert left["one_time_keys"] == (19, 20)
    assert "carol" not in str(rows)

    listed = SECURITY.read_text("utf-8").partition("## What the server holds in memory alone")[2]
    named = set(
        re.findall(r"\w+", " ".join(re.findall(r"^\|[^|]*\|([^|]*)\|", listed, re.MULTILINE)))
    )
    names = {name for row in rows for name in row}
    assert names <= named, "each is named in SECURITY.md"
    assert [name for name in names if not column(name, Words("fa"))] == [], "and before people"

    account = world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    shown = [row.values for row in world.hub.memory.rows("alice", account, to_owner=False)]
    assert "192.0.2.1" not in str(shown)
    assert {row["rate"] for row in shown if "rate" in row} == own


def test_a_mailbox_in_use_is_shown(world: World) -> None:
    """What the quotas count, while the mailbox is in memory, whoever used it last."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.peer.send(pm("alice/main", b"to myself"), pm("bob/main", b"to bob"))
    world.advance(3)
    assert [row for row in memory_of(alice) if "mailbox" in row] == [
        {"mailbox": "alice/main", "waiting": 1, "waiting_bytes": 9, "senders": 1,
         "unacknowledged": 1},
    ]  # fmt: skip
    bob.peer.hang_up()
    account = world.store.ask(lambda db: departures.account_id(db, "bob"))
    assert account is not None
    held = [row.values for row in world.hub.memory.rows("bob", account, to_owner=False)]
    assert {"mailbox": "bob/main", "waiting": 1, "waiting_bytes": 6, "senders": 1,
            "unacknowledged": 0} in held  # fmt: skip
    assert not [row for row in held if "connection" in row]


def test_every_rate_is_kept_in_one_place_and_shown() -> None:
    """A later rate is in the table that the book reads, or counts for a connection alone."""
    settings = Settings()
    of_connections = {"frames", "refusals", "refusals_of_strangers"}
    names = {name for name in settings.__struct_fields__
             if isinstance(getattr(settings, name), Rate)}  # fmt: skip
    assert set(Rates(settings).all()) == names - of_connections
    core = Path(rates.__file__).parent
    makers = {path.name for path in core.glob("*.py") if "Buckets(" in path.read_text("utf-8")}
    assert makers == {"rates.py"}


def test_the_memory_too_comes_in_pages(world: World) -> None:
    """An account that asked for the keys of thousands is told of all of them."""
    alice = world.person("alice")
    account = world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    for number in range(2_000):
        world.hub._rates.one_time_keys.take((account, f"somebody{number}/main"), world.now)
        world.hub._rates.one_time_keys.take((account + 1, f"other{number}/main"), world.now)
    rows = memory_of(alice)
    devices = [row["device"] for row in rows if row.get("rate") == "one_time_keys"]
    assert devices == [f"somebody{number}/main" for number in range(2_000)]
    alice.peer.send(MyData(1, "m.99999"))
    assert alice.peer.news()[0][1] == b"[]"


def test_a_page_of_the_memory_costs_no_more_because_of_others(world: World) -> None:
    """It is read on the thread that moves messages: others' ids are not gone through."""
    alice, bob = world.person("alice"), world.person("bob")
    for number in range(1, 30):
        alice.peer.send(pm("bob/main", b"done", number))
    bob.peer.send(ack(29))
    account = world.store.ask(lambda db: departures.account_id(db, "alice"))
    assert account is not None
    for number in range(40_000):
        world.hub._rates.one_time_keys.take((account + 1, f"other{number}/main"), world.now)
        world.hub._post._recent.add(b"%8d%22d%s" % (number, number, b"carol/main"), 0)

    def read_memory() -> float:
        shown: list[HeldRow] = []
        spent = seconds_of(
            lambda: shown.extend(world.hub.memory.rows("alice", account or 0, to_owner=True))
        )
        assert len(shown) > 3
        return spent

    first = read_memory()  # counts for everybody
    assert min(read_memory() for _ in range(5)) < max(first / 10, 0.0005)


def test_pages_of_the_memory_count_for_ten(world: World) -> None:
    """Ten of them at once; the eleventh is told to wait."""
    alice = world.person("alice")
    for _ in range(10):
        alice.peer.send(MyData(4, "m.0"))
        assert isinstance(alice.peer.news()[0][0], HeldData)
    alice.peer.send(MyData(5, "m.0"))
    assert alice.peer.expect(Error).code is Code.RATE_LIMITED


def test_a_place_that_does_not_exist_is_refused(world: World) -> None:
    """Whatever stands in `after`: an answer, and no bug."""
    alice = world.person("alice")
    places = ["x", "-1", "99", "0.1.2", "0..1", "٣", "1." + "9" * 40, ".", "0.1e3"]
    for place in (*places, "m.", "m.x", "m.-1", "m.1.2", "m.٣", "m." + "9" * 40):
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
