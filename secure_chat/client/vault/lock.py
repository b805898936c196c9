"""The exclusive lock on a profile: one process at a time, released by the system if it dies."""

import contextlib
import os
import sys
from pathlib import Path

from secure_chat.client.vault.files import open_private_file
from secure_chat.errors import ProfileInUse

LOCK = "lock"

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class ProfileLock:
    """Held from construction to `release`. Raises `ProfileInUse` if somebody else holds it."""

    def __init__(self, folder: Path) -> None:
        handle = open_private_file(folder / LOCK)
        try:
            _try_lock(handle)
        except OSError:
            os.close(handle)
            raise ProfileInUse(folder=folder) from None
        self._handle: int | None = handle

    def release(self) -> None:
        """Let the next one in. Closing the descriptor releases the lock on every system."""
        if self._handle is not None:
            handle, self._handle = self._handle, None
            with contextlib.suppress(OSError):
                os.close(handle)
