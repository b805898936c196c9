"""Files that belong together, such as a key and its certificate: replaced so that a cut is mended.

No file system replaces two files at once. So all are written beside their places first, as
``….new``, and are on disk before the first takes its place. A process that is killed leaves either
the old files, or some old and the others as ``….new``: `rotation.settle` finishes that.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from secure_chat.durable import sync_folder
from secure_chat.server import ownership


class Piece(NamedTuple):
    """A file that is to be: its place, what is in it, and the mode if there is none yet."""

    path: Path
    data: bytes
    mode: int


def staged(path: Path) -> Path:
    """Where a file waits for its place."""
    return path.with_name(path.name + ".new")


def waits(path: Path) -> bool:
    """Whether something waits for that place, as far as this account can see."""
    try:
        staged(path).lstat()
    except OSError:
        return False
    return True


def place(pieces: Sequence[Piece]) -> None:
    """Put files in their places, in this order, with owner and mode of what they replace.

    What fails before the first is in its place leaves nothing behind. Raises OSError.
    """
    try:
        for piece in pieces:
            _stage(piece)
    except OSError:
        for piece in pieces:
            staged(piece.path).unlink(missing_ok=True)
        raise
    for folder in {piece.path.parent for piece in pieces}:
        sync_folder(folder)
    finish([piece.path for piece in pieces])


def _stage(piece: Piece) -> None:
    """Its mode from the first moment, and whole on disk."""
    waiting = staged(piece.path)
    waiting.unlink(missing_ok=True)
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, piece.mode)
    with os.fdopen(handle, "wb") as file:
        file.write(piece.data)
        file.flush()
        os.fsync(handle)
    ownership.like(waiting, piece.path)


def finish(paths: Sequence[Path]) -> None:
    """Let staged files take their places, in this order. Raises OSError."""
    for path in paths:
        staged(path).replace(path)
        sync_folder(path.parent)  # the order holds through a power cut too


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait for others that replace files in ``folder``, and keep them out meanwhile."""
    if os.name != "posix":
        yield
        return
    import fcntl

    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # what follows says it better
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system that locks no folders
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
