"""What an operator may set about connections, with defaults that hold against attacks."""

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
    connections: int = 20_000  # in all; one more is told that the server is busy
    connections_per_address: int = 10_000  # likewise
    backlog: int = 1_024  # of the listening socket, and accepted sockets that wait for a thread
    slow_buffer: int = 256 * limits.KIB  # waiting for a peer that does not read fast enough
    slow_seconds: float = 10.0  # how long it may stay above that ...
    slow_progress: int = 64 * limits.KIB  # ... while it takes less than this
    stalled_seconds: float = 30.0  # how long a peer may take nothing at all of what waits for it
    unread_seconds: float = 60.0  # the same for what the system holds, where it can watch that
    largest_buffer: int = 20 * limits.KIB * limits.KIB  # above all that may be unacknowledged
    linger_seconds: float = 2.0  # for what was said last to reach the peer
    drain_seconds: float = 5.0  # for the core to finish when the server stops
    accept_pause_seconds: float = 0.5  # after the system ran out of descriptors or memory
