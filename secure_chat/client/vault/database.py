"""The vault: an encrypted database in a locked folder, opened with a password.

A folder (0700) holds ``key.json``, ``vault.db`` with its ``-wal`` and ``-shm`` (0600) and ``lock``.
The database is SQLite with every page under ChaCha20-Poly1305 (SQLite3 Multiple Ciphers).

Each thread has a connection of its own, since a shared one loses writes. Writers take turns through
IMMEDIATE transactions; a commit is on disk when it returns (synchronous=FULL).
"""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from secure_chat.client.vault import keyfile
from secure_chat.client.vault.files import (
    UNFINISHED,
    create_private_file,
    make_private_folder,
    replace_private_file,
    tighten,
)
from secure_chat.client.vault.lock import LOCK, ProfileLock
from secure_chat.client.vault.schema import migrate
from secure_chat.client.vault.search import register
from secure_chat.crypto.rng import Random, system_random
from secure_chat.durable import sync_folder
from secure_chat.errors import (
    ProfileExists,
    ProfileMissing,
    ProfileUnwritable,
    Reason,
    SecureChatError,
    VaultDamaged,
    VaultNotEncrypted,
)

KEY_FILE = "key.json"
DATABASE = "vault.db"
_PLAIN_SQLITE = b"SQLite format 3"
_UNFINISHED = {LOCK, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
_BUSY_MS = 10_000
_SETTINGS = (
    ("journal_mode", "wal", "wal"),
    ("synchronous", "FULL", 2),
    ("secure_delete", "ON", 1),
    ("foreign_keys", "ON", 1),
    ("temp_store", "MEMORY", 2),
    ("trusted_schema", "OFF", 0),
)


class Vault:
    """An open vault. `read` and `write` may be used from any thread, `close` ends them all."""

    def __init__(self, folder: Path, key: bytes, lock: ProfileLock) -> None:
        self.folder = folder
        self._key = key
        self._lock = lock
        self._local = threading.local()
        self._opened: list[apsw.Connection] = []
        self._guard = threading.Lock()  # guards _opened and _closed
        self._closed = False
        self._unscrubbed = False

    @classmethod
    def create(cls, folder: Path, password: str, random: Random = system_random) -> "Vault":
        """A new vault in a new or empty folder. Raises `ProfileExists`, `BadPassword`."""
        if folder.exists() and (not folder.is_dir() or _holds_something(folder)):
            raise ProfileExists(folder=folder)
        key, key_file = keyfile.new_key_file(password, random)
        make_private_folder(folder)
        lock = ProfileLock(folder)
        try:
            _clear_unfinished(folder)
            create_private_file(folder / DATABASE)
            vault = cls(folder, key, lock)
            vault._prepare()
            # Written last: a folder without key.json is an attempt that did not finish.
            create_private_file(folder / KEY_FILE, key_file)
            sync_folder(folder)
        except BaseException:
            lock.release()
            raise
        return vault

    @classmethod
    def open(cls, folder: Path, password: str) -> "Vault":
        """Open a vault and check the whole of it.

        Raises `ProfileMissing`, `ProfileInUse`, `WrongPassword`, `WeakVaultKey`, `VaultDamaged`,
        `VaultTooNew`.
        """
        if not (folder / KEY_FILE).is_file() or not (folder / DATABASE).is_file():
            raise ProfileMissing(folder=folder)
        lock = ProfileLock(folder)
        try:
            key = keyfile.unwrap(_content(folder / KEY_FILE), password)
            (folder / (KEY_FILE + UNFINISHED)).unlink(missing_ok=True)
            for path in (folder, folder / KEY_FILE, folder / DATABASE):
                tighten(path)
            vault = cls(folder, key, lock)
            vault._prepare(is_new=False)
        except BaseException:
            lock.release()
            raise
        return vault

    @contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """A consistent view of the vault for the calling thread."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextmanager
    def write(self) -> Iterator[apsw.Connection]:
        """One transaction: everything in it is on disk at its end, or nothing is."""
        with self._transaction("BEGIN IMMEDIATE") as db:
            yield db
        if self._unscrubbed:
            self.scrub()

    def check_password(self, password: str) -> None:
        """Raises `WrongPassword` unless this one opens the vault. Takes a second, by design."""
        self._unwrap(password)

    def change_password(self, old: str, new: str, random: Random = system_random) -> None:
        """Wrap the vault's key under another password. On disk when it returns, or not at all.

        The key itself stays: a copy of key.json that somebody took before still opens with the old
        password. Raises `WrongPassword`, `BadPassword`, `ProfileUnwritable`.
        """
        key = self._unwrap(old)
        replace_private_file(self.folder / KEY_FILE, keyfile.wrap(key, new, random))

    def _unwrap(self, password: str) -> bytes:
        key = keyfile.unwrap(_content(self.folder / KEY_FILE), password)
        if key != self._key:
            raise VaultDamaged(reason="key.json belongs to another vault")
        return key

    def scrub(self) -> None:
        """Write what was deleted over, in the log of changes too.

        Pages are overwritten at the commit (secure_delete); their old copies end with the log. If
        somebody reads just now, the next transaction tries again.
        """
        db = self._connection()
        db.set_busy_timeout(0)
        try:
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._unscrubbed = False
        except (apsw.BusyError, apsw.LockedError):
            self._unscrubbed = True
        except apsw.Error as wrong:
            raise _in_words(wrong, self.folder) from wrong
        finally:
            db.set_busy_timeout(_BUSY_MS)

    def close(self) -> None:
        """Close every thread's connection and release the lock. May be called twice."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            for connection in self._opened:
                with contextlib.suppress(apsw.Error):  # a thread that outlived its time uses it
                    connection.close()
            self._opened.clear()
        self._lock.release()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[apsw.Connection]:
        try:
            db = self._connection()
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except apsw.Error as wrong:
            raise _in_words(wrong, self.folder) from wrong

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with self._guard:
                if self._closed:
                    raise ProfileUnwritable(folder=self.folder, reason="the profile is closed")
                connection = _connect(self.folder / DATABASE, self._key)
                self._opened.append(connection)
            self._local.connection = connection
        return connection

    def _prepare(self, *, is_new: bool = True) -> None:
        """Check every page, migrate, and make sure that the file is not in the clear."""
        try:
            db = self._connection()
            if not is_new and not db.pragma("user_version"):
                raise VaultDamaged(reason="its database is empty")
            # Reads, and so authenticates, each page in use. Whether each index says the same as its
            # table is left out: only a mistake of SQLite's could part them, and it takes as long.
            if db.pragma("quick_check") != "ok":
                raise VaultDamaged(reason="its pages contradict each other")
            migrate(db)
            db.pragma("wal_checkpoint(TRUNCATE)")
            _assert_encrypted(self.folder / DATABASE)
        except apsw.Error as wrong:
            self.close()
            raise _in_words(wrong, self.folder) from wrong
        except BaseException:
            self.close()
            raise


def _holds_something(folder: Path) -> bool:
    """Whether a folder has more than what an unfinished creation leaves behind."""
    return any(path.name not in _UNFINISHED for path in folder.iterdir())


def _clear_unfinished(folder: Path) -> None:
    """Without key.json the key was never kept: nobody can ever read these files."""
    for name in _UNFINISHED - {LOCK}:
        (folder / name).unlink(missing_ok=True)


def _connect(path: Path, key: bytes) -> apsw.Connection:
    if not hasattr(apsw, "mc_version"):
        raise VaultNotEncrypted
    # A shorter key would silently be taken for a passphrase, a forgotten one for "no encryption".
    if len(key) != keyfile.KEY_BYTES:
        raise VaultDamaged(reason="the key has a wrong size")
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        db.set_busy_timeout(_BUSY_MS)
        db.pragma("cipher", "chacha20")
        db.pragma("key", f"raw:{key.hex()}")
        for name, value, expected in _SETTINGS:
            db.pragma(name, value)
            if db.pragma(name) != expected:
                raise VaultDamaged(reason=Reason("the setting {name} is refused", name=name))
        register(db)
    except BaseException:
        db.close()
        raise
    return db


def _assert_encrypted(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(_PLAIN_SQLITE)) == _PLAIN_SQLITE:
            raise VaultNotEncrypted


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise ProfileUnwritable(folder=path.parent, reason=wrong.strerror) from None


def _in_words(wrong: apsw.Error, folder: Path) -> SecureChatError:
    """The error that a person reads."""
    if isinstance(wrong, apsw.NotADBError | apsw.CorruptError | apsw.FormatError):
        return VaultDamaged(reason="a page does not authenticate")
    return ProfileUnwritable(folder=folder, reason=str(wrong))
