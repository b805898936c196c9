"""The SQLite file: its folder, lock, schema version and the two ways of connecting to it.

One connection writes and checkpoints, for SQLite before 3.51.3 can reset the WAL wrongly when two
do. Readers are separate, query-only connections with short transactions.

What only SQLite knows stands here: the file and its lock, pragmas, BEGIN IMMEDIATE, checkpoints.
Beside it there are copies while it runs (`backup`), the names of SQLite's errors (`trouble`) and
the hints ``sqlite_…`` in the tables of `schema`, which other databases pass over. All other SQL is
SQLAlchemy Core in its portable forms.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from secure_chat.errors import DataFolderTooNew, DataFolderUnusable
from secure_chat.server import ownership
from secure_chat.server.store import lock

_STEPS = Path(__file__).parent / "migrations/versions"
_FILE = "server.db"
_BUSY_MS = 5_000
_CHECKPOINT_BUSY_MS = 100
_READ = "BEGIN"

DISK_ERRORS = (SQLAlchemyError, sqlite3.Error, OSError)
"""What a failing disk raises: through SQLAlchemy, or from the driver where it is asked itself."""


def file_of(folder: Path) -> Path:
    """The database of a data folder; its write-ahead log has ``-wal`` behind the name."""
    return folder / _FILE


def exists(folder: Path) -> bool:
    """Whether a server has ever used a data folder. Raises `DataFolderUnusable` (rights)."""
    try:
        return file_of(folder).stat().st_size > 0
    except PermissionError as wrong:
        raise DataFolderUnusable(folder=folder, reason=_whose(wrong)) from None
    except OSError:
        return False


def _whose(wrong: OSError) -> str:
    return f"{(wrong.strerror or 'permission denied').lower()}; run as the server's account"


def prepare(folder: Path) -> None:
    """Make the folder, the database and the lock, for their owner alone whatever the umask."""
    try:
        ownership.make_folder(folder, 0o700)
        folder.chmod(0o700)
        for name in (_FILE, lock.FILE):  # SQLite gives -wal and -shm mode and owner of the database
            os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600))
            (folder / name).chmod(0o600)
            ownership.give([folder / name], folder)
    except PermissionError as wrong:
        raise DataFolderUnusable(folder=folder, reason=_whose(wrong)) from wrong
    except OSError as wrong:
        raise DataFolderUnusable(folder=folder, reason=wrong.strerror or "unknown") from wrong


def writer_engine(folder: Path) -> Engine:
    """Connections that write: durable, BEGIN IMMEDIATE, deleted rows overwritten."""
    return _engine(
        folder,
        "BEGIN IMMEDIATE",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA secure_delete=ON",
        "PRAGMA foreign_keys=ON",
    )


def reader_engine(folder: Path) -> Engine:
    """Connections that only read, each seeing the last commit."""
    return _engine(folder, _READ, "PRAGMA query_only=ON", "PRAGMA wal_autocheckpoint=0")


def _engine(folder: Path, begin: str, *pragmas: str) -> Engine:
    # NullPool: a thread opens its one connection and keeps it; nothing is shared behind our back.
    place = URL.create("sqlite", database=str(file_of(folder).absolute()))  # any name, '?' too
    engine = create_engine(place, poolclass=NullPool, hide_parameters=True)

    def connected(driver: sqlite3.Connection, _record: object) -> None:
        driver.isolation_level = None  # the driver begins nothing by itself
        driver.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        for pragma in pragmas:
            driver.execute(pragma)

    def began(connection: Connection) -> None:
        if begin == _READ:  # touches no disk, so it cannot fail; half the price of a statement
            driver_of(connection).execute(begin)
        else:
            connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine


def checkpoint(connection: Connection) -> bool:
    """Move the WAL into the database and cut it to nothing; False: a reader was in the way.

    Only outside a transaction. It waits a moment for readers: no message is written meanwhile.
    """
    driver = driver_of(connection)
    driver.execute(f"PRAGMA busy_timeout={_CHECKPOINT_BUSY_MS}")
    try:
        with contextlib.closing(driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as cursor:
            busy, _, _ = cursor.fetchone()
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    return not busy


def changes_of(connection: Connection) -> int:
    """How many rows a connection has changed since it was opened."""
    return driver_of(connection).total_changes


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is wrong inside a database: nothing, or sentences of SQLite."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    if found == ["ok"]:
        found = []
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(20)
    return found + [
        f"a row of {table} belongs to no row of {parent}" for table, _, parent, _ in orphans
    ]


def revision(connection: sqlite3.Connection) -> str:
    """The version of a database's schema; raises `sqlite3.Error`."""
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def revisions() -> list[str]:
    """The versions of the schema that this program knows, its own first, by their files' names."""
    return sorted((path.name[1:5] for path in _STEPS.glob("v*_*.py")), reverse=True)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The connection of the sqlite3 module below one of SQLAlchemy."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def migrate(folder: Path) -> None:
    """Bring the schema to this version; raise `DataFolderTooNew` if a newer one wrote it.

    All steps are one transaction, so that a crash leaves the older schema with its data. Nothing
    leads back to an older one: whoever wants that restores the backup made before.
    """
    known = revisions()
    engine = writer_engine(folder)
    try:
        with engine.connect() as connection:
            present = _present(connection)
            if present is not None and present not in known:
                raise DataFolderTooNew(folder=folder)
            if present != known[0]:
                _upgrade(connection)
                connection.commit()
    finally:
        engine.dispose()


def _present(connection: Connection) -> str | None:
    """The version of the schema; None: there is no schema yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    # Imported where there is something to do: it takes as long as all else of a start together.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "secure_chat.server.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
