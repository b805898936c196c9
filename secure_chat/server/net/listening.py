"""Listening sockets, on every address that a name has."""

import errno
import socket
from typing import Any

from secure_chat.errors import ListenFailed
from secure_chat.server.net.settings import EdgeSettings

_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}

_Place = tuple[Any, ...]  # as in the socket module: host, port, and two numbers more for IPv6


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
