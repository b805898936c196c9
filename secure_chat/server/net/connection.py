"""A peer after its handshake: frames in, frames out, and an orderly end.

::

    OPEN ── close() ──▶ CLOSING ── all sent ──▶ LINGERING ── peer ended, or time over ──▶ GONE
      └──────────── the connection breaks, in any state ───────────────────────────────────┘

In CLOSING nothing is read any more; in LINGERING what arrives is thrown away unread.
"""

import selectors
from enum import IntEnum
from typing import TYPE_CHECKING

from secure_chat.errors import CODES, Code, ConnectionLost
from secure_chat.protocol.frames import BrokenStream, Frame, FrameDecoder, encode_frame
from secure_chat.protocol.messages import Bye, encode_header
from secure_chat.server.net.handshake import Established

if TYPE_CHECKING:
    from secure_chat.server.net.loop import IoThread

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE
_READS = 4  # records taken from one peer before others have their turn
_CHUNK = 65_536  # bytes of frames joined for one write
_RECORD = 16_384
_SENTENCE = 512


class State(IntEnum):
    """See the drawing above."""

    OPEN = 0
    CLOSING = 1
    LINGERING = 2
    GONE = 3


_OPEN = State.OPEN
_CLOSING = State.CLOSING


class TlsConnection:
    """Implements `secure_chat.server.interfaces.Connection`. Only the I/O thread touches it."""

    __slots__ = (
        "_buffered", "_channel", "_chunk", "_decoder", "_dirty", "_established", "_interest",
        "_loop", "_queue", "ending", "state", "taken",
    )  # fmt: skip

    def __init__(self, established: Established, loop: "IoThread") -> None:
        self._established = established
        self._channel = established.channel
        self._loop = loop
        self._decoder = FrameDecoder()
        self._queue: list[bytes] = []  # whole frames that have not been touched
        self._chunk: bytes | memoryview = b""  # frames being written; ends with a whole frame
        self._buffered = 0
        self._dirty = False
        self._interest = _READ
        self.state = _OPEN
        self.ending: ConnectionLost | BrokenStream | None = None
        self.taken = 0  # bytes that the peer has taken so far

    # ------------------------------------------------------------ what the core may ask

    @property
    def exporter(self) -> bytes:
        """RFC 9266 channel binding, 32 bytes."""
        return self._established.exporter

    @property
    def peer(self) -> str:
        """The peer's address, for limits; never logged."""
        return self._established.peer

    @property
    def buffered(self) -> int:
        """Bytes that the peer has not taken yet."""
        return self._buffered

    def send(self, frame: bytes) -> None:
        """Queue an encoded frame; ignored once the connection is closing."""
        if self.state is not _OPEN:
            return
        self._queue.append(frame)
        self._buffered += len(frame)
        if not self._dirty:
            self._dirty = True
            self._loop.dirty.append(self)

    def logged_in(self) -> None:
        """Allow frames of the size after login and end the login deadline."""
        self._decoder.logged_in()
        self._loop.known(self)

    def close(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        """Say ``bye``, let queued frames leave for a moment, close."""
        if self.state is not _OPEN:
            return
        self._loop.counters.farewells[code] += 1
        text = (message or CODES[code].message)[:_SENTENCE]
        self.send(encode_frame(encode_header(Bye(code, text, retry_after))))
        self.state = State.CLOSING
        self._loop.leaving(self)

    # ------------------------------------------------------------ what the I/O thread asks

    def fileno(self) -> int:
        """For selectors."""
        return self._channel.fileno()

    def receive(self) -> list[Frame]:
        """The frames that have arrived; if the connection ends after them, `ending` says why."""
        frames: list[Frame] = []
        try:
            for _ in range(_READS):
                data = self._channel.receive()
                if data:
                    self._loop.counters.bytes_received += len(data)
                    frames += self._decoder.feed(data)
                if len(data) < _RECORD:  # so OpenSSL holds nothing more: the selector will tell
                    break
        except BrokenStream as wrong:
            frames += wrong.frames
            self.ending = wrong
        except ConnectionLost as wrong:
            self.ending = wrong
        return frames

    @property
    def truncated(self) -> bool:
        """Whether an incomplete frame has arrived; it is never processed."""
        return self._decoder.holds_partial_frame

    def flush(self) -> bool:
        """Write what is queued; False if the socket does not take all. Raises `ConnectionLost`."""
        self._dirty = False
        while self._chunk or self._queue:
            chunk = self._chunk or self._next_chunk()
            sent = self._channel.send(chunk)
            self._buffered -= sent
            self.taken += sent
            self._loop.counters.bytes_sent += sent
            if sent == len(chunk):
                self._chunk = b""
                continue
            self._chunk = memoryview(chunk)[sent:]
            if not sent:
                self._watch(_READ | _WRITE if self.state is _OPEN else _WRITE)
                return False
        if self.state is _CLOSING:
            self._channel.finish()
            self.state = State.LINGERING
        if self._interest != _READ:
            self._watch(_READ)
        return True

    def _next_chunk(self) -> bytes:
        queue = self._queue
        if self._buffered <= _CHUNK or len(queue) == 1:
            self._queue = []
            return b"".join(queue)
        size = count = 0
        while count < len(queue) and size < _CHUNK:
            size += len(queue[count])
            count += 1
        chunk = b"".join(queue[:count])
        del queue[:count]
        return chunk

    def _watch(self, interest: int) -> None:
        if interest != self._interest:
            self._interest = interest
            self._loop.watch(self, interest)

    def give_up_queue(self) -> None:
        """Forget the frames that nobody has begun to write, so that a ``bye`` can follow soon."""
        self._queue.clear()
        self._buffered = len(self._chunk)

    def discard(self) -> bool:
        """In LINGERING: throw away what arrives; False when the peer has ended too."""
        return self._channel.discard()

    def release(self) -> None:
        """Close the socket."""
        self.state = State.GONE
        self._queue.clear()
        self._chunk = b""
        self._buffered = 0
        self._channel.close()
