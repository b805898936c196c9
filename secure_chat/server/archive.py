"""The file of a backup: a tar archive that ``tar -tvf`` shows, each part with its hash.

::

    backup.json     format, server id and pin, when and by which version it was made, hashes
    server.db       the database, one whole SQLite file
    tls/…           only on demand: certificate, private key, the spare key's public half
    blobs/<hash>    files of users, encrypted; each name is the SHA-256 of the content

It is read by name: nothing of it is extracted to a place that it names itself.
"""

import contextlib
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, Self

import msgspec
from msgspec import Struct

from secure_chat.durable import sync_folder
from secure_chat.errors import BackupUnusable
from secure_chat.server.store import lock
from secure_chat.server.store.backup import BLOBS, DATABASE, is_blob_name

FORMAT: Final = 1
_INDEX: Final = "backup.json"
_PARTIAL: Final = ".partial"
_MOST_INDEX: Final = 1024 * 1024
_PIECE: Final = 1024 * 1024


class Index(Struct, frozen=True):
    """The first part of an archive; ``made`` in ms since 1970, ``files`` are SHA-256 in hex.

    ``pin`` is that of the server's key, which clients trust; empty if it was not known.
    """

    format: int
    server_id: str
    pin: str
    made: int
    version: str
    files: dict[str, str]
    blobs: int


def write(target: Path, index: Index, files: dict[str, Path], blobs: list[Path]) -> None:
    """Write an archive (0600) that appears whole, on disk, or not at all. Raises OSError."""
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    partial.unlink(missing_ok=True)
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            lock.take(file)  # `left_behind` sees that somebody is at work
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
                _add(archive, _INDEX, io.BytesIO(msgspec.json.encode(index)))
                for name, path in files.items():
                    _add_file(archive, name, path)
                for path in blobs:
                    _add_file(archive, f"{BLOBS}/{path.name}", path)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        with contextlib.suppress(OSError):  # where the system does not let us
            sync_folder(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def left_behind(folder: Path) -> list[Path]:
    """Halves of archives in a folder, under whatever name, whose writer was killed."""
    return [path for path in sorted(folder.glob(f".*{_PARTIAL}")) if _is_dead_half(path)]


def _is_dead_half(path: Path) -> bool:
    """Ours by what it begins with, and held by nobody."""
    mark = _INDEX.encode() + b"\0"
    try:
        with path.open("r+b") as file:
            if file.read(len(mark)) != mark:
                return False
            lock.take(file)
            return True
    except OSError:
        return False


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as file:
        _add(archive, name, file)


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = file.seek(0, os.SEEK_END)
    info.mode = 0o600
    file.seek(0)
    archive.addfile(info, file)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ArchiveReader:
    """An archive that is read part by part, each checked against its hash."""

    def __init__(self, path: Path) -> None:
        """Raises `BackupUnusable`."""
        try:
            self._archive = tarfile.open(path)  # noqa: SIM115 - closed by `close`
        except tarfile.TarError:
            raise BackupUnusable(reason=f"{path} is no backup of this program") from None
        except OSError as wrong:
            raise BackupUnusable(reason=f"{path}: {wrong.strerror}") from None
        try:
            self._members = {one.name: one for one in self._archive if one.isreg()}
            self.index = self._read_index()
        except (tarfile.TarError, OSError, EOFError):
            self.close()
            raise BackupUnusable(reason="it is damaged or cut off") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_index(self) -> Index:
        member = self._members.get(_INDEX)
        if member is None or member.size > _MOST_INDEX:
            raise BackupUnusable(reason="it is no backup of this program")
        stream = self._archive.extractfile(member)
        assert stream is not None
        data = stream.read()
        try:
            found = msgspec.json.decode(data)["format"]
            if found != FORMAT:
                reason = f"it has format {found}; this program knows {FORMAT}: upgrade it"
                raise BackupUnusable(reason=reason)
            index = msgspec.json.decode(data, type=Index)
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise BackupUnusable(reason="its list of contents is malformed") from None
        if DATABASE not in index.files:
            raise BackupUnusable(reason="it holds no database")
        return index

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self.index.files

    def copy(self, name: str, target: Path) -> None:
        """Write a part to a new file (0600), checked. Raises `BackupUnusable`, OSError."""
        self._copy(name, target, self.index.files[name])

    def copy_blobs(self, folder: Path) -> int:
        """Write every blob into ``folder``; how many. Raises `BackupUnusable`, OSError."""
        names = list(self._blob_names())
        if len(names) != self.index.blobs:
            raise BackupUnusable(reason=f"{self.index.blobs - len(names)} files are missing in it")
        for name in names:
            sha256 = name.removeprefix(f"{BLOBS}/")
            self._copy(name, folder / sha256, sha256)
        return len(names)

    def _blob_names(self) -> Iterator[str]:
        for name in self._members:
            folder, _, rest = name.partition("/")
            if folder == BLOBS and is_blob_name(rest):
                yield name

    def _copy(self, name: str, target: Path, sha256: str) -> None:
        found = hashlib.sha256()
        member = self._members.get(name)
        if member is None:
            raise BackupUnusable(reason=f"{name} is missing in it")
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in self._pieces(member):
                found.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if found.hexdigest() != sha256:
            raise BackupUnusable(reason=f"{name} in it is damaged")

    def _pieces(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        try:
            stream = self._archive.extractfile(member)
            assert stream is not None
            while piece := stream.read(_PIECE):
                yield piece
        except (tarfile.TarError, EOFError):
            raise BackupUnusable(reason="it is damaged or cut off") from None
