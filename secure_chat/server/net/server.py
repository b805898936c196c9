"""The network server: a thread for newcomers and an I/O thread around one core."""

import logging
import socket
import threading
from collections.abc import Callable

from OpenSSL import SSL

from secure_chat.server.counters import Counters
from secure_chat.server.interfaces import Core, Loop
from secure_chat.server.net.handshake import Handshakes
from secure_chat.server.net.listening import listen
from secure_chat.server.net.loop import IoThread
from secure_chat.server.net.settings import EdgeSettings

_log = logging.getLogger(__name__)

ContextFactory = Callable[[], SSL.Context]
"""Builds a TLS context from the files as they are now; see `secure_chat.tls.server_context`."""


class NetServer:
    """Listens, and carries frames between peers and the core. Implements `Loop`.

    ``make_core`` gets this server as its loop: ``lambda loop: Hub(store, loop, settings)``.
    ``address`` is (host, port); an empty host means all addresses, port 0 a free port.
    """

    def __init__(
        self,
        address: tuple[str, int],
        context_factory: ContextFactory,
        make_core: Callable[[Loop], Core],
        settings: EdgeSettings | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._address = address
        self._context_factory = context_factory
        self._settings = settings or EdgeSettings()
        self._context: SSL.Context | None = None
        counters = counters or Counters()
        self._io = IoThread(self._settings, counters)
        self._handshakes = Handshakes(
            self._current_context, self._io.adopt, self._settings, counters
        )
        self._listeners: list[socket.socket] = []
        self._stopped = threading.Lock()  # taken by the first stop()
        self.core = make_core(self)

    def start(self) -> None:
        """Listen and serve, on threads of its own. Raises `ListenFailed`, `BadCertificateFile`."""
        self.reload()
        self._listeners = listen(*self._address, self._settings)
        self._io.serve(self.core)
        self._handshakes.serve(self._listeners)
        _log.info("listening on port %d", self.port)

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        return int(self._listeners[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """Established connections, logged in or not."""
        return len(self._io)

    @property
    def handshakes(self) -> int:
        """Handshakes under way."""
        return len(self._handshakes)

    @property
    def is_serving(self) -> bool:
        """Whether all threads run; False before `start`, after `stop`, and after a failure."""
        return self._handshakes.is_alive() and self._io.is_alive()

    def call_soon(self, call: Callable[[], None]) -> None:
        """Run ``call`` on the I/O thread at its next turn. Thread-safe, never blocks."""
        self._io.call_soon(call)

    def reload(self) -> None:
        """Read the certificate again; connections from now on get it, those that stand keep theirs.

        Raises `BadCertificateFile`; the certificate from before stays then. Thread-safe.
        """
        self._context = self._context_factory()

    def stop(self) -> None:
        """Take no more connections, let the core finish, tell the clients, end the threads.

        Blocks at most about the drain and linger seconds of the settings. May be called twice.
        """
        if not self._stopped.acquire(blocking=False):
            return
        self._handshakes.stop()
        if self._io.ident is None:
            self._io.close()
            return
        self._io.drain(self._settings.drain_seconds)
        self._io.join()

    def _current_context(self) -> SSL.Context:
        if self._context is None:
            raise RuntimeError("the server has not been started")
        return self._context
