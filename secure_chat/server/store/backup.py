"""A copy of the data folder that is consistent while the server runs, and its way back.

**Copying.** A folder ``backup-…`` inside the data folder takes a snapshot of the database (SQLite's
online backup, in one reading transaction) and then a link to every whole blob. Blobs never change;
one that came after the snapshot has no row and is worth nothing, one that went keeps its link.

**Coming back.** An old database says things that are no longer true. `prepare_for_service` changes
what would do harm:

* Sequences that were given out after the copy must not be given out again: a device that has
  acknowledged number 900 would take the next 700 for what it has. Every mailbox jumps far ahead.
* One-time keys that were handed out after the copy must not be handed out again: the stock is
  dropped, and each device, which is told at its login that nothing is left, publishes new keys.
* Messages so old that devices may have forgotten their ids are dropped: they would come twice.
"""

import contextlib
import os
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from secure_chat.errors import BackupFailed, BackupUnusable, DataFolderInUse, DataFolderUnusable
from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import ServerId
from secure_chat.server.steady import wall_clock
from secure_chat.server.store import database, lock, mail, overview
from secure_chat.server.store.schema import (
    deliveries,
    devices,
    one_time_kem_keys,
    one_time_keys,
)

DATABASE: Final = "server.db"
BLOBS: Final = "blobs"
SEQUENCE_JUMP: Final = 2**40
"""More than any mailbox gives out in a life; sequences go to 2^53 − 1, so 8,000 restores fit."""

STAGING: Final = "backup-"
COMING: Final = "restore-"
ASIDE: Final = "before-restore-"
UNFINISHED: Final = "restore.unfinished"
"""A file that stands in the data folder while a restore moves things: see `must_be_finished`."""

_FETCHED_SECONDS: Final = 60.0  # whoever asked for a copy has begun to fetch it by then
_MARGIN_SECONDS: Final = limits.DAY
_ROWS: Final = 1_000


def stage(connection: Connection, folder: Path) -> Path:
    """Copy the data folder consistently into a new folder (0700) inside it; the new folder.

    ``connection`` is in a reading transaction. Raises `BackupFailed`.
    """
    place = folder / f"{STAGING}{secrets.token_hex(8)}"
    try:
        place.mkdir(mode=0o700)
        os.close(os.open(place / DATABASE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _snapshot(connection, place / DATABASE)
        _link_blobs(folder / BLOBS, place / BLOBS)
    except (OSError, sqlite3.Error) as wrong:
        shutil.rmtree(place, ignore_errors=True)
        raise BackupFailed(reason=getattr(wrong, "strerror", None) or str(wrong)) from wrong
    return place


def must_be_finished(folder: Path) -> None:
    """Raise `DataFolderUnusable` if a restore was cut off: a server would begin there anew."""
    if (folder / UNFINISHED).exists():
        reason = "a restore was cut off; restore the backup again, with --force"
        raise DataFolderUnusable(folder=folder, reason=reason)


def sweep(folder: Path) -> None:
    """Delete copies that nobody came for: they hold messages that may have been delivered.

    Only for who holds the folder's lock and makes no copies; `sweep_left` is for a running server.
    """
    for place in [*folder.glob(f"{STAGING}*"), *folder.glob(f"{COMING}*")]:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def fetching(place: Path) -> Iterator[None]:
    """Keep a copy while it is fetched, and delete it then. Raises `DataFolderUnusable`."""
    try:
        with contextlib.closing(lock.hold(place, "backup")):
            yield
    finally:
        shutil.rmtree(place, ignore_errors=True)


def sweep_left(folder: Path) -> int:
    """Delete copies whose fetcher has gone, be it killed; how many."""
    long_ago = time.time() - _FETCHED_SECONDS
    gone = 0
    for place in folder.glob(f"{STAGING}*"):
        with contextlib.suppress(FileNotFoundError, DataFolderInUse, DataFolderUnusable):
            if place.stat().st_mtime < long_ago:
                lock.hold(place, "backup").close()
                shutil.rmtree(place, ignore_errors=True)
                gone += 1
    return gone


def _snapshot(connection: Connection, target: Path) -> None:
    with contextlib.closing(sqlite3.connect(target)) as copy:
        database.driver_of(connection).backup(
            copy
        )  # all pages in one step: one reading transaction
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def _link_blobs(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for path in blobs_in(source):
        with contextlib.suppress(FileNotFoundError):  # it went meanwhile
            try:
                os.link(path, target / path.name)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without links
                shutil.copyfile(path, target / path.name)


def blobs_in(folder: Path) -> list[Path]:
    """Whole blobs: files whose name is their hash."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_blob_name(path.name))


def is_blob_name(name: str) -> bool:
    """Whether a file of this name is a whole blob: its SHA-256 in hex."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


# ---------------------------------------------------------------- coming back


def check(folder: Path) -> ServerId:
    """The id of the server whose database lies in ``folder``; raises `BackupUnusable`."""
    try:
        with contextlib.closing(sqlite3.connect(folder / DATABASE)) as connection:
            connection.execute("PRAGMA trusted_schema=OFF")
            problems = database.problems(connection)
            if problems:
                raise BackupUnusable(reason=f"its database is damaged ({problems[0]})")
            row = connection.execute("SELECT value FROM facts WHERE name = 'server_id'").fetchone()
    except sqlite3.Error as wrong:
        raise BackupUnusable(reason=f"its database cannot be read ({wrong})") from None
    if row is None:
        raise BackupUnusable(reason="its database names no server")
    return ServerId.checked(row[0])


class Contents(NamedTuple):
    """What a restored database holds."""

    devices: int
    messages: int
    open_invites: int


def prepare_for_service(folder: Path, now_ms: int, retention_seconds: int) -> Contents:
    """Make the old database in ``folder`` safe to serve from; see this module's text.

    Raises `DataFolderTooNew`, `BackupUnusable`.
    """
    try:
        database.migrate(folder)
        engine = database.writer_engine(folder)
        try:
            with engine.connect() as connection:
                with connection.begin():
                    _renew(connection)
                    _drop_forgotten(connection, now_ms, retention_seconds)
                    contents = _contents(connection)
                database.checkpoint(connection)
        finally:
            engine.dispose()
    except (SQLAlchemyError, OSError) as wrong:
        reason = f"its database cannot be changed ({getattr(wrong, 'orig', wrong)})"
        raise BackupUnusable(reason=reason) from wrong
    return contents


def _renew(connection: Connection) -> None:
    tail = select(func.coalesce(func.max(deliveries.c.seq), 0)).where(
        deliveries.c.device_id == devices.c.id
    )
    known = _greater(devices.c.reserved, devices.c.acked)
    highest = _greater(known, tail.scalar_subquery())
    connection.execute(update(devices).values(reserved=highest + SEQUENCE_JUMP))
    connection.execute(delete(one_time_keys))
    connection.execute(delete(one_time_kem_keys))


def _greater(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    """Databases do not agree on the name of such a function."""
    return case((one > other, one), else_=other)


def _drop_forgotten(connection: Connection, now_ms: int, retention_seconds: int) -> None:
    """Devices keep the ids of what they have seen for 40 days."""
    kept = min(retention_seconds, limits.SEEN_IDS_SECONDS - _MARGIN_SECONDS)
    while mail.drop_accepted_before(connection, now_ms - kept * 1000, _ROWS):
        pass


def _contents(connection: Connection) -> Contents:
    held = overview.held(connection, wall_clock())
    return Contents(held.devices, held.queued_messages, held.open_invites)
