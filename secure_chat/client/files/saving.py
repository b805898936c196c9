"""From sealed bytes that came to a file in the folder that a person chose.

The hash of the whole is compared before anything is opened, and a private file takes the plaintext
until the last chunk has opened. It gets its name with `os.link`, which never replaces anything and
follows nothing; it is never executable and nothing opens it.
"""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from secure_chat.client.content import File
from secure_chat.crypto.files import Opener, sealed_size
from secure_chat.durable import sync_folder
from secure_chat.errors import BadEncoding, CannotWrite, FileDamaged
from secure_chat.protocol import limits

_PIECE: Final = 256 * limits.KIB
_NAMES: Final = 10_000
_NEW: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
)  # fmt: skip
_NO_LINKS: Final = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


def save(
    sealed: Path, file: File, folder: Path, tag: str, wanted: Callable[[], bool]
) -> Path | None:
    """Open ``sealed`` and put it into ``folder`` under its name, or one with a number behind.

    ``tag`` names the unfinished file, the same at each try, so that none is left behind.
    None, and no file, once it is not ``wanted`` any more. Raises
    `FileDamaged` (the bytes are not those of the message), `CannotWrite`, OSError (of ``sealed``).
    """
    try:
        _check(sealed, file, wanted)
        return _save(sealed, file, folder, folder / f".{tag}.part", wanted)
    except _Unwanted:
        return None


class _Unwanted(Exception):
    """Nobody waits for the file any more."""


def _save(
    sealed: Path, file: File, folder: Path, unfinished: Path, wanted: Callable[[], bool]
) -> Path:
    try:
        unfinished.unlink(missing_ok=True)
        try:
            handle = os.open(unfinished, _NEW, 0o600)
            with os.fdopen(handle, "wb") as target:
                for part in _opened(sealed, file, wanted):
                    target.write(part)
                target.flush()
                os.fsync(target.fileno())
            return _named(unfinished, folder, file.name)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as wrong:
        raise CannotWrite(path=folder, reason=wrong.strerror or str(wrong)) from None


def _check(sealed: Path, file: File, wanted: Callable[[], bool]) -> None:
    """All of it is here, and it is what the message speaks of."""
    digest = hashlib.sha256()
    size = 0
    for piece in _pieces(sealed, wanted):
        digest.update(piece)
        size += len(piece)
    if size != sealed_size(file.size) or digest.digest() != file.sha256:
        raise FileDamaged


def _opened(sealed: Path, file: File, wanted: Callable[[], bool]) -> Iterator[bytes]:
    opener = Opener(file.key, file.size)
    try:
        for piece in _pieces(sealed, wanted):
            yield opener.update(piece)
        yield opener.finish()
    except BadEncoding:  # its sender sealed it wrongly
        raise FileDamaged from None


def _pieces(path: Path, wanted: Callable[[], bool]) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as source:
        while piece := source.read(_PIECE):
            if not wanted():
                raise _Unwanted
            yield piece


def _named(unfinished: Path, folder: Path, name: str) -> Path:
    """Give the file the first name that is free."""
    for wanted in _names(name):
        target = folder / wanted
        try:
            _link(unfinished, target)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # where the system does not let us
            sync_folder(folder)
        return target
    raise FileExistsError(errno.EEXIST, "too many files have this name")


def _link(unfinished: Path, target: Path) -> None:
    try:
        os.link(unfinished, target, follow_symlinks=False)
    except OSError as wrong:
        if wrong.errno not in _NO_LINKS:
            raise
        # A file system without links: take the name for ourselves, then move over our own file.
        os.close(os.open(target, _NEW, 0o600))
        unfinished.replace(target)
    except NotImplementedError:  # a system whose link() always follows
        os.link(unfinished, target)


def _names(name: str) -> Iterator[str]:
    """``name``, then ``name (1)`` and so on, the ending kept."""
    yield name
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    for number in range(1, _NAMES):
        yield f"{stem} ({number}){dot}{ending}"
