"""What an operator may set about connections, with defaults that hold against attacks."""

from typing import Final

from msgspec import Struct

from secure_chat.protocol import limits


class EdgeSettings(Struct, frozen=True):
    """Sizes are bytes, times seconds. ``address`` means an IPv4 address or an IPv6 /64 network."""

    handshake_seconds: float = limits.HANDSHAKE_SECONDS
    handshakes: int = 4_096  # under way at once; one more ends the oldest
    handshakes_per_address: int = 512
    login_seconds: float = limits.LOGIN_SECONDS
    strangers: int = 4_096  # past the handshake and not logged in; one more ends the oldest
    strangers_per_address: int = 512
    connections: int = 10_000  # in all (a setting); one more is told that the server is busy
    connections_per_address: int = 10_000  # likewise
    backlog: int = 1_024  # of the listening socket, and accepted sockets that wait for a thread
    slow_buffer: int = 256 * limits.KIB  # waiting for a peer that does not read fast enough
    slow_seconds: float = 10.0  # how long it may stay above that ...
    slow_progress: int = 64 * limits.KIB  # ... while it takes less than this
    slow_total: int = 256 * limits.MIB  # for all of them; above it those with the most go first
    stalled_seconds: float = 30.0  # how long a peer may take nothing at all of what waits for it
    unread_seconds: float = 60.0  # the same for what the system holds, where it can watch that
    largest_buffer: int = 20 * limits.KIB * limits.KIB  # above all that may be unacknowledged
    linger_seconds: float = 2.0  # for what was said last to reach the peer
    drain_seconds: float = 5.0  # for the core to finish when the server stops
    accept_pause_seconds: float = 0.5  # after the system ran out of descriptors or memory


_OTHER_FILES: Final = 256  # the store's, users' files on their way, listeners, metrics
_FOR_HANDSHAKES: Final = 8  # a part of what is left, where not everything fits


def fitted(connections: int, open_files: int | None) -> EdgeSettings:
    """Settings for so many connections, or for as many as the limit on open files permits.

    A server that runs out of descriptors keeps newcomers waiting without a word; one that knows how
    many it can hold tells them that it is busy. ``open_files`` None: there is no limit.
    """
    plain = EdgeSettings(connections=connections)
    if open_files is None or open_files >= connections + plain.handshakes + _OTHER_FILES:
        return plain
    room = max(open_files - _OTHER_FILES, 2 * _FOR_HANDSHAKES)
    handshakes = min(plain.handshakes, room // _FOR_HANDSHAKES)
    most = min(connections, room - handshakes)
    return EdgeSettings(connections=most, handshakes=min(plain.handshakes, room - most))
