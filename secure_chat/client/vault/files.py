"""Files that only their owner may read, under any umask (and on Windows, the profile's own ACL)."""

import os
import stat
from pathlib import Path

from secure_chat.durable import sync_folder
from secure_chat.errors import ProfileUnwritable

UNFINISHED = ".new"
"""Ends the name of a file that is to replace another."""
_FOLDER = stat.S_IRWXU
_FILE = stat.S_IRUSR | stat.S_IWUSR
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def make_private_folder(folder: Path) -> None:
    """Create ``folder`` and its missing parents with mode 0700; raise `ProfileUnwritable`."""
    try:
        for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
            missing.mkdir(mode=_FOLDER)
            missing.chmod(_FOLDER)  # the umask may have taken rights that we need
        folder.chmod(_FOLDER)
    except OSError as wrong:
        raise ProfileUnwritable(folder=folder, reason=wrong.strerror) from None


def create_private_file(path: Path, content: bytes = b"") -> None:
    """Create a new file with mode 0600 and its content on disk; raise `ProfileUnwritable`."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, _FILE)
        with os.fdopen(handle, "wb") as file:
            tighten(path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as wrong:
        raise ProfileUnwritable(folder=path.parent, reason=wrong.strerror) from None


def replace_private_file(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of a file, wholly or not at all; raise `ProfileUnwritable`."""
    fresh = path.with_name(path.name + UNFINISHED)
    try:
        fresh.unlink(missing_ok=True)  # what a crash left
        create_private_file(fresh, content)
        fresh.replace(path)
    except OSError as wrong:
        raise ProfileUnwritable(folder=path.parent, reason=wrong.strerror) from None
    sync_folder(path.parent)


def open_private_file(path: Path) -> int:
    """A descriptor of ``path`` for reading and writing, created if it is missing."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW | _BINARY, _FILE)
        tighten(path)
    except OSError as wrong:
        raise ProfileUnwritable(folder=path.parent, reason=wrong.strerror) from None
    return handle


def tighten(path: Path) -> None:
    """Give an existing file or folder the mode it must have."""
    path.chmod(_FOLDER if path.is_dir() else _FILE)
