"""The one thread that owns the connection: it connects, drives the core, and comes back by itself.

It never sleeps: it waits in `Link.wait` while connected and on an event otherwise, and both end at
once when somebody posts an intent, asks to reconnect, or stops it.
"""

import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable

from secure_chat.bugs import described
from secure_chat.client.backoff import Backoff
from secure_chat.client.engine.core import Core, Ending
from secure_chat.client.engine.login import Greeting, Next
from secure_chat.client.engine.wants import Intent
from secure_chat.client.events import ConnectionChanged, ConnectionState, Event
from secure_chat.client.link import Endpoint, Link, connect
from secure_chat.errors import (
    BadCertificateFile,
    CertificateRefused,
    ConnectCancelled,
    EngineFailed,
    Refused,
    SecureChatError,
    WrongServer,
)

_log = logging.getLogger(__name__)
_CONNECT_SECONDS = 20.0
_LONGEST_WAIT = 3600.0
_STEADY_SECONDS = 30.0  # a connection that stood so long was a good one


class Network:
    """Runs `Core` against the server from `start` to `stop`."""

    def __init__(
        self,
        core: Core,
        endpoint: Callable[[], Endpoint],
        publish: Callable[[list[Event]], None],
    ) -> None:
        self._core = core
        self._endpoint = endpoint
        self._publish = publish
        self._backoff = Backoff(random.uniform)
        self._intents: deque[Intent] = deque()
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._again = threading.Event()  # the person wants a connection now
        self._link_guard = threading.Lock()  # guards _link: nobody wakes a closed link
        self._link: Link | None = None
        self._online_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    # ------------------------------------------------------------ from any thread

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Disconnect and end the thread."""
        self._stopping.set()
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def post(self, intent: Intent) -> None:
        """Let the core act on what a person did."""
        self._intents.append(intent)
        self._wake()

    def reconnect(self) -> None:
        """Connect now, if there is no connection."""
        self._again.set()
        self._wake()

    def _wake(self) -> None:
        self._woken.set()
        with self._link_guard:
            if self._link is not None:
                self._link.wake()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._again.clear()
            pause = self._connection()
            self._rest(pause)
        self._say(ConnectionState.STOPPED)

    def _connection(self) -> float | None:
        """One connection from beginning to end; how long to rest then (None: until asked)."""
        self._say(ConnectionState.CONNECTING)
        try:
            return self._ended(self._attempt())
        except ConnectCancelled:
            return 0.0
        except SecureChatError as wrong:
            return self._ended(Ending(wrong, Next.LATER))
        except Exception as bug:
            return self._ended(Ending(_failed(bug), Next.LATER))

    def _attempt(self) -> Ending:
        link = connect(self._endpoint(), timeout=_CONNECT_SECONDS, cancelled=self._stopping.is_set)
        with self._link_guard:
            self._link = link
        try:
            return self._talk(link)
        finally:
            with self._link_guard:
                self._link = None
            link.close()
            self._core.disconnected(*_clock())
            self._publish(self._core.take()[1])

    def _talk(self, link: Link) -> Ending:
        # The server's first frames may arrive in one piece with its welcome.
        link.logged_in()
        self._core.greeted(
            Greeting(link.hello, link.hello_bytes, link.exporter, link.pin), *_clock()
        )
        online = False
        while not self._stopping.is_set():
            if self._core.logged_in and not online:
                online = True
                self._online_since = time.monotonic()
                self._say(ConnectionState.ONLINE, tls_group=link.group)
            self._flush(link)
            if self._core.ending is not None:
                return self._core.ending
            arrived = link.wait(self._until(self._core.next_deadline))
            self._core.received(arrived, *_clock())
            self._act()
            self._core.tick(*_clock())
        self._flush(link)
        with contextlib.suppress(SecureChatError):
            link.wait(0)  # what the vault has is acknowledged before we go
        raise ConnectCancelled(server="the server")

    def _act(self) -> None:
        while self._intents:
            self._core.intent(self._intents.popleft(), *_clock())

    def _flush(self, link: Link) -> None:
        messages, events = self._core.take()
        self._publish(events)
        for message, body in messages:
            link.send(message, body)

    # ------------------------------------------------------------ between connections

    def _ended(self, ending: Ending) -> float | None:
        error = ending.error
        since, self._online_since = self._online_since, None
        if since is not None and time.monotonic() - since >= _STEADY_SECONDS:
            self._backoff.succeeded()  # not for a server that lets us in and throws us out
        if ending.next is Next.AT_ONCE:
            return 0.0
        if ending.next is Next.STOP or self._is_misdirected(error):
            self._say(ConnectionState.STOPPED, problem=error)
            return None
        asked = error.retry_after if isinstance(error, Refused) else None
        pause = self._backoff.failed(asked or 0.0)
        self._say(ConnectionState.OFFLINE, problem=error, retry_in=pause)
        return pause

    def _rest(self, pause: float | None) -> None:
        """Wait, acting on intents meanwhile, until the time has come or somebody asks."""
        end = None if pause is None else time.monotonic() + pause
        while not self._stopping.is_set() and not self._again.is_set():
            left = _LONGEST_WAIT if end is None else end - time.monotonic()
            if left <= 0:
                return
            self._woken.wait(min(left, self._until(self._core.next_deadline)))
            self._woken.clear()
            try:
                self._act()
                self._core.tick(*_clock())
            except SecureChatError as wrong:
                self._core.problem(wrong)
            except Exception as bug:
                self._core.problem(_failed(bug))
            self._publish(self._core.take()[1])
        if self._again.is_set():
            self._backoff.succeeded()

    def _is_misdirected(self, error: SecureChatError) -> bool:
        """A link or a file that never worked: the person must look, trying again is no use."""
        wrong = CertificateRefused | WrongServer | BadCertificateFile
        return isinstance(error, wrong) and not self._core.registered

    def _until(self, deadline: float) -> float:
        return min(max(0.0, deadline - time.monotonic()), _LONGEST_WAIT)

    def _say(
        self,
        state: ConnectionState,
        problem: SecureChatError | None = None,
        retry_in: float | None = None,
        tls_group: str = "",
    ) -> None:
        self._publish([ConnectionChanged(state, problem, retry_in, tls_group)])


def _failed(bug: Exception) -> EngineFailed:
    _log.error("the network thread failed: %s", described(bug))
    return EngineFailed(detail=type(bug).__name__)


def _clock() -> tuple[float, int]:
    """Seconds of the monotonic clock, and milliseconds since 1970."""
    return time.monotonic(), time.time_ns() // 1_000_000
