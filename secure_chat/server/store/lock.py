"""The lock of a data folder: one process at a time, which says who it is.

The operating system keeps the lock and lets go of it when the process ends, however it ends. What
stands in the file is for whoever is refused: the process and its command. It may be old when
nobody holds the lock, and then nobody reads it.
"""

import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Final

from msgspec import Struct, json

from secure_chat.errors import DataFolderInUse, DataFolderUnusable

FILE: Final = "server.lock"
SERVE: Final = "serve"
_MOST: Final = 1024
_BEYOND: Final = 2**30  # Windows locks bytes: one that nobody has to read


class Holder(Struct, frozen=True):
    """Who holds a lock: the process, and the words of its command."""

    pid: int
    command: str

    def __str__(self) -> str:
        """The holder in words, and what to do about it."""
        if self.command == SERVE:
            return f"a running server (process {self.pid}); stop it first, or use another folder"
        command = f"secure-chat-server {self.command} (process {self.pid})"
        return f"another command, {command}; wait until it has ended"


def hold(folder: Path, command: str) -> IO[bytes]:
    """Hold the folder for this process until the file is closed; ``command`` is what it does.

    Raises `DataFolderInUse`, `DataFolderUnusable`.
    """
    file = _opened(folder)
    try:
        take(file)
    except OSError:
        holder = _read(file)
        file.close()
        raise DataFolderInUse(folder=folder, holder=holder or "another process") from None
    with contextlib.suppress(OSError):  # a full disk is no reason to let others in
        file.truncate(0)
        file.write(json.encode(Holder(os.getpid(), command)))
        file.flush()
    return file


def _opened(folder: Path) -> IO[bytes]:
    try:
        handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as wrong:
        raise DataFolderUnusable(folder=folder, reason=wrong.strerror or "unknown") from wrong
    return os.fdopen(handle, "r+b")


def take(file: IO[bytes]) -> None:
    """Lock an open file until it is closed. Raises OSError if another process has it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(_BEYOND)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(0)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _read(file: IO[bytes]) -> Holder | None:
    """Who wrote it; None if it is empty, or of a version that wrote nothing."""
    with contextlib.suppress(OSError, ValueError):
        return json.decode(file.read(_MOST), type=Holder)
    return None
