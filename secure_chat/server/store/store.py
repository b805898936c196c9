"""The store as the rest of the server sees it: a folder, four threads, and questions to them."""

import logging
import os
import queue
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Self, TypeVar, cast

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from secure_chat.errors import (
    DataFolderUnusable,
    StorageBusy,
    StorageUnavailable,
    StorageUnreadable,
)
from secure_chat.protocol.wiretypes import InviteToken, ServerId
from secure_chat.server.counters import Counters
from secure_chat.server.steady import SteadyClock
from secure_chat.server.store import backup, database, invites, lock
from secure_chat.server.store.blobs import BlobFiles
from secure_chat.server.store.departures import Deleted
from secure_chat.server.store.invites import Invite
from secure_chat.server.store.mail import Letter
from secure_chat.server.store.reader import Reader
from secure_chat.server.store.schema import facts
from secure_chat.server.store.trouble import is_damage, kind_of, refusal
from secure_chat.server.store.writer import Deliver, Done, Writer

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_ANSWER_SECONDS = 30.0
_BLOB_JOBS = 512  # each may hold a chunk of 48 KiB
_SERVER_ID = "server_id"
_CLOCK = "clock"


class Store:
    """Owns the data folder while it is open. Every method may be called from any thread.

    Results of `store`, `write`, `read`, `check` and `blob` come through the function given to
    `attach` (the I/O thread's `call_soon`); before that, on the store's own threads.
    """

    def __init__(
        self, folder: Path, held: IO[bytes], server_id: ServerId, clock: SteadyClock
    ) -> None:
        self.folder = folder
        self.server_id = server_id
        self.clock = clock
        self.counters = Counters()
        self._held = held
        self._writing: Engine = database.writer_engine(folder)
        self._reading: Engine = database.reader_engine(folder)
        self.writer = Writer(self._writing, _at_once, self.counters)
        self._reader = Reader("store-reader", self._reading, _at_once)
        # Logins and key checks have a thread of their own, so that a flood of them delays no mail.
        self._checker = Reader("store-checker", self._reading, _at_once)
        # So have the bytes of blobs. Only jobs of `blob` may touch the files.
        self.blob_files = BlobFiles(folder)
        self._blobs = Reader("store-blobs", self._reading, _at_once, most=_BLOB_JOBS)
        self._readers = (self._reader, self._checker, self._blobs)
        self._threads = (self.writer, *self._readers)
        for thread in self._threads:
            thread.start()

    @classmethod
    def open(
        cls, data_dir: Path, clock: SteadyClock | None = None, *, command: str = lock.SERVE
    ) -> Self:
        """Lock the folder, bring its schema up to date and start; ``clock`` is for tests.

        ``command``: what others are told of who holds the folder.
        Raises `DataFolderInUse`, `DataFolderTooNew`, `DataFolderUnusable`.
        """
        database.prepare(data_dir)
        held = lock.hold(data_dir, command)
        clock = clock or SteadyClock()
        try:
            backup.must_be_finished(data_dir)
            backup.sweep(data_dir)
            database.migrate(data_dir)
            return cls(data_dir, held, _identity(data_dir, clock), clock)
        except database.DISK_ERRORS as wrong:  # damaged, or a full disk
            held.close()
            reason = str(getattr(wrong, "orig", wrong)).rstrip(".")
            if is_damage(wrong):
                reason = f"its database is damaged ({reason}); keep a copy and restore a backup"
            raise DataFolderUnusable(folder=data_dir, reason=reason) from wrong
        except BaseException:
            held.close()
            raise

    def close(self) -> None:
        """Commit what waits, stop the threads, give the folder free."""
        self._reader.stop()  # before the writer: the last connection to close may checkpoint
        self._checker.stop()
        self._blobs.stop()
        self.blob_files.close()
        self.writer.submit(self.save_clock, lambda _: None, force=True)
        self.writer.stop()
        self._reading.dispose()
        self._writing.dispose()
        self._held.close()

    def attach(self, deliver: Deliver) -> None:
        """From now on tell results through ``deliver``."""
        for thread in self._threads:
            thread.deliver = deliver

    def store(self, letter: Letter, done: Done, *, force: bool = False) -> bool:
        """Queue a message for the disk; ``done`` gets a `Stored` or `StorageUnavailable`."""
        return self.writer.store(letter, done, force=force)

    def write(self, job: Callable[[Connection], Any], done: Done, *, force: bool = False) -> bool:
        """Queue a write; False if the queue is full."""
        return self.writer.submit(job, done, force=force)

    def read(self, job: Callable[[Connection], Any], done: Done) -> bool:
        """Queue a short question; False if the queue is full."""
        return self._reader.submit(job, done)

    def check(self, job: Callable[[Connection], Any], done: Done) -> bool:
        """Queue a login or a check of signatures; False if the queue is full."""
        return self._checker.submit(job, done)

    def blob(self, job: Callable[[Connection], Any], done: Done) -> bool:
        """Queue work on the bytes of blobs (`blob_files`); False if the queue is full."""
        return self._blobs.submit(job, done)

    def let_go(self, gone: Deleted, done: Done) -> None:
        """Delete the files that only a deleted account had brought, then tell ``done``.

        What fails is logged, and swept away later.
        """

        def job(connection: Connection) -> None:
            self.blob_files.let_go(connection, gone.account_id, gone.blobs)

        if not gone.blobs or not self._blobs.submit(job, done, force=True):
            done(None)

    def sweep_copies(self) -> None:
        """Delete copies for a backup that was cut off. What fails is tried at the next round."""
        self.blob(lambda _: backup.sweep_left(self.folder), lambda _: None)

    def create_invite(
        self, label: str = "", uses: int = 1, expires_ms: int | None = None
    ) -> InviteToken:
        """Make an invite. Waits for the disk; raises `StorageUnavailable`, `StorageBusy`."""
        expires = None if expires_ms is None else self.clock.of_wall(expires_ms)
        return self.ask(lambda connection: invites.create(connection, label, uses, expires))

    def list_invites(self) -> list[Invite]:
        """All invites, oldest first."""
        return [self._as_dated(invite) for invite in self.ask(invites.listed)]

    def revoke_invites(self, ids: Sequence[int] = (), label: str | None = None) -> list[Invite]:
        """Make invites worthless, by id or by label; those that were not so before."""
        revoked = self.ask(lambda connection: invites.revoke(connection, ids, label))
        return [self._as_dated(invite) for invite in revoked]

    def _as_dated(self, invite: Invite) -> Invite:
        """An invite with the machine's time for the end of it."""
        if invite.expires is None:
            return invite
        return msgspec.structs.replace(invite, expires=self.clock.to_wall(invite.expires))

    def save_clock(self, connection: Connection) -> None:
        """A job for the writer: keep the server's count of time for the next start."""
        connection.execute(
            update(facts).where(facts.c.name == _CLOCK).values(value=self.clock.saved())
        )

    def queues(self) -> dict[str, int]:
        """How much waits for each thread."""
        letters, jobs = self.writer.waiting
        readers = {thread.name.removeprefix("store-"): thread.waiting for thread in self._readers}
        return {"messages": letters, "writes": jobs, **readers}

    def probe(self, written: Done, read: Done) -> None:
        """Write and read something that changes nothing, to see whether it can be done.

        Each is told an exception, or something else, on a thread of the store.
        """
        own = facts.c.name == "server_id"

        def write(connection: Connection) -> None:
            connection.execute(update(facts).where(own).values(name=facts.c.name))

        def look(connection: Connection) -> None:
            connection.execute(select(facts.c.value).where(own)).scalar_one()

        if not self.writer.submit(write, written, direct=True):
            written(StorageBusy())
        if not self._reader.submit(look, read):
            read(StorageBusy())

    def ask(self, job: Callable[[Connection], _T]) -> _T:
        """Run a job on the writer and wait: for operators, never on the I/O thread.

        Raises `StorageUnavailable`, `StorageBusy`, and what the job raises.
        """
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        if not self.writer.submit(job, answer.put, direct=True):
            raise StorageBusy
        try:
            outcome = answer.get(timeout=_ANSWER_SECONDS)
        except queue.Empty:
            raise StorageUnavailable from None
        if isinstance(outcome, Exception):
            raise outcome
        return cast("_T", outcome)

    def examine(self, job: Callable[[Connection], _T]) -> _T:
        """Run a long question on this thread, over a connection of its own: for operators.

        It sees the last commit, and holds nobody up. Raises `StorageUnreadable`,
        `StorageDamaged`.
        """
        try:
            with self._reading.connect() as connection, connection.begin():
                return job(connection)
        except database.DISK_ERRORS as wrong:
            log.error("the store cannot be examined: %s", kind_of(wrong))
            raise refusal(wrong, StorageUnreadable) from None


def _at_once(call: Callable[[], None]) -> None:
    call()


def _identity(folder: Path, clock: SteadyClock) -> ServerId:
    """The id of this server, random bytes from its first start; ``clock`` goes on as it was."""
    engine = database.writer_engine(folder)
    try:
        with engine.begin() as connection:
            known = {row.name: row.value for row in connection.execute(select(facts))}
            clock.resume(known.get(_CLOCK))
            server_id = known.get(_SERVER_ID) or os.urandom(ServerId.size or 0)
            for name, value in ((_SERVER_ID, server_id), (_CLOCK, clock.saved())):
                if name not in known:
                    connection.execute(insert(facts).values(name=name, value=value))
            return ServerId.checked(server_id)
    finally:
        engine.dispose()
