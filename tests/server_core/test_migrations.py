"""Older data folders: brought up to date with all they hold, or left as they were."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.functions import FunctionElement

from secure_chat.errors import Code
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceName, UserId
from secure_chat.protocol.messages import BlobPut, Delivery, KemPrekey, SignedPrekey
from secure_chat.protocol.wiretypes import (
    AccountKey,
    BlobHash,
    KemPublic,
    ManifestBytes,
    PrekeyPublic,
    ServerId,
    Signature,
)
from secure_chat.server.store import Store, backup, book, database, invites, keys, mail, people
from secure_chat.server.store.people import NewAccount
from secure_chat.server.store.schema import metadata
from tests.server_core.support import World, ack, pm

FIRST = Path(__file__).with_name("v0001.sql")
STORE = Path(database.__file__).parent


def folder_of_the_first_schema(folder: Path) -> Path:
    """A data folder as a server of the first schema left it."""
    database.prepare(folder)
    connection = sqlite3.connect(database.file_of(folder))
    connection.executescript(FIRST.read_text(encoding="utf-8"))
    connection.close()
    return folder


def rows(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table, through the driver alone."""
    connection = sqlite3.connect(database.file_of(folder))
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    ]
    found = {name: list(connection.execute(f'SELECT * FROM "{name}"')) for name in names}
    connection.close()
    return found


def newcomer(user_id: str) -> NewAccount:
    return NewAccount(
        UserId(user_id), DeviceName(FIRST_DEVICE), bytes(32), AccountKey(bytes(32)),
        ManifestBytes(b"m"), Signature(bytes(64)), 1,
        SignedPrekey(1, PrekeyPublic(bytes(32)), 1, Signature(bytes(64))),
        KemPrekey(1, KemPublic(bytes(1568)), 1, Signature(bytes(64))), None,
    )  # fmt: skip


def test_the_first_schema_is_brought_up_to_date_with_all_it_holds(tmp_path: Path) -> None:
    """Every row is there afterwards, under the same ids, and the server works with them."""
    folder = folder_of_the_first_schema(tmp_path / "data")
    before = rows(folder)
    store = Store.open(folder)
    try:
        assert store.server_id == ServerId(bytes(range(16)))
        state = store.ask(lambda db: mail.load_device(db, "alice", "main"))
        assert state is not None
        assert (state.acked, state.last_seq, state.tail) == (7, 4096, 8)
        bob = store.ask(lambda db: mail.load_device(db, "bob", "main"))
        assert bob is not None
        assert bob.disabled
        waiting = store.ask(lambda db: mail.page(db, 1, 7, 100, 10, 10**6))
        assert [(one.seq, one.sender, one.body) for one in waiting] == [
            (8, "bob/main", b"\x01\x01 a sealed body")
        ]
        claimed = store.ask(lambda db: keys.claim(db, "alice", "main", one_time=True))
        assert not isinstance(claimed, Code)
        assert (claimed.kem.id, claimed.one_time and claimed.one_time.id) == (101, 100)
        (invite,) = store.ask(invites.listed)
        assert (invite.label, invite.uses, invite.used) == ("for the family", 3, 2)
        assert store.ask(lambda db: people.register(db, newcomer("a1ice"), 0)) is Code.NAME_TAKEN
        assert isinstance(store.ask(lambda db: people.register(db, newcomer("carol"), 0)), int)
    finally:
        store.close()
    after = rows(folder)
    for table in ("accounts", "devices", "invites", "bodies", "deliveries", "facts"):
        kept = [row[: len(before[table][0])] for row in after[table]]
        assert kept[: len(before[table])] == before[table]


_KILLED = """
import os, signal, sys
from pathlib import Path
from alembic import op
from secure_chat.server.store import database
make = op.create_table
def make_and_die(*arguments, **options):
    make(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)
op.create_table = make_and_die
database.migrate(Path(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_migration_leaves_the_older_schema_whole(tmp_path: Path) -> None:
    """Killed after its first change: nothing of it is there, and the next start does it all."""
    folder = folder_of_the_first_schema(tmp_path / "data")
    before = rows(folder)
    done = subprocess.run([sys.executable, "-c", _KILLED, str(folder)], timeout=60, check=False)
    assert done.returncode == -9
    assert rows(folder) == before
    store = Store.open(folder)
    assert store.ask(lambda db: mail.load_device(db, "alice", "main")) is not None
    store.close()
    assert set(rows(folder)) == {*metadata.tables, "alembic_version"}


def test_the_steps_are_one_line_without_ways_back() -> None:
    """Each schema follows the one before, and none pretends that it could be undone."""
    versions = sorted((STORE / "migrations" / "versions").glob("v*.py"))
    before: str | None = None
    for path in versions:
        text = path.read_text(encoding="utf-8")
        revision = re.search(r'^revision = "(\d{4})"', text, re.MULTILINE)
        down = re.search(r"^down_revision: str \| None = (.+)$", text, re.MULTILINE)
        assert revision is not None
        assert down is not None
        assert path.name.startswith(f"v{revision[1]}_")
        assert down[1].strip('"') == str(before)
        assert "raise NotImplementedError" in text
        before = revision[1]


def test_what_only_sqlite_knows_stands_apart() -> None:
    """Pragmas, locks, the driver and its copies: two modules; the rest is SQLAlchemy Core."""
    for path in STORE.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.name not in {"database.py", "backup.py"}:
            assert "PRAGMA" not in text, path
            assert "exec_driver_sql" not in text, path
            assert not re.search(r"^(import|from) sqlite3", text, re.MULTILINE), path
            assert not re.search(r"[^_]text\(\"", text), path


def test_the_tables_and_the_book_compile_for_postgresql() -> None:
    """Another database gets the same tables, without SQLite's hints."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=dialect))
        assert "ROWID" not in made
        assert "AUTOINCREMENT" not in made
    owner = book.Owner(1, [1], ["alice/main"])
    for section in book.SECTIONS:
        query = book._query(section, owner, tuple(1 for _ in section.key))
        assert "SELECT" in str(query.compile(dialect=dialect))


def test_what_is_executed_compiles_for_postgresql(tmp_path: Path) -> None:
    """A busy day of a server, its backup and its restoring: no statement that only SQLite takes."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    seen: set[str] = set()

    def look(_connection: object, statement: object, *_: object) -> None:
        if isinstance(statement, ClauseElement):
            for part in visitors.iterate(statement):
                if isinstance(part, FunctionElement) and part.name in {"max", "min"}:
                    assert len(part.clauses) == 1, f"{statement}: elsewhere it is GREATEST"
            seen.add(str(statement.compile(dialect=dialect)))

    event.listen(Engine, "before_execute", look)
    try:
        world = World(tmp_path / "data")
        alice, bob = world.person("alice"), world.person("bob")
        bob.peer.hang_up()
        alice.peer.send(pm("bob/main", b"later"), BlobPut(2, BlobHash(bytes(32)), 7))
        bob.login().send(ack(bob.peer.expect(Delivery).seq))
        world.store.create_invite("gone")
        world.store.revoke_invites((), "gone")
        world.hub.departures.delete("alice", lambda _: None)
        world.advance(3_600)
        world.close()
        backup.prepare_for_service(tmp_path / "data", 0, 1)
    finally:
        event.remove(Engine, "before_execute", look)
    assert len(seen) > 40
    assert not [one for one in seen if re.search(r"\bOR (IGNORE|REPLACE)\b|rowid", one)]


def test_a_reader_sees_the_upgraded_folder(tmp_path: Path) -> None:
    """Old accounts are in their own open book, under the new schema."""
    store = Store.open(folder_of_the_first_schema(tmp_path / "data"))

    def job(connection: Connection) -> list[str]:
        assert connection.execute(select(metadata.tables["accounts"].c.id)).all()
        return [row.table for row in book.whole(connection, 1)]

    tables = store.ask(job)
    store.close()
    assert tables == [
        "accounts", "devices", "one_time_keys", "one_time_kem_keys",
        "deliveries", "deliveries", "bodies",
    ]  # fmt: skip
