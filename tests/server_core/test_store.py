"""The data folder: schema, lock, permissions, the writer's group commit and its failures."""

import contextlib
import os
import queue
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from secure_chat.errors import (
    DataFolderInUse,
    DataFolderTooNew,
    DataFolderUnusable,
    StorageUnavailable,
)
from secure_chat.server.store import Store, database, mail, writer
from secure_chat.server.store.mail import Acked, Letter, Stored
from secure_chat.server.store.schema import metadata


def ask(store: Store, job: Any) -> Any:
    return store.ask(job)


def device(store: Store, name: str = "bob") -> int:
    """A bare device to store messages for."""

    def job(connection: Any) -> int:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO accounts (user_id, skeleton, account_key, manifest, manifest_signature,"
            f" manifest_counter) VALUES ('{name}', '{name}', x'', x'', x'', 1)"
        )
        run(
            "INSERT INTO devices (account_id, name, signing_key)"
            " SELECT max(id), 'main', x'' FROM accounts"
        )
        return int(run("SELECT max(id) FROM devices").scalar())

    return int(ask(store, job))


def put(store: Store, *letters: Letter) -> list[Any]:
    """Store letters as one group; what each was told."""
    told: list[Any] = []
    for letter in letters:
        assert store.store(letter, told.append)
    ask(store, lambda connection: None)
    return told


def letter(device_id: int, seq: int, body: bytes = b"x", name: int = 0) -> Letter:
    return Letter(device_id, seq, (name or seq).to_bytes(16, "big"), "alice/main", 1, body, 1)


def test_migrations_make_the_schema_of_the_code(tmp_path: Path) -> None:
    """A folder brought up to date has exactly the tables of schema.py; once is enough."""
    database.prepare(tmp_path)
    database.migrate(tmp_path)
    database.migrate(tmp_path)
    engine = database.writer_engine(tmp_path)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_newer_schema_is_refused_in_words(tmp_path: Path) -> None:
    """An older program leaves a newer folder alone."""
    Store.open(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "server.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(DataFolderTooNew, match="newer version"):
        Store.open(tmp_path)


def test_the_server_id_stays(tmp_path: Path) -> None:
    """Made at the first start, the same ever after, another in another folder."""
    ids = []
    for folder in ("one", "one", "two"):
        store = Store.open(tmp_path / folder)
        ids.append(store.server_id)
        store.close()
    assert ids[0] == ids[1] != ids[2]


def test_one_process_holds_the_folder(tmp_path: Path) -> None:
    """A second server on the same folder is refused in words; after the end it may start.

    Another command is not taken for a server: whoever waits reads which one, and its process.
    """
    store = Store.open(tmp_path)
    with pytest.raises(DataFolderInUse, match="running server"):
        Store.open(tmp_path)
    program = (
        "import sys; from pathlib import Path; from secure_chat.server.store import Store\n"
        "from secure_chat.errors import DataFolderInUse\n"
        "try: Store.open(Path(sys.argv[1])).close()\n"
        "except DataFolderInUse: sys.exit(7)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, timeout=60, check=False).returncode == 7
    store.close()
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
    words = f"another command, secure-chat-server users delete \\(process {os.getpid()}\\); wait"
    with (
        contextlib.closing(Store.open(tmp_path, command="users delete")),
        pytest.raises(DataFolderInUse, match=words),
    ):
        Store.open(tmp_path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A file where the folder should be: a sentence, no traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderUnusable, match="file"):
        Store.open(tmp_path / "file")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_attack_68_the_folder_is_for_its_owner_alone(tmp_path: Path, umask: int) -> None:
    """0700 and 0600 under any umask, the write-ahead log included."""
    old = os.umask(umask)
    try:
        store = Store.open(tmp_path / "data")
        device(store)
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "data").iterdir()}
        store.close()
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert {"server.db", "server.db-wal", "server.lock"} <= set(modes)
    assert modes.pop("blobs") == 0o700
    assert set(modes.values()) == {0o600}


def test_the_driver_is_durable_and_forgets(tmp_path: Path) -> None:
    """WAL with fsync at each commit, deleted content overwritten, readers that cannot write."""
    store = Store.open(tmp_path)
    pragmas = ("journal_mode", "synchronous", "secure_delete", "foreign_keys")

    def read(connection: Any) -> list[Any]:
        return [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in pragmas]

    assert ask(store, read) == ["wal", 2, 1, 1]
    told: list[Any] = []
    assert store.read(lambda c: c.exec_driver_sql("DELETE FROM accounts"), told.append)
    store.close()
    assert isinstance(told[0], StorageUnavailable)


def test_a_group_is_stored_as_one_and_repeats_are_told_apart(tmp_path: Path) -> None:
    """New, repeated and conflicting messages in one group are each told what they are."""
    store = Store.open(tmp_path)
    bob = device(store)
    assert put(store, letter(bob, 1), letter(bob, 2)) == [Stored.YES] * 2
    missing = Letter(bob, 9, b"n" * 16, "alice/main", 1, b"x", 1, only_known=True)
    known = Letter(bob, 9, (1).to_bytes(16, "big"), "alice/main", 1, b"x", 1, only_known=True)
    assert put(
        store,
        letter(bob, 3),
        letter(bob, 4, name=1),
        letter(bob, 5, b"other", name=2),
        letter(bob, 6),
        letter(bob, 7, name=6),
        letter(999, 1),
        missing,
        known,
    ) == [
        Stored.YES,
        Stored.ALREADY,
        Stored.OTHER,
        Stored.YES,
        Stored.ALREADY,
        Stored.NO_DEVICE,
        Stored.NO,
        Stored.ALREADY,
    ]
    page = ask(store, lambda c: mail.page(c, bob, 0, 100, 10, 10**6))
    assert [waiting.seq for waiting in page] == [1, 2, 3, 6]
    store.close()


def test_acknowledged_messages_leave_nothing(tmp_path: Path) -> None:
    """Deliveries and their bodies go together; what is not acknowledged stays."""
    store = Store.open(tmp_path)
    bob = device(store)
    put(store, *(letter(bob, n) for n in range(1, 11)))
    ask(store, lambda c: mail.acknowledge(c, [Acked(bob, 7, stored=True)]))
    counts = ask(
        store,
        lambda c: [
            c.exec_driver_sql(f"SELECT count(*) FROM {t}").scalar()
            for t in ("bodies", "deliveries")
        ],
    )
    assert counts == [3, 3]
    state = ask(store, lambda c: mail.load_device(c, "bob", "main"))
    assert (state.acked, state.tail, state.last_seq) == (7, 10, 10)
    assert [(load.messages, load.size) for load in state.loads] == [(3, 3)]
    store.close()


def test_one_body_serves_many_deliveries(tmp_path: Path) -> None:
    """A body shared by two mailboxes is kept once, until both have acknowledged."""
    store = Store.open(tmp_path)
    bob, carol = device(store), device(store, "carol")
    put(store, letter(bob, 1, b"shared"))

    def share(connection: Any) -> None:
        connection.exec_driver_sql("UPDATE bodies SET copies = 2")
        connection.exec_driver_sql(
            f"INSERT INTO deliveries SELECT {carol}, seq, body_id, delivery_id, "
            "sender, time, size, since"
            " FROM deliveries"
        )

    ask(store, share)
    ask(store, lambda c: mail.acknowledge(c, [Acked(bob, 1, stored=True)]))
    (left,) = ask(store, lambda c: mail.page(c, carol, 0, 9, 9, 10**6))
    assert left.body == b"shared"
    ask(store, lambda c: mail.acknowledge(c, [Acked(carol, 1, stored=True)]))
    assert ask(store, lambda c: c.exec_driver_sql("SELECT count(*) FROM bodies").scalar()) == 0
    store.close()


@contextlib.contextmanager
def writer_held(store: Store) -> Iterator[None]:
    """The writer waits in a job: what is queued inside the block becomes one group."""
    entered, gate = threading.Event(), threading.Event()

    def job(_connection: object) -> None:
        entered.set()
        gate.wait(30)

    assert store.write(job, lambda _: None)
    assert entered.wait(30)
    try:
        yield
    finally:
        gate.set()


def test_a_failed_commit_keeps_nothing_even_if_it_reached_the_disk(tmp_path: Path) -> None:
    """After an error in COMMIT nobody knows: its letters are removed before anything else."""
    store = Store.open(tmp_path)
    bob = device(store)

    def commit_then_fail(connection: Any) -> None:
        connection.exec_driver_sql("COMMIT")  # as if the answer to the COMMIT were lost
        raise OSError("EIO")

    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with writer_held(store):
        assert store.store(letter(bob, 1, b"doubtful"), told.put)
        assert store.write(commit_then_fail, told.put)
    for _ in range(2):
        assert isinstance(told.get(timeout=30), StorageUnavailable)
    assert put(store, letter(bob, 2, b"later"), letter(bob, 3, b"doubtful", name=1)) == [
        Stored.YES,
        Stored.YES,
    ]
    page = ask(store, lambda c: mail.page(c, bob, 0, 100, 10, 10**6))
    assert [(waiting.seq, waiting.body) for waiting in page] == [(2, b"later"), (3, b"doubtful")]
    store.close()


def test_a_failing_disk_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was refused stay the numbers of one group, however often it is tried again."""
    store = Store.open(tmp_path)
    bob = device(store)
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with monkeypatch.context() as broken:
        broken.setattr(mail, "store_letters", _no_space)
        broken.setattr(writer, "_PAUSE_AFTER_FAILURE", 0.0)
        for seq in range(1, 201):
            assert store.store(letter(bob, seq, bytes(1_000)), told.put)
            assert isinstance(told.get(timeout=10), StorageUnavailable)
        doubtful = store.writer._doubtful
        assert len(doubtful) <= 1
        assert all(type(number) is int for pair in doubtful for number in pair)
    assert store.store(letter(bob, 201), told.put)
    assert told.get(timeout=10) is Stored.YES
    assert not store.writer._doubtful
    store.close()


def _no_space(*_: object) -> None:
    raise OSError("no space")


def test_a_job_that_fails_undoes_itself_alone(tmp_path: Path) -> None:
    """In one group: what is good is kept, what raises leaves nothing behind."""
    store = Store.open(tmp_path)
    bob = device(store)

    def half(connection: Any) -> None:
        mail.reserve(connection, bob, 500)
        raise ValueError

    told: list[Any] = []
    with writer_held(store):
        store.store(letter(bob, 1), told.append)
        store.write(half, told.append)
        store.write(lambda c: mail.reserve(c, bob, 100), told.append)
    state = ask(store, lambda c: mail.load_device(c, "bob", "main"))
    assert state.last_seq == 100
    assert [type(outcome) for outcome in told] == [Stored, ValueError, type(None)]
    store.close()


def test_the_queue_of_the_writer_is_bounded_in_bytes(tmp_path: Path) -> None:
    """What would not fit into memory is refused at once, except what was promised already."""
    store = Store.open(tmp_path)
    bob = device(store)
    size = 1024 * 1024
    told: list[Any] = []
    with writer_held(store):
        taken = 0
        while store.store(letter(bob, taken + 1, bytes(size)), told.append):
            taken += 1
        assert taken == 64
        assert store.store(letter(bob, 999, bytes(size)), told.append, force=True)
    ask(store, lambda connection: None)
    assert put(store, letter(bob, 1000, bytes(size))) == [Stored.YES]
    assert told == [Stored.YES] * 65
    store.close()
