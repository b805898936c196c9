"""Messages that were pushed and are nowhere but in memory: each is written when it is due."""

from collections import deque
from collections.abc import Iterator
from typing import Final

from secure_chat.server.core.mailbox import Entry

_MOST: Final = 128 * 1024 * 1024


class Unwritten:
    """A queue in order of when its entries are due, and how many bytes they hold at most."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    @property
    def full(self) -> bool:
        """Whether memory holds enough of them: more are to be refused."""
        return self._bytes > _MOST

    def add(self, entry: Entry) -> None:
        """Queue an entry for its ``due``."""
        self._entries.append(entry)
        self._bytes += entry.size

    def due(self, now: float) -> Iterator[Entry]:
        """Take out those whose time has come; some may have been acknowledged meanwhile."""
        while self._entries and self._entries[0].due <= now:
            entry = self._entries.popleft()
            self._bytes -= entry.size
            yield entry
