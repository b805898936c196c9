"""The thread of the newcomers: it accepts, and all TLS handshakes under way are in its selector.

No handshake is ever waited for. Accepting has no thread of its own: handing each socket over to
another thread cost a sixth of what a login costs.
"""

import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable

from msgspec import Struct
from OpenSSL import SSL

from secure_chat import tls
from secure_chat.channel import Channel
from secure_chat.errors import ConnectionLost
from secure_chat.server.bugs import note_bug
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
_BATCH = 64  # sockets accepted before handshakes go on
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Established(Struct, frozen=True):
    """A connection whose handshake is complete."""

    channel: Channel
    peer: str
    exporter: bytes


class Handshakes(threading.Thread):
    """Accepts sockets, passes established connections to ``adopt``.

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
        self._settings = settings
        self._listeners: list[socket.socket] = []
        self._paused_until: float | None = None  # nothing is accepted; out of resources
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

    def serve(self, listeners: list[socket.socket]) -> None:
        """Start the thread; the listening sockets are its own from now on."""
        self._listeners = listeners
        self._listen()
        self.start()

    def stop(self) -> None:
        """Close the listening sockets and all handshakes under way. Blocks for the thread's end."""
        self._stopping.set()
        self._waker.wake()
        if self.ident is not None:
            self.join()
        for listener in self._listeners:
            listener.close()
        for opening in self._waiting:
            self._drop(opening)
        self._selector.close()
        self._waker.close()

    def run(self) -> None:
        """The thread."""
        sweep = 0.0
        while not self._stopping.is_set():
            listeners, openings = self._ready()
            for opening in openings:
                self._step(opening)
            now = time.monotonic()
            for listener in listeners:
                self._accept(listener, now)
            if now >= sweep:
                sweep = now + _SWEEP
                self._sweep(now)

    def _ready(self) -> tuple[list[socket.socket], list[Opening]]:
        """Where newcomers are, and a few of those that can go on.

        Those first whose address has the fewest under way: a handshake is a third of a millisecond
        of work, and behind a crowd a lone newcomer would wait for all.
        """
        listeners: list[socket.socket] = []
        openings: list[Opening] = []
        for key, _ in self._selector.select(self._patience()):
            if key.data is None:
                self._waker.clear()
            elif isinstance(key.data, Opening):
                openings.append(key.data)
            else:
                listeners.append(key.data)
        if len(openings) > _STEPS:
            openings.sort(key=self._waiting.neighbours)
        return listeners, openings[:_STEPS]

    def _patience(self) -> float | None:
        """Seconds until the deadlines want a look; None while there is nothing to look at."""
        busy = self._waiting or self._dropped >= _CROWD or self._paused_until is not None
        return _SWEEP if busy else None

    def _sweep(self, now: float) -> None:
        late = self._waiting.expired(now)
        for opening in late:
            self._drop(opening)
        if late:
            _log.info("%d handshakes were not finished in time", len(late))
        elif self._dropped >= _CROWD:  # the crowd has gone
            self._dropped = 0
            give_back()
        if self._paused_until is not None and now >= self._paused_until:
            self._paused_until = None
            self._listen()

    # ------------------------------------------------------------ newcomers

    def _listen(self) -> None:
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, listener)

    def _accept(self, listener: socket.socket, now: float) -> None:
        for _ in range(_BATCH):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as wrong:
                if wrong.errno in _EXHAUSTED:
                    self._pause(wrong, now)
                    return
                continue  # that peer has gone already
            try:
                sock.settimeout(0)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if hasattr(socket, "TCP_USER_TIMEOUT"):  # what the system holds for it waits too
                    patience = int(self._settings.unread_seconds * 1000)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
            except OSError:
                sock.close()  # it was reset between accept and here
                continue
            opening = Opening(sock, str(address[0]))
            self._selector.register(sock, selectors.EVENT_READ, opening)
            for oldest in self._waiting.add(opening, opening.peer, now):
                self._drop(oldest)

    def _pause(self, wrong: OSError, now: float) -> None:
        """Leave newcomers to the system for a moment; handshakes under way go on."""
        if self._paused_until is not None:
            return  # the other listener has met it too
        seconds = self._settings.accept_pause_seconds
        _log.error(
            "cannot accept connections: %s; trying again in %g s. Those that stand are served; "
            "raise the limit of open files if this repeats.",
            (wrong.strerror or "out of resources").lower(),
            seconds,
        )
        self._paused_until = now + seconds
        for each in self._listeners:
            self._selector.unregister(each)

    # ------------------------------------------------------------ handshakes

    def _step(self, opening: Opening) -> None:
        try:
            event = opening.advance(self._context())
            if event:
                self._selector.modify(opening.sock, event, opening)
                return
            connection, channel = opening.finish()
            established = Established(channel, opening.peer, tls.exporter(connection))
        except ConnectionLost as lost:
            reason = lost.facts["reason"]
            _log.debug("a handshake failed: %s", reason, extra={"peer": opening.peer})
            self._drop(opening)
        except Exception as bug:
            note_bug(bug, "a handshake failed unexpectedly")
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
