"""The bytes of blobs, each a file under its SHA-256 in the data folder's ``blobs`` (0700, 0600).

A blob that comes is ``<account>-<hash>.part``, and only that account writes to it. When all of it
is there it is put on disk (fsync), its hash is checked, and it is renamed to ``<hash>``; then the
database is told. A file never changes after that, and goes when no row names it any more.

**A copy for a backup** is consistent if the database is copied first and this folder after it:
a blob that came meanwhile has no row and is swept away, one that went meanwhile is answered
``unknown_blob``. Files that end in ``.part`` need not be copied.

Everything here runs on one thread of its own (`Store.blob`), so that no slow disk holds messages
up. Files are not kept in the database, where each would be written twice and overwritten when it is
deleted; they are ciphertext, and worthless without the messages that name them.
"""

import hashlib
import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from secure_chat.durable import sync_folder
from secure_chat.errors import Code, StorageUnavailable
from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.store import uploads

FOLDER: Final = "blobs"
_OPEN: Final = 64  # uploads whose file is kept open
_SYNC: Final = 8 * limits.MIB  # so that the last fsync does not take long
_PIECE: Final = limits.MIB
_SPARE: Final = 256 * limits.MIB  # of the disk, left to messages
_AWAKE: Final = 60.0  # seconds that an upload without a new chunk keeps its room
_SETTLED_SECONDS: Final = 600.0  # a file without a row is swept away after so long
_WHOLE: Final = re.compile(r"[0-9a-f]{64}")
_PART: Final = re.compile(r"([0-9]+)-([0-9a-f]{64})\.part")


class Held(Struct, frozen=True):
    """How much of a blob is here; ``whole``: all of it, checked and on disk."""

    size: int
    whole: bool = False


class Chunk(Struct, frozen=True):
    """A part of a blob, and the size of all of it."""

    size: int
    data: bytes


class _Part:
    """A blob that is coming."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.touched = time.monotonic()
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        path.chmod(0o600)  # the umask may have taken rights that we need
        self.file = FileIO(handle, "r+")
        self.held = self.file.seek(0, os.SEEK_END)
        self._unsynced = 0

    def append(self, data: bytes) -> None:
        """Write at the end. What a full disk takes of it is a good beginning all the same."""
        self.file.seek(self.held)
        left = memoryview(data)
        while left:
            written = self.file.write(left)
            self.held += written
            left = left[written:]
        self._unsynced += len(data)
        if self._unsynced >= _SYNC:
            self.sync()

    def sync(self) -> None:
        os.fsync(self.file.fileno())
        self._unsynced = 0

    def clear(self) -> None:
        """Begin again."""
        self.file.truncate(0)
        self.held = 0

    def digest(self) -> bytes:
        self.file.seek(0)
        found = hashlib.sha256()
        while piece := self.file.read(_PIECE):
            found.update(piece)
        return found.digest()


class BlobFiles:
    """The files. One thread alone uses an object of this class."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._folder.chmod(0o700)
        self._parts: OrderedDict[tuple[int, bytes], _Part] = OrderedDict()

    def append(
        self, account_id: int, sha256: BlobHash, size: int, offset: int, data: bytes
    ) -> Held | Code:
        """Keep a chunk if it begins where the kept bytes end. Raises OSError, `StorageUnavailable`.

        With the last chunk the blob is checked and put into its place; wrong bytes are given up.
        """
        if self._is_there(sha256, size):
            self._settle(sha256)
            self._give_up(account_id, sha256)
            return Held(size, whole=True)
        part = self._part(account_id, sha256, size)
        if part.held > size:  # another size was named before
            part.clear()
        if data and offset == part.held:
            self._must_have_room(len(data))
            try:
                part.append(data)
            except OSError:
                self._close(account_id, sha256)
                raise
        if part.held < size:
            return Held(part.held)
        return self._finish(account_id, sha256, part)

    def has(self, sha256: BlobHash, size: int) -> bool:
        """Whether a blob lies in its place."""
        return self._is_there(sha256, size)

    def read(self, connection: Connection, sha256: BlobHash, offset: int) -> Chunk | Code:
        """A chunk of a blob that is whole, for whoever knows its hash. Raises OSError."""
        if uploads.whole_size(connection, sha256) is None:
            return Code.UNKNOWN_BLOB
        try:
            with self._place(sha256).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if offset >= size:
                    return Code.BAD_FIELD
                file.seek(offset)
                return Chunk(size, file.read(limits.BLOB_CHUNK))
        except FileNotFoundError:
            return Code.UNKNOWN_BLOB

    def let_go(self, connection: Connection, account_id: int, blobs: Sequence[BlobHash]) -> None:
        """Delete what an account brought, its rows being gone: all that nobody else has brought.

        Whoever begins to bring the same has a row before he asks for the file. Raises OSError.
        """
        for sha256 in blobs:
            self._give_up(account_id, sha256)
            if not uploads.is_named(connection, sha256):
                self._place(sha256).unlink(missing_ok=True)

    def sweep(self, connection: Connection) -> int:
        """Delete every file that no row names, as a crash leaves it; how many. Raises OSError."""
        named = uploads.named(connection)
        long_ago = time.time() - _SETTLED_SECONDS
        gone = 0
        for entry in list(os.scandir(self._folder)):
            if (part := _PART.fullmatch(entry.name)) is not None:
                account_id, sha256 = int(part[1]), bytes.fromhex(part[2])
                if (account_id, sha256) not in named.coming:
                    self._give_up(account_id, sha256)
                    gone += 1
            elif (
                _WHOLE.fullmatch(entry.name) is not None
                and bytes.fromhex(entry.name) not in named.whole
                # One that was just put there is told to the database in this moment.
                and entry.stat().st_mtime < long_ago
            ):
                Path(entry.path).unlink(missing_ok=True)
                gone += 1
        return gone

    def close(self) -> None:
        """Close every file; what came so far stays."""
        for account_id, sha256 in list(self._parts):
            self._close(account_id, sha256)

    # ------------------------------------------------------------ files

    def _place(self, sha256: bytes) -> Path:
        return self._folder / sha256.hex()

    def _part_path(self, account_id: int, sha256: bytes) -> Path:
        return self._folder / f"{account_id}-{sha256.hex()}.part"

    def _is_there(self, sha256: bytes, size: int) -> bool:
        try:
            return self._place(sha256).stat().st_size == size
        except FileNotFoundError:
            return False

    def _settle(self, sha256: bytes) -> None:
        """It was brought just now: it must not be swept away before its row is there."""
        os.utime(self._place(sha256))

    def _part(self, account_id: int, sha256: bytes, size: int) -> _Part:
        key = (account_id, bytes(sha256))
        part = self._parts.get(key)
        if part is None:
            path = self._part_path(account_id, sha256)
            self._must_have_room(max(0, size - _length(path)) + self._expected())
            part = self._parts[key] = _Part(path, size)
            if len(self._parts) > _OPEN:
                self._close(*next(iter(self._parts)))
        part.size, part.touched = size, time.monotonic()
        self._parts.move_to_end(key)
        return part

    def _expected(self) -> int:
        """Bytes that are still to come of the uploads under way, so that all of them fit together.

        One that stands still keeps nobody else out: should it go on, each chunk looks for room.
        """
        awake = time.monotonic() - _AWAKE
        return sum(max(0, p.size - p.held) for p in self._parts.values() if p.touched > awake)

    def _must_have_room(self, size: int) -> None:
        if shutil.disk_usage(self._folder).free < size + _SPARE:
            raise StorageUnavailable

    def _finish(self, account_id: int, sha256: BlobHash, part: _Part) -> Held | Code:
        part.sync()
        if part.digest() != sha256:
            self._give_up(account_id, sha256)
            return Code.BLOB_MISMATCH
        self._close(account_id, sha256)
        part.path.replace(self._place(sha256))
        self._settle(sha256)
        sync_folder(self._folder)
        return Held(part.held, whole=True)

    def _close(self, account_id: int, sha256: bytes) -> None:
        part = self._parts.pop((account_id, bytes(sha256)), None)
        if part is not None:
            part.file.close()

    def _give_up(self, account_id: int, sha256: bytes) -> None:
        self._close(account_id, sha256)
        self._part_path(account_id, sha256).unlink(missing_ok=True)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
