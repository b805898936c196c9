"""From a person's file to sealed bytes in the profile's folder ``files``."""

import contextlib
import hashlib
import io
import mimetypes
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from secure_chat.client.content import DEFAULT_MEDIA_TYPE, checked_media_type, cleaned_file_name
from secure_chat.client.files.metadata import LARGEST, is_picture, may_tell, without_metadata
from secure_chat.client.vault.files import create_private_file, make_private_folder
from secure_chat.crypto.files import FileKey, Sealer, sealed_size
from secure_chat.durable import sync_folder
from secure_chat.errors import BadEncoding, FileChanged, FileTooLong, FileUnusable, NoRoom
from secure_chat.protocol import limits

_PIECE: Final = 256 * limits.KIB
_SPARE: Final = 16 * limits.MIB  # of the disk, left to the vault


class Chosen(Struct, frozen=True):
    """A file that a person wants to send, as it is now."""

    path: Path
    name: str
    size: int
    media_type: str


def look_at(path: Path) -> Chosen:
    """What is to be sent. Raises `FileUnusable`, `FileTooLong`."""
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
    if size > limits.FILE:
        raise FileTooLong(size=size, limit=limits.FILE)
    name = cleaned_file_name(path.name)
    return Chosen(path.absolute(), name, size, _media_type(name))


def _media_type(name: str) -> str:
    """By the ending, for the other side to show; nobody acts on it."""
    try:
        return checked_media_type((mimetypes.guess_type(name)[0] or "").lower())
    except BadEncoding:
        return DEFAULT_MEDIA_TYPE


class Sealed(Struct, frozen=True):
    """What lies sealed: its SHA-256, and the size of the file in it.

    ``may_tell``: it may hold what a camera wrote, though that was to be removed.
    """

    sha256: bytes
    size: int
    may_tell: bool


def seal_file(
    source: Path,
    size: int,
    key: FileKey,
    target: Path,
    wanted: Callable[[], bool],
    *,
    keep_metadata: bool = False,
) -> Sealed | None:
    """Seal ``source`` into the new private file ``target``; pictures lose their metadata.

    None, and no file, once it is not ``wanted`` any more. Raises `FileUnusable`, `FileChanged`,
    `NoRoom`, `ProfileUnwritable`, OSError (the profile's disk).
    """
    make_private_folder(target.parent)
    must_have_room(target.parent, sealed_size(size))
    target.unlink(missing_ok=True)
    create_private_file(target)
    try:
        with _opened(source) as file, target.open("r+b") as sealed:
            if os.fstat(file.fileno()).st_size != size:
                raise FileChanged
            plain: IO[bytes] = file
            head, picture = _read(file), None
            if not keep_metadata and size <= LARGEST and is_picture(head):
                picture = without_metadata(_whole(file, size))
            if picture is not None:
                plain, size = io.BytesIO(picture), len(picture)
            tells = picture is None and not keep_metadata
            tells = tells and may_tell(head, _media_type(source.name))
            plain.seek(0)
            digest = _seal(plain, Sealer(key, size), sealed, wanted)
            sealed.flush()
            os.fsync(sealed.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if digest is None:
        target.unlink(missing_ok=True)
        return None
    sync_folder(target.parent)
    return Sealed(digest, size, tells)


def _whole(file: IO[bytes], size: int) -> bytes:
    file.seek(0)
    parts = []
    while part := _read(file):
        parts.append(part)
        size -= len(part)
    if size:
        raise FileChanged
    return b"".join(parts)


def _seal(
    file: IO[bytes], sealer: Sealer, sealed: IO[bytes], wanted: Callable[[], bool]
) -> bytes | None:
    digest = hashlib.sha256()
    while True:
        if not wanted():
            return None
        piece = _read(file)
        part = sealer.update(piece) if piece else sealer.finish()
        digest.update(part)
        sealed.write(part)
        if not piece:
            return digest.digest()


def _read(file: IO[bytes]) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as wrong:
        raise FileUnusable(path=file.name, reason=wrong.strerror or "it cannot be read") from None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A regular file, open for reading. Raises `FileUnusable`."""
    # Opening a pipe that nobody writes to would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as wrong:
        reason = getattr(wrong, "strerror", None) or "it is no file"
        raise FileUnusable(path=path, reason=reason) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise FileUnusable(path=path, reason="it is no file")
    with os.fdopen(handle, "rb", buffering=0) as file:
        yield file


def must_have_room(folder: Path, size: int) -> None:
    """Raise `NoRoom` before anything is written that would fill a disk."""
    with contextlib.suppress(OSError):  # a system that does not tell
        if shutil.disk_usage(folder).free < size + _SPARE:
            raise NoRoom(folder=folder, needed=size)
