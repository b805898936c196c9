"""One file under way: how far it is, and how many of its chunks may be waited for."""

from io import FileIO

from secure_chat.client.vault.attached import Attached
from secure_chat.crypto.files import sealed_size
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

    def __init__(self, item: Attached) -> None:
        self.item = item
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


class Upload(Transfer):
    """A file on its way to the server.

    ``file`` is None if the sealed bytes are not here: the server may have them all the same.
    """

    def __init__(self, item: Attached, file: FileIO | None) -> None:
        super().__init__(item)
        self.file = file
        self.rewound = False  # the server holds less than was sent
        self.rewinds = 0


class Download(Transfer):
    """A file on its way to ``file``, which holds its first ``done`` bytes."""

    def __init__(self, item: Attached, file: FileIO) -> None:
        super().__init__(item)
        self.file = file
        self.early: dict[int, bytes] = {}  # chunks behind one that has not come
