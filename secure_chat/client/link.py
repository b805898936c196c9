"""The client's end of a connection: connect, verify, greet, then frames both ways.

Nothing is sent before the server's key has been verified, and every connection verifies it anew.
A link belongs to one thread; only `Link.wake` may be called from others.
"""

import errno
import os
import queue
import selectors
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec import Struct
from OpenSSL import SSL

from secure_chat import tls
from secure_chat.channel import Channel
from secure_chat.errors import (
    CertificateRefused,
    Code,
    ConnectCancelled,
    ConnectFailed,
    ConnectionLost,
    ProtocolError,
    Reason,
    Refused,
    SecureChatError,
    WrongServer,
)
from secure_chat.protocol.frames import BrokenStream, Frame, FrameDecoder, encode_frame
from secure_chat.protocol.invite import Pin, ServerAddress
from secure_chat.protocol.messages import (
    Bye,
    Hello,
    Message,
    ServerMessage,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import ServerId
from secure_chat.wake import Waker

_LOOK = 0.05  # seconds between looks at whether the wait was cancelled
_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE
_READS = 64  # records taken in one go

_Place = tuple[socket.AddressFamily, tuple[Any, ...]]


class Endpoint(Struct, frozen=True):
    """A server and how it is known.

    With pins exactly those keys are trusted; without them a chain to ``ca_file`` (None: the
    authorities of the system), the host's name and the dates. There is no third way.
    """

    server: ServerAddress
    server_id: ServerId | None = None
    pins: tuple[Pin, ...] = ()
    ca_file: Path | None = None


def never() -> bool:
    """The answer of a wait that nobody cancels."""
    return False


def connect(endpoint: Endpoint, *, timeout: float, cancelled: Callable[[], bool] = never) -> "Link":
    """Connect, verify the server, receive its greeting.

    ``timeout`` is seconds for all of it; ``cancelled`` is asked every 0.05 s. Raises
    `ConnectFailed`, `CertificateRefused`, `WrongServer`, `ConnectCancelled`, `Refused` (the
    server said why it does not want to), `ProtocolError`, `BadCertificateFile`.
    """
    context = tls.client_context(endpoint.server.host, endpoint.pins, endpoint.ca_file)
    attempt = _Attempt(endpoint.server, timeout, cancelled)
    sock = attempt.open_socket()
    try:
        connection = SSL.Connection(context, sock)
        channel = attempt.handshake(connection, sock)
        if endpoint.pins:  # the callback has done it; a second look costs nothing
            certificate = connection.get_peer_certificate(as_cryptography=True)
            if certificate is None:
                raise CertificateRefused(server=endpoint.server, reason="it shows no certificate")
            tls.require_pin(endpoint.server, certificate, endpoint.pins)
        link = Link(channel, connection)
    except BaseException:
        sock.close()
        raise
    try:
        attempt.greet(link, endpoint.server_id)
    except BaseException:
        link.close()
        raise
    return link


class Link:
    """One verified connection; `connect` makes it.

    ``exporter`` is the channel binding (RFC 9266), ``group`` the key exchange, such as
    ``X25519MLKEM768``, ``pin`` that of the server's key, ``hello_bytes`` the header of the greeting
    as it came, which a login signs.
    """

    hello: Hello
    hello_bytes: bytes

    def __init__(self, channel: Channel, connection: SSL.Connection) -> None:
        self.exporter = tls.exporter(connection)
        self.group = tls.group(connection)
        self.pin = tls.peer_pin(connection)
        self.tls_version = connection.get_protocol_version_name()
        self._channel = channel
        self._decoder = FrameDecoder()
        self._frames: list[Frame] = []  # arrived and not yet handed out
        self._queue: list[bytes] = []  # to be sent
        self._chunk: bytes | memoryview = b""  # being sent
        self._ending: SecureChatError | None = None  # raised once all that came before is read
        self._more = False  # the last look at the socket did not take all
        self._interest = _READ
        self._waker = Waker()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._waker, _READ)
        self._selector.register(channel, _READ, channel)

    def send(self, message: Message, body: bytes = b"") -> None:
        """Queue a message; it leaves in the next `wait`. Raises `ProtocolError` if too large."""
        self._queue.append(encode_frame(encode_header(message), body))

    def logged_in(self) -> None:
        """Allow frames of the size after login."""
        self._decoder.logged_in()

    def wait(self, timeout: float) -> list[tuple[ServerMessage, bytes]]:
        """Send what is queued; return the messages and bodies that arrive, in order.

        Returns after ``timeout`` seconds at the latest, and early, perhaps with nothing, after
        `wake`. A ``bye`` is a message like the others. Raises `ConnectionLost` and
        `ProtocolError`, but only after all that came before has been returned.
        """
        deadline = time.monotonic() + timeout
        while not self._frames and self._ending is None:
            remaining = deadline - time.monotonic()
            if self.exchange(max(0.0, remaining)) or remaining <= 0:
                break
        return self._messages()

    def wake(self) -> None:
        """Make a `wait` return now, or the next one. Thread-safe."""
        self._waker.wake()

    def close(self) -> None:
        """Tell the server that nothing follows, and release everything. Never waits."""
        self._selector.close()
        self._channel.close()
        self._waker.close()

    def exchange(self, timeout: float) -> bool:
        """Write, wait for the socket, read; True if it was `wake` that ended the wait."""
        self._flush()
        woken = False
        readable = self._ending is not None
        for key, mask in self._selector.select(0 if self._more or self._ending else timeout):
            if key.data is None:
                self._waker.clear()
                woken = True
            else:
                readable = readable or bool(mask & _READ)
        if readable or self._more:
            self._receive()
        return woken

    def take_frame(self) -> Frame | None:
        """The first frame that has arrived; raises what ended the connection after the last."""
        if self._frames:
            return self._frames.pop(0)
        if self._ending is not None:
            raise self._ending
        return None

    def _messages(self) -> list[tuple[ServerMessage, bytes]]:
        if not self._frames and self._ending is not None:
            raise self._ending
        frames, self._frames = self._frames, []
        messages: list[tuple[ServerMessage, bytes]] = []
        for frame in frames:
            try:
                messages.append((decode_server_header(frame.header), frame.body))
            except ProtocolError as wrong:
                self._ending = wrong
                if not messages:
                    raise
                break
        return messages

    def _receive(self) -> None:
        self._more = False
        try:
            for _ in range(_READS):
                data = self._channel.receive()
                if not data:
                    return
                self._frames += self._decoder.feed(data)
            self._more = True
        except ConnectionLost as lost:
            self._ending = self._ending or self._lost(lost)
        except BrokenStream as wrong:
            self._frames += wrong.frames
            self._ending = wrong

    def _lost(self, lost: ConnectionLost) -> ConnectionLost:
        if self._decoder.holds_partial_frame:  # truncated: the part is never processed
            return ConnectionLost(reason=Reason("{reason}, within a message", **lost.facts))
        return lost

    def _flush(self) -> None:
        try:
            while self._chunk or self._queue:
                if not self._chunk:
                    self._chunk = b"".join(self._queue)
                    self._queue.clear()
                sent = self._channel.send(self._chunk)
                if not sent:
                    break
                self._chunk = memoryview(self._chunk)[sent:] if sent < len(self._chunk) else b""
        except ConnectionLost as lost:
            self._chunk = b""
            self._ending = lost  # what the server said last may still be read
            return
        interest = _READ | _WRITE if self._chunk else _READ
        if interest != self._interest:
            self._interest = interest
            self._selector.modify(self._channel, interest, self._channel)


class _Attempt:
    """The steps of `connect`, each within the time that is left and cancellable."""

    def __init__(
        self, server: ServerAddress, timeout: float, cancelled: Callable[[], bool]
    ) -> None:
        self._server = server
        self._deadline = time.monotonic() + timeout
        self._cancelled = cancelled

    def open_socket(self) -> socket.socket:
        """A connected, non-blocking socket to the first of the server's addresses that answers."""
        places = self._resolve()
        failure = self._failed("it has no address")
        for number, place in enumerate(places):
            left = (self._deadline - time.monotonic()) / (len(places) - number)
            sock = socket.socket(place[0], socket.SOCK_STREAM)
            try:
                self._connect(sock, place, time.monotonic() + left)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as wrong:
                sock.close()
                failure = self._failed(_reason(wrong))
            except ConnectFailed as wrong:
                sock.close()
                failure = wrong
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def handshake(self, connection: SSL.Connection, sock: socket.socket) -> Channel:
        """The TLS handshake; the verify callback of the context decides about the server."""
        host = self._server.host
        if not _is_address(host):
            connection.set_tlsext_host_name(tls.dns_name(host))
        connection.set_connect_state()
        channel = Channel(connection, sock)
        try:
            while event := channel.handshake():
                self._wait(sock, event, self._deadline)
        except ConnectionLost as lost:
            raise self._failed(f"the TLS handshake failed: {lost.facts['reason']}") from None
        return channel

    def greet(self, link: Link, server_id: ServerId | None) -> None:
        """Receive the greeting and check who sends it."""
        try:
            while (frame := link.take_frame()) is None:
                self._check(self._deadline)
                link.exchange(_LOOK)
        except ConnectionLost as lost:
            raise self._failed(f"no greeting came: {lost.facts['reason']}") from None
        message = decode_server_header(frame.header)
        if isinstance(message, Bye):
            raise Refused(message.code, message.message, message.retry_after)
        if not isinstance(message, Hello):
            raise ProtocolError(Code.BAD_FIELD, "The server did not begin with its greeting.")
        if server_id is not None and message.server_id != server_id:
            raise WrongServer(
                server=self._server, found=message.server_id.hex(), expected=server_id.hex()
            )
        link.hello = message
        link.hello_bytes = frame.header

    def _resolve(self) -> list[_Place]:
        """Look the name up. The system's call cannot be cancelled, so a thread is left to it."""
        found: queue.SimpleQueue[list[_Place] | OSError] = queue.SimpleQueue()
        server = self._server
        if _is_address(server.host):
            _look_up(server, found)
        else:
            threading.Thread(
                target=_look_up, args=(server, found), name="name look-up", daemon=True
            ).start()
        while True:
            self._check(self._deadline)
            try:
                answer = found.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if isinstance(answer, OSError):
                raise self._failed(_reason(answer))
            return answer

    def _connect(self, sock: socket.socket, place: _Place, deadline: float) -> None:
        sock.settimeout(0)
        code = sock.connect_ex(place[1])
        if code in _UNDER_WAY:
            self._wait(sock, _WRITE, deadline)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, errno.errorcode.get(code, ""))

    def _wait(self, sock: socket.socket, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, event)
            while not selector.select(_LOOK):
                self._check(deadline)
        self._check(deadline)

    def _check(self, deadline: float) -> None:
        if self._cancelled():
            raise ConnectCancelled(server=self._server)
        if time.monotonic() >= deadline:
            raise self._failed("no answer came in time")

    def _failed(self, reason: str) -> ConnectFailed:
        return ConnectFailed(server=self._server, reason=reason)


_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY}


def _look_up(server: ServerAddress, found: "queue.SimpleQueue[list[_Place] | OSError]") -> None:
    try:
        answers = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    except OSError as wrong:
        found.put(wrong)
    except (UnicodeError, OverflowError):  # a name or a port that cannot exist
        found.put(socket.gaierror(socket.EAI_NONAME, "not a name"))
    else:
        found.put([(family, place) for family, _, _, _, place in answers])


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _reason(wrong: OSError) -> str:
    if isinstance(wrong, socket.gaierror):
        if wrong.errno == socket.EAI_AGAIN:
            return "its name cannot be looked up now; is this machine on the network?"
        return "its name is not known"
    return _REASONS.get(wrong.errno or 0) or os.strerror(wrong.errno or 0).lower()


_REASONS = {
    errno.ECONNREFUSED: "nothing listens there",
    errno.ETIMEDOUT: "no answer came",
    errno.EHOSTUNREACH: "it cannot be reached from here",
    errno.ENETUNREACH: "it cannot be reached from here; is this machine on the network?",
    errno.ECONNRESET: "it cut the connection",
}
