"""The acceptor: one thread that takes new sockets and passes them on to the handshakes."""

import errno
import logging
import queue
import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from secure_chat.errors import ListenFailed
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.wake import Waker

_log = logging.getLogger(__name__)
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_BATCH = 64  # sockets taken before the other listeners are looked at
_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}

_Place = tuple[Any, ...]  # as in the socket module: host, port, and two numbers more for IPv6

Offer = Callable[[socket.socket, str], None]
"""Takes a new socket and its peer's address; raises `queue.Full`."""


class Acceptor(threading.Thread):
    """Accepts until `stop`. ``offer`` hands a socket on; while it is full, nothing is accepted."""

    def __init__(
        self, listeners: list[socket.socket], offer: Offer, settings: EdgeSettings
    ) -> None:
        super().__init__(name="acceptor", daemon=True)
        self._listeners = listeners
        self._offer = offer
        self._settings = settings
        self._waker = Waker()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Stop accepting and close the listening sockets. Blocks for the thread's end."""
        self._stopping.set()
        self._waker.wake()
        if self.ident is not None:
            self.join()
        self._waker.close()
        for listener in self._listeners:
            listener.close()

    def run(self) -> None:
        """The thread."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._waker, selectors.EVENT_READ)
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ, listener)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.data is not None:
                        self._accept_some(key.data)

    def _accept_some(self, listener: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as wrong:
                if wrong.errno in _EXHAUSTED:
                    self._pause(wrong)
                    return
                continue  # that peer has gone already
            self._pass_on(sock, str(address[0]))
            if self._stopping.is_set():
                return

    def _pause(self, wrong: OSError) -> None:
        seconds = self._settings.accept_pause_seconds
        _log.error(
            "cannot accept connections: %s; trying again in %g s. Those that stand are served; "
            "raise the limit of open files if this repeats.",
            (wrong.strerror or "out of resources").lower(),
            seconds,
        )
        self._stopping.wait(seconds)

    def _pass_on(self, sock: socket.socket, peer: str) -> None:
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()  # it was reset between accept and here
            return
        while not self._stopping.is_set():
            with suppress(queue.Full):
                self._offer(sock, peer)
                return
        sock.close()


def listen(host: str, port: int, settings: EdgeSettings) -> list[socket.socket]:
    """Listening sockets on every address of ``host`` (empty: all of this machine), one port.

    Port 0 takes a free one. Raises `ListenFailed`.
    """
    listeners: list[socket.socket] = []
    failure: OSError | None = None
    try:
        for family, place in _places(host, port):
            chosen = listeners[0].getsockname()[1] if listeners else port
            try:
                listeners.append(_listener(family, (place[0], chosen, *place[2:]), settings))
            except OSError as wrong:
                failure = wrong
                if wrong.errno not in _NO_SUCH_FAMILY:
                    break
                failure = failure if not listeners else None
    except (OSError, UnicodeError) as wrong:
        failure = wrong if isinstance(wrong, OSError) else OSError(str(wrong))
    if listeners and (failure is None or failure.errno in _NO_SUCH_FAMILY):
        return listeners
    for listener in listeners:
        listener.close()
    shown = f"{host or '*'}:{port}"
    raise ListenFailed(address=shown, reason=_reason(failure)) from None


def _places(host: str, port: int) -> list[tuple[int, _Place]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    places = {(int(family), place): None for family, _, _, _, place in found}
    return sorted(places, key=lambda item: item[0] == socket.AF_INET6)  # IPv4 first


def _listener(family: int, place: _Place, settings: EdgeSettings) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where REUSEADDR means sharing
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        listener.listen(settings.backlog)
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener


def _reason(failure: OSError | None) -> str:
    if failure is None:
        return "it has no address"
    if isinstance(failure, socket.gaierror):
        return "this name is not known here"
    known = {
        errno.EADDRINUSE: "another program listens there; choose another port",
        errno.EACCES: "that is not permitted; choose a port above 1023",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
    }
    return known.get(failure.errno or 0, (failure.strerror or str(failure)).lower())
