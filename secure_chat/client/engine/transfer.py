"""One file under way: how far it is, and how many of its chunks may be waited for."""

import contextlib
from io import FileIO
from pathlib import Path
from typing import Self

from secure_chat.client.vault.attached import Attached
from secure_chat.client.vault.files import make_private_folder, open_private_file
from secure_chat.crypto.files import sealed_size
from secure_chat.errors import ProfileUnwritable
from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import BlobHash


class Window:
    """How many chunks may be under way: fewer the longer the server takes to answer.

    Messages of the same connection wait behind them, so that a slow line carries one at a time.
    """

    SMALLEST, LARGEST = 1, 4
    QUICK, SLOW = 0.3, 1.0  # seconds

    def __init__(self) -> None:
        self.size = 2

    def answered(self, seconds: float) -> None:
        """A chunk's answer took so long."""
        if seconds < self.QUICK:
            self.size = min(self.LARGEST, self.size + 1)
        elif seconds > self.SLOW:
            self.size = max(self.SMALLEST, self.size // 2)


class Transfer:
    """What up and down share: one file, its blob, and how far it is."""

    def __init__(self, item: Attached, file: FileIO | None) -> None:
        self.item = item
        self._file = file
        self.size = sealed_size(item.file.size)
        self.blob = BlobHash(item.file.sha256)
        self.window = Window()
        self.next = 0  # where the next chunk begins
        self.done = 0  # bytes that are certainly there
        self.under_way = 0
        self.told = 0.0

    @property
    def chunk(self) -> int:
        """How long the next chunk is."""
        return min(limits.BLOB_CHUNK, self.size - self.next)

    def close(self) -> None:
        """Let the file go. What the disk did not take shows in its length, or its hash."""
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()


class Upload(Transfer):
    """A file on its way to the server.

    ``file`` is None if the sealed bytes are not here: the server may have them all the same.
    """

    def __init__(self, item: Attached, file: FileIO | None) -> None:
        super().__init__(item, file)
        self.file = file
        self.rewound = False  # the server holds less than was sent
        self.rewinds = 0

    def read(self, folder: Path) -> bytes:
        """The next chunk of what lies in ``folder``. Raises `ProfileUnwritable`."""
        body = b""
        try:
            if self.file is not None:
                self.file.seek(self.next)
                body = self.file.read(self.chunk)
        except OSError as wrong:
            raise ProfileUnwritable(folder=folder, reason=wrong.strerror) from None
        if len(body) != self.chunk:
            raise ProfileUnwritable(folder=folder, reason="a file was cut off")
        return body


class Download(Transfer):
    """A file on its way to ``file``, which holds its first ``done`` bytes."""

    def __init__(self, item: Attached, file: FileIO) -> None:
        super().__init__(item, file)
        self.file = file
        self.early: dict[int, bytes] = {}  # chunks behind one that has not come

    @classmethod
    def into(cls, path: Path, item: Attached) -> Self:
        """Go on with what is at ``path``, or begin it. Raises `ProfileUnwritable`."""
        make_private_folder(path.parent)
        down = cls(item, FileIO(open_private_file(path), "r+"))
        try:
            down.done = down.file.seek(0, 2)
            if down.done > down.size:
                down.file.truncate(0)
                down.done = 0
        except OSError as wrong:
            down.file.close()
            raise ProfileUnwritable(folder=path.parent, reason=wrong.strerror) from None
        down.next = down.done
        return down

    def take(self, start: int, body: bytes) -> None:
        """Write a chunk that came, and those behind it that had come before. Raises `OSError`."""
        self.early[start] = body
        while (chunk := self.early.pop(self.done, None)) is not None:
            self.file.seek(self.done)
            self.file.write(chunk)
            self.done += len(chunk)
