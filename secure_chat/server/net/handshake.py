"""The handshake thread: all TLS handshakes under way, in one selector, none ever waited for."""

import logging
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct
from OpenSSL import SSL

from secure_chat import tls
from secure_chat.channel import Channel
from secure_chat.errors import SecureChatError
from secure_chat.server.net.memory import give_back
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.server.net.waiting import Waiting
from secure_chat.wake import Waker

_log = logging.getLogger(__name__)
_SWEEP = 0.25  # seconds between looks at the deadlines
_CROWD = 256  # failed handshakes whose memory is worth giving back
_BATCH = 64  # sockets taken in before handshakes go on


class Established(Struct, frozen=True):
    """A connection whose handshake is complete."""

    channel: Channel
    peer: str
    exporter: bytes
    group: str


class _Pending:
    """A socket on its way. It gets a TLS object only once its peer has said something."""

    __slots__ = ("channel", "connection", "peer", "sock")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.peer = peer
        self.connection: SSL.Connection | None = None
        self.channel: Channel | None = None

    def start(self, context: SSL.Context) -> Channel:
        self.connection = SSL.Connection(context, self.sock)
        self.connection.set_accept_state()
        self.channel = Channel(self.connection, self.sock)
        return self.channel


class Handshakes(threading.Thread):
    """Takes sockets by `offer`, passes established connections to ``adopt``.

    ``context`` is asked for each connection, so that new ones follow a reload.
    """

    def __init__(
        self,
        context: Callable[[], SSL.Context],
        adopt: Callable[[Established], None],
        settings: EdgeSettings,
    ) -> None:
        super().__init__(name="handshakes", daemon=True)
        self._context = context
        self._adopt = adopt
        self._offered: queue.Queue[tuple[socket.socket, str]] = queue.Queue(settings.backlog)
        self._waiting: Waiting[_Pending] = Waiting(
            total=settings.handshakes,
            per_address=settings.handshakes_per_address,
            seconds=settings.handshake_seconds,
        )
        self._dropped = 0  # since memory was given back
        self._waker = Waker()
        self._stopping = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waker, selectors.EVENT_READ)

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, sock: socket.socket, peer: str) -> None:
        """Hand over a non-blocking socket. Thread-safe; raises `queue.Full` after a short wait."""
        self._offered.put((sock, peer), timeout=_SWEEP)
        self._waker.wake()

    def stop(self) -> None:
        """End the thread and all handshakes under way. Blocks for the thread's end."""
        self._stopping.set()
        self._waker.wake()
        if self.ident is not None:
            self.join()
        for pending in self._waiting:
            self._drop(pending)
        with suppress(queue.Empty):
            while True:
                self._offered.get_nowait()[0].close()
        self._selector.close()
        self._waker.close()

    def run(self) -> None:
        """The thread."""
        sweep = 0.0
        while not self._stopping.is_set():
            for key, _ in self._selector.select(self._patience()):
                if key.data is None:
                    self._waker.clear()
                elif key.data in self._waiting:
                    self._step(key.data)
            now = time.monotonic()
            self._take_in(now)
            if now >= sweep:
                sweep = now + _SWEEP
                self._sweep(now)

    def _patience(self) -> float | None:
        """Seconds until the deadlines want a look; None while there is nothing to look at."""
        return _SWEEP if self._waiting or self._dropped >= _CROWD else None

    def _take_in(self, now: float) -> None:
        with suppress(queue.Empty):
            for _ in range(_BATCH):
                pending = _Pending(*self._offered.get_nowait())
                self._selector.register(pending.sock, selectors.EVENT_READ, pending)
                for oldest in self._waiting.add(pending, pending.peer, now):
                    self._drop(oldest)
            self._waker.wake()  # there may be more

    def _sweep(self, now: float) -> None:
        late = self._waiting.expired(now)
        for pending in late:
            self._drop(pending)
        if late:
            _log.info("%d handshakes were not finished in time", len(late))
        elif self._dropped >= _CROWD:  # the crowd has gone
            self._dropped = 0
            give_back()

    def _step(self, pending: _Pending) -> None:
        try:
            channel = pending.channel or pending.start(self._context())
            event = channel.handshake()
            if event:
                self._selector.modify(pending.sock, event, pending)
                return
            established = self._established(pending, channel)
        except SecureChatError as wrong:
            _log.debug("a handshake failed: %s", wrong)
            self._drop(pending)
        except Exception:
            _log.exception("a handshake failed unexpectedly")
            self._drop(pending)
        else:
            self._selector.unregister(pending.sock)
            self._waiting.remove(pending)
            self._adopt(established)

    @staticmethod
    def _established(pending: _Pending, channel: Channel) -> Established:
        connection = pending.connection
        if connection is None:
            raise RuntimeError("no TLS connection behind a finished handshake")
        return Established(channel, pending.peer, tls.exporter(connection), tls.group(connection))

    def _drop(self, pending: _Pending) -> None:
        self._dropped += 1
        self._waiting.remove(pending)
        self._selector.unregister(pending.sock)
        pending.sock.close()
