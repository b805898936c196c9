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
from secure_chat.errors import ConnectionLost
from secure_chat.server.counters import Counters
from secure_chat.server.net.memory import give_back
from secure_chat.server.net.opening import Opening
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.server.net.waiting import Waiting
from secure_chat.wake import Waker

_log = logging.getLogger(__name__)
_SWEEP = 0.25  # seconds between looks at the deadlines
_STEPS = 16  # handshakes that go on before newcomers are looked at
_CROWD = 256  # failed handshakes whose memory is worth giving back
_BATCH = 64  # sockets taken in before handshakes go on


class Established(Struct, frozen=True):
    """A connection whose handshake is complete."""

    channel: Channel
    peer: str
    exporter: bytes
    group: str


class Handshakes(threading.Thread):
    """Takes sockets by `offer`, passes established connections to ``adopt``.

    ``context`` is asked for each connection, so that new ones follow a reload.
    """

    def __init__(
        self,
        context: Callable[[], SSL.Context],
        adopt: Callable[[Established], None],
        settings: EdgeSettings,
        counters: Counters,
    ) -> None:
        super().__init__(name="handshakes", daemon=True)
        self._context = context
        self._adopt = adopt
        self._counters = counters
        self._offered: queue.Queue[tuple[socket.socket, str]] = queue.Queue(settings.backlog)
        self._waiting: Waiting[Opening] = Waiting(
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
        for opening in self._waiting:
            self._drop(opening)
        with suppress(queue.Empty):
            while True:
                self._offered.get_nowait()[0].close()
        self._selector.close()
        self._waker.close()

    def run(self) -> None:
        """The thread."""
        sweep = 0.0
        while not self._stopping.is_set():
            for opening in self._ready():
                self._step(opening)
            now = time.monotonic()
            self._take_in(now)
            if now >= sweep:
                sweep = now + _SWEEP
                self._sweep(now)

    def _ready(self) -> list[Opening]:
        """A few of those that can go on; first those whose address has the fewest under way.

        A handshake is a millisecond of work: behind a crowd a lone newcomer would wait for all.
        """
        ready: list[Opening] = []
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                self._waker.clear()
            else:
                ready.append(key.data)
        if len(ready) > _STEPS:
            ready.sort(key=self._waiting.neighbours)
        return ready[:_STEPS]

    def _patience(self) -> float | None:
        """Seconds until the deadlines want a look; None while there is nothing to look at."""
        return _SWEEP if self._waiting or self._dropped >= _CROWD else None

    def _take_in(self, now: float) -> None:
        with suppress(queue.Empty):
            for _ in range(_BATCH):
                opening = Opening(*self._offered.get_nowait())
                self._selector.register(opening.sock, selectors.EVENT_READ, opening)
                for oldest in self._waiting.add(opening, opening.peer, now):
                    self._drop(oldest)
            self._waker.wake()  # there may be more

    def _sweep(self, now: float) -> None:
        late = self._waiting.expired(now)
        for opening in late:
            self._drop(opening)
        if late:
            _log.info("%d handshakes were not finished in time", len(late))
        elif self._dropped >= _CROWD:  # the crowd has gone
            self._dropped = 0
            give_back()

    def _step(self, opening: Opening) -> None:
        try:
            event = opening.advance(self._context())
            if event:
                self._selector.modify(opening.sock, event, opening)
                return
            connection, channel = opening.finish()
            established = Established(
                channel, opening.peer, tls.exporter(connection), tls.group(connection)
            )
        except ConnectionLost as lost:
            _log.debug("a handshake failed: %s", lost.facts["reason"])
            self._drop(opening)
        except Exception:
            _log.exception("a handshake failed unexpectedly")
            self._drop(opening)
        else:
            self._selector.unregister(opening.sock)
            self._waiting.remove(opening)
            self._counters.handshakes += 1
            self._adopt(established)

    def _drop(self, opening: Opening) -> None:
        self._dropped += 1
        self._counters.handshakes_failed += 1
        self._waiting.remove(opening)
        self._selector.unregister(opening.sock)
        opening.sock.close()
