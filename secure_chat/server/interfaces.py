"""The seam between the server's core (who may do what, mailboxes) and its edge (sockets, threads).

The core never sees a socket, the edge never reads a header. Both run on the one I/O thread; other
threads (writer, handshakes) hand results over through `Loop.call_soon`. Times are seconds of a
monotonic clock in ``now``, and milliseconds since 1970 in ``wall_ms``.
"""

from collections.abc import Callable
from typing import Protocol

from secure_chat.errors import Code
from secure_chat.protocol.frames import Frame


class Connection(Protocol):
    """A peer after its TLS handshake, as the core sees it. Only the I/O thread may touch it."""

    @property
    def exporter(self) -> bytes:
        """RFC 9266 channel binding, 32 bytes."""

    @property
    def peer(self) -> str:
        """The peer's address, for limits; never logged unless the operator asks."""

    @property
    def buffered(self) -> int:
        """Bytes handed to `send` that the peer has not taken yet."""

    def send(self, frame: bytes) -> None:
        """Queue an encoded frame; frames of one wake-up leave in one TLS write."""

    def logged_in(self) -> None:
        """Allow frames of the size after login and end the login deadline."""

    def close(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        """Say ``bye``, let queued frames leave for a moment, close; `Core.closed` follows."""


class Loop(Protocol):
    """What other threads may ask of the I/O thread."""

    def call_soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the I/O thread at its next wake-up. Thread-safe, never blocks."""


class Core(Protocol):
    """The server's logic, called on the I/O thread only. It never blocks and never raises."""

    def opened(self, connection: Connection, now: float) -> None:
        """A handshake is complete: greet (the core sends ``hello``)."""

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        """Frames that arrived in one wake-up, in order."""

    def closed(self, connection: Connection, now: float) -> None:
        """The connection is gone, whoever closed it. Called exactly once for each `opened`."""

    def tick(self, now: float) -> None:
        """Called at least every 0.25 s for deadlines and gathered work."""

    def drain(self, now: float) -> None:
        """Stop taking requests, tell the clients, finish what was promised."""
