"""The server's own count of time, by which things grow old: messages that wait, and invites.

The clock of a machine jumps: a dead battery sets it to 1970, a wrong time server ten years ahead.
By such a clock every waiting message would be too old at once. So age is counted apart from it:

* While the server runs, the count follows the monotonic clock, which does not jump.
* The count is kept on disk with the machine's time beside it. The time that the server was off is
  what the machine's clock says, but never less than nothing and at most a day.

So no jump makes anything older by more than a day, and a server that was off for weeks keeps what
waits so much longer. The count began as the machine's time, in milliseconds since 1970, and is the
same as long as nothing happened. What people read (when a message came) is the machine's time.
"""

import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from secure_chat.protocol.limits import DAY

_OFF_AT_MOST: Final = DAY * 1000
_SAVED: Final = struct.Struct("!QQ")  # the count and the machine's time, both in ms


def wall_clock() -> int:
    """The machine's time: milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """Thread-safe. ``wall`` gives ms since 1970, ``monotonic`` seconds since whenever."""

    def __init__(
        self,
        wall: Callable[[], int] = wall_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wall = wall
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._begun = wall(), monotonic()

    def resume(self, saved: bytes | None) -> None:
        """Go on from what `saved` gave before a restart; None: this is the first start."""
        now = self.wall()
        count = now
        if saved is not None:
            then, wall_then = _SAVED.unpack(saved)
            count = then + min(max(now - wall_then, 0), _OFF_AT_MOST)
        with self._lock:
            self._begun = count, self._monotonic()

    def saved(self) -> bytes:
        """What a restart needs."""
        return _SAVED.pack(max(self.now_ms(), 0), max(self.wall(), 0))

    def now_ms(self) -> int:
        """The count."""
        with self._lock:
            count, since = self._begun
            return count + int((self._monotonic() - since) * 1000)

    def of_wall(self, wall_ms: int) -> int:
        """The count at a moment that the machine's clock calls ``wall_ms``."""
        return wall_ms - self._apart()

    def to_wall(self, count: int) -> int:
        """What the machine's clock says when the count is ``count``."""
        return count + self._apart()

    def _apart(self) -> int:
        """How far the machine's clock is ahead, in whole seconds: 0 as long as nothing jumps."""
        return round((self.wall() - self.now_ms()) / 1000) * 1000
