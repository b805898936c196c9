"""The I/O thread: it owns every established connection and runs the core.

One turn: wait in the selector, read and hand over what arrived, run the calls of other threads,
tick, then write what was queued meanwhile, each connection's frames together, then report the
connections that have ended.
"""

import logging
import selectors
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

from secure_chat.bugs import described
from secure_chat.errors import Code, ConnectionLost
from secure_chat.protocol.frames import BrokenStream, Frame
from secure_chat.server.bugs import note_bug, noted
from secure_chat.server.counters import Counters
from secure_chat.server.interfaces import Core
from secure_chat.server.net.connection import State, TlsConnection
from secure_chat.server.net.handshake import Established
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.server.net.waiting import Waiting
from secure_chat.server.networks import network_of
from secure_chat.wake import Waker

_log = logging.getLogger(__name__)
_TICK = 0.25  # seconds
_BATCH = 64  # connections read before what they sent is looked at: at most 4 MiB
_BUSY = 10.0  # seconds after which somebody who was one too many may come again
_WRITE = selectors.EVENT_WRITE
_READ = selectors.EVENT_READ
_OPEN = State.OPEN
_ONE_FAILED = "a connection failed and is ended"


class IoThread(threading.Thread):
    """Implements `secure_chat.server.interfaces.Loop`."""

    def __init__(self, settings: EdgeSettings, counters: Counters) -> None:
        super().__init__(name="io", daemon=True)
        self._settings = settings
        self.counters = counters
        self._core: Core | None = None
        self._calls: deque[Callable[[], None]] = deque()
        self._waker = Waker()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waker, _READ)
        self._connections: set[TlsConnection] = set()  # those the core knows
        self._strangers: Waiting[TlsConnection] = Waiting(
            total=settings.strangers,
            per_address=settings.strangers_per_address,
            seconds=settings.login_seconds,
        )
        self._by_address: Counter[str] = Counter()
        self._leaving: dict[TlsConnection, float] = {}  # and until when they may linger
        self._slow: dict[TlsConnection, tuple[float, int]] = {}  # since when, `taken` then
        self._left: list[TlsConnection] = []  # ended in this turn; the core is to be told
        self.dirty: list[TlsConnection] = []  # with frames queued in this turn
        self._now = time.monotonic()
        self._draining_until: float | None = None

    # ------------------------------------------------------------ for other threads

    def call_soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on this thread at its next turn. Thread-safe, never blocks."""
        self._calls.append(call)
        self._waker.wake()

    def adopt(self, established: Established) -> None:
        """Take a connection whose handshake is complete. Thread-safe."""
        self.call_soon(lambda: self._open(established))

    def drain(self, seconds: float) -> None:
        """End all connections and this thread, after the core has finished. Thread-safe."""
        self.call_soon(lambda: self._drain(seconds))

    def __len__(self) -> int:
        return len(self._connections)

    def serve(self, core: Core) -> None:
        """Start the thread with its core."""
        self._core = core
        self.start()

    # ------------------------------------------------------------ the thread

    def run(self) -> None:
        """The thread."""
        core = self._core
        if core is None:
            raise RuntimeError("the I/O thread needs a core: start it with serve()")
        try:
            self._run(core)
        except Exception as bug:
            _log.critical("the I/O thread failed; the server cannot go on: %s", described(bug))
        finally:
            self._release_all()

    def _run(self, core: Core) -> None:
        next_tick = self._now = time.monotonic()
        while not self._finished():
            timeout = 0.0 if self._calls or self._left else max(0.0, next_tick - time.monotonic())
            events = self._selector.select(timeout)
            self._now = time.monotonic()
            for first in range(0, len(events), _BATCH):
                self._serve(core, events[first : first + _BATCH])
            if self._calls:
                self._run_calls()
            if self._now >= next_tick:
                next_tick = self._now + _TICK
                self._tick(core)
            self._end_turn(core)

    def _finished(self) -> bool:
        return self._draining_until is not None and not self._connections and not self._leaving

    def _serve(self, core: Core, events: list[tuple[selectors.SelectorKey, int]]) -> None:
        """Read from all of these, then hand all of it over.

        In two steps, for the processor's caches: a message of a quiet connection costs a tenth less
        than reading and answering in turns.
        """
        arrived: list[tuple[TlsConnection, list[Frame]]] = []
        for key, mask in events:
            connection: TlsConnection | None = key.data
            if connection is None:
                self._waker.clear()
            elif mask == _READ and connection.state is _OPEN:
                self._read(connection, arrived)
            else:
                self._serve_special(connection, mask, arrived)
        for connection, frames in arrived:
            if connection.state is _OPEN:  # else it was ended meanwhile, by another's message
                self._hand_over(core, connection, frames)

    def _read(
        self, connection: TlsConnection, arrived: list[tuple[TlsConnection, list[Frame]]]
    ) -> None:
        try:
            arrived.append((connection, connection.receive()))
        except Exception as bug:
            self._fail(connection, bug)

    def _serve_special(
        self,
        connection: TlsConnection,
        mask: int,
        arrived: list[tuple[TlsConnection, list[Frame]]],
    ) -> None:
        """Somebody who can be written to again, or is on the way out."""
        state = connection.state
        if state is _OPEN:
            if mask & _WRITE:
                self._flush(connection)
            if mask & _READ and connection.state is _OPEN:  # it may end while it is written to
                self._read(connection, arrived)
        elif state is State.CLOSING:
            self._flush(connection)
        elif state is State.LINGERING:
            self._discard(connection)

    def _discard(self, connection: TlsConnection) -> None:
        try:
            if connection.discard():
                return
        except Exception as bug:
            self._fail(connection, bug)
        else:
            self._end(connection)

    def _hand_over(self, core: Core, connection: TlsConnection, frames: list[Frame]) -> None:
        if frames:
            try:
                core.received(connection, frames, self._now)
            except Exception as bug:
                note_bug(bug, "the core failed over a frame")
                connection.close(Code.INTERNAL_ERROR)
        if connection.ending is not None:
            self._finish(connection, connection.ending)

    def _finish(self, connection: TlsConnection, ending: ConnectionLost | BrokenStream) -> None:
        if isinstance(ending, BrokenStream):
            connection.close(ending.code, str(ending))
            return
        if connection.truncated:
            _log.debug("a connection ended within a frame, which is dropped")
        self._end(connection)

    def _run_calls(self) -> None:
        for _ in range(len(self._calls)):  # those that come meanwhile have their turn next
            try:
                self._calls.popleft()()
            except Exception as bug:
                note_bug(bug, "a call on the I/O thread failed")

    def _tick(self, core: Core) -> None:
        now = self._now
        with noted("the core failed in its tick"):
            core.tick(now)
        for connection in self._strangers.expired(now):
            connection.close(Code.LOGIN_TIMEOUT)
        self._look_at_slow()
        for connection in [c for c, until in self._leaving.items() if until <= now]:
            self._end(connection)
        if self._draining_until is not None and now >= self._draining_until:
            for connection in list(self._connections):
                connection.close(Code.SHUTTING_DOWN)

    def _end_turn(self, core: Core) -> None:
        """Write what was queued and report who has left, until neither brings anything new."""
        while self.dirty or self._left:
            dirty, self.dirty = self.dirty, []
            for connection in dirty:
                self._flush(connection)
            left, self._left = self._left, []
            for connection in left:
                with noted("the core failed over the end of a connection"):
                    core.closed(connection, self._now)

    # ------------------------------------------------------------ life of a connection

    def _open(self, established: Established) -> None:
        core = self._core
        if core is None or self._draining_until is not None:
            established.channel.close()
            return
        connection = TlsConnection(established, self)
        self._selector.register(connection, _READ, connection)
        address = network_of(connection.peer)
        if (
            len(self._connections) >= self._settings.connections
            or self._by_address[address] >= self._settings.connections_per_address
        ):
            connection.close(Code.OVERLOADED, retry_after=_BUSY)
            return
        self._connections.add(connection)
        self._by_address[address] += 1
        for oldest in self._strangers.add(connection, connection.peer, self._now):
            oldest.close(Code.OVERLOADED, retry_after=_BUSY)
        try:
            core.opened(connection, self._now)
        except Exception as bug:
            note_bug(bug, "the core failed over a new connection")
            connection.close(Code.INTERNAL_ERROR)

    def known(self, connection: TlsConnection) -> None:
        """``connection`` has logged in: it is no stranger any more."""
        self._strangers.remove(connection)

    def leaving(self, connection: TlsConnection) -> None:
        """``connection`` is closing: the core hears of it at the end of this turn."""
        self._forget(connection)
        self._leaving[connection] = self._now + self._settings.linger_seconds

    def _forget(self, connection: TlsConnection) -> None:
        self._strangers.remove(connection)
        self._slow.pop(connection, None)
        if connection in self._connections:
            self._connections.remove(connection)
            address = network_of(connection.peer)
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
            self._left.append(connection)

    def _end(self, connection: TlsConnection) -> None:
        """Release a connection at once."""
        if connection.state is State.GONE:
            return
        self._forget(connection)
        self._leaving.pop(connection, None)
        with noted(_ONE_FAILED):
            self._selector.unregister(connection)
        with noted(_ONE_FAILED):
            connection.release()

    def _fail(self, connection: TlsConnection, bug: Exception) -> None:
        """A mistake met over one connection costs that one, and none of the others."""
        note_bug(bug, _ONE_FAILED)
        self._end(connection)

    def watch(self, connection: TlsConnection, interest: int) -> None:
        """Change what the selector waits for."""
        self._selector.modify(connection, interest, connection)

    def _flush(self, connection: TlsConnection) -> None:
        if connection.state is State.GONE:
            return
        try:
            if connection.flush():
                return
        except ConnectionLost:
            self._end(connection)
            return
        except Exception as bug:
            self._fail(connection, bug)
            return
        if connection.state is _OPEN:
            self._slow.setdefault(connection, (self._now, connection.taken))
            if connection.buffered > self._settings.largest_buffer:
                self._evict(connection)

    def _look_at_slow(self) -> None:
        self._keep_total()
        settings = self._settings
        for connection, (since, taken) in list(self._slow.items()):
            waited = self._now - since
            if not connection.buffered:
                del self._slow[connection]
            elif connection.buffered > settings.slow_buffer:
                if waited < settings.slow_seconds:
                    continue
                if connection.taken - taken < settings.slow_progress:
                    self._evict(connection)
                else:
                    self._slow[connection] = (self._now, connection.taken)
            elif waited >= settings.stalled_seconds:
                if connection.taken == taken:
                    self._evict(connection)
                else:
                    self._slow[connection] = (self._now, connection.taken)

    def _keep_total(self) -> None:
        """However many do not read: what waits for all of them together is bounded."""
        waiting = sum(connection.buffered for connection in self._slow)
        if waiting <= self._settings.slow_total:
            return
        for connection in sorted(self._slow, key=lambda one: one.buffered, reverse=True):
            waiting -= connection.buffered
            self._evict(connection)
            if waiting <= self._settings.slow_total:
                break

    def _evict(self, connection: TlsConnection) -> None:
        text = "a connection is closed: it does not read (%d bytes wait)"
        _log.info(text, connection.buffered, extra={"peer": connection.peer})
        connection.give_up_queue()
        connection.close(Code.SLOW_READER)

    # ------------------------------------------------------------ the end

    def _drain(self, seconds: float) -> None:
        if self._draining_until is not None:
            return
        self._draining_until = self._now + seconds
        if self._core is not None:
            with noted("the core failed while draining"):
                self._core.drain(self._now)

    def close(self) -> None:
        """Release what a thread that never ran holds."""
        self._release_all()

    def _release_all(self) -> None:
        for connection in [*self._connections, *self._leaving]:
            self._end(connection)
        self._run_calls()  # connections that were handed over meanwhile are closed there
        self._selector.close()
        self._waker.close()
