"""One TLS connection as a test holds it: frames when it behaves, any bytes when it does not.

Written apart from the product's own transport, so that a mistake there cannot hide itself here.
"""

import contextlib
import selectors
import socket
import struct
import time
from typing import NamedTuple, Self, TypeVar

from OpenSSL import SSL

from secure_chat.errors import Code
from secure_chat.protocol import messages
from secure_chat.protocol.frames import FrameDecoder, encode_frame
from secure_chat.protocol.messages import Message, ServerMessage, decode_server_header
from secure_chat.protocol.signing import EXPORTER_LABEL, EXPORTER_SIZE

_M = TypeVar("_M", bound=Message)
_UNASKED = (messages.Presence, messages.KeysLow, messages.Pong)


class ClosedByServer(AssertionError):
    """The connection ended; ``code`` is what the last ``bye`` or ``error`` said."""

    def __init__(self, code: Code | None) -> None:
        self.code = code
        super().__init__(f"the server closed the connection: {code}")


class Received(NamedTuple):
    """A frame that arrived."""

    message: ServerMessage
    body: bytes


class Wire:
    """A connected client end. With ``greet`` the greeting has been received already."""

    def __init__(
        self,
        port: int,
        *,
        greet: bool = True,
        timeout: float = 15.0,
        receive_buffer: int = 0,
        source: str = "",
    ) -> None:
        self.timeout = timeout
        self.last_code: Code | None = None
        self.hello_bytes = b""
        self.hello: messages.Hello
        self._frames = FrameDecoder()
        self._arrived: list[Received] = []
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self._socket.settimeout(timeout)
            if source:
                self._socket.bind((source, 0))
            self._socket.connect(("127.0.0.1", port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)  # noqa: FBT003
            self._tls = self._handshake()
            if greet:
                self.expect_hello()
        except BaseException:
            self._socket.close()
            raise

    def _handshake(self) -> SSL.Connection:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        # A scripted client talks to a server that the test itself started.
        context.set_verify(SSL.VERIFY_NONE)
        tls = SSL.Connection(context, self._socket)
        tls.set_connect_state()
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                tls.do_handshake()
            except SSL.WantReadError:
                self._ready(deadline)
            except SSL.WantWriteError:
                self._ready(deadline, write=True)
            except SSL.Error:
                raise ClosedByServer(None) from None
            else:
                return tls

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def exporter(self) -> bytes:
        """RFC 9266 channel binding."""
        return self._tls.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")

    @property
    def group(self) -> str:
        """The negotiated key exchange."""
        return self._tls.get_group_name() or ""

    def fileno(self) -> int:
        return self._socket.fileno()

    # ------------------------------------------------------------ sending

    def send_raw(self, data: bytes) -> None:
        """Any bytes inside TLS. Raises `ClosedByServer` when the server has hung up."""
        view = memoryview(data)
        deadline = time.monotonic() + self.timeout
        while view:
            try:
                view = view[self._tls.send(view[:16384]) :]
            except SSL.WantWriteError:
                self._ready(deadline, write=True)
            except SSL.WantReadError:
                self._ready(deadline)
            except SSL.Error:
                self._drain()
                raise ClosedByServer(self.last_code) from None

    def send_header(self, header: bytes, body: bytes = b"") -> None:
        """A frame with any header; lengths are right."""
        self.send_raw(
            struct.pack(">IH", 2 + len(header) + len(body), len(header) & 0xFFFF) + header + body
        )

    def send(self, message: Message, body: bytes = b"") -> None:
        """A well-formed frame."""
        self.send_raw(encode_frame(messages.encode_header(message), body))

    # ------------------------------------------------------------ receiving

    def receive(self, timeout: float | None = None) -> Received:
        """The next frame. AssertionError in time, `ClosedByServer` at the end."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self._arrived:
            self._read(deadline)
        return self._arrived.pop(0)

    def expect(self, kind: type[_M], timeout: float | None = None) -> _M:
        """The next frame that was asked for, which must be of ``kind``."""
        return self.expect_frame(kind, timeout)[0]

    def expect_frame(self, kind: type[_M], timeout: float | None = None) -> tuple[_M, bytes]:
        """As `expect`, with the body. Presence, stock and pong are passed over unless asked for."""
        while True:
            message, body = self.receive(timeout)
            if isinstance(message, kind):
                return message, body
            if not isinstance(message, _UNASKED):
                raise AssertionError(f"expected {kind.__name__}, got {message}")

    def expect_hello(self) -> messages.Hello:
        """The greeting; its bytes are kept, since every proof signs them."""
        self.hello = self.expect(messages.Hello)
        return self.hello

    def expect_error(self, code: Code) -> messages.Error:
        """The next answer is this refusal."""
        error = self.expect(messages.Error)
        assert error.code is code, f"expected {code}, got {error}"
        return error

    def expect_closed(self, timeout: float | None = None) -> Code | None:
        """Read to the end; the code that the server gave last."""
        try:
            while True:
                message = self.receive(timeout).message
                if isinstance(message, messages.Bye | messages.Error):
                    self.last_code = message.code
        except ClosedByServer:
            return self.last_code

    def all_now(self, quiet: float = 0.3) -> list[Received]:
        """Everything that arrives until nothing has come for ``quiet`` seconds."""
        found: list[Received] = []
        with contextlib.suppress(TimeoutError, ClosedByServer):
            while True:
                found.append(self.receive(quiet))
        return found

    def poll(self) -> list[Received]:
        """What has arrived by now, without waiting. `ClosedByServer` once all was returned."""
        try:
            while True:
                self._read(time.monotonic())
        except TimeoutError:
            pass
        except ClosedByServer:
            if not self._arrived:
                raise
        found, self._arrived = self._arrived, []
        return found

    def logged_in(self) -> None:
        """Frames may be larger from now on."""
        self._frames.logged_in()

    # ------------------------------------------------------------ ending

    def close(self) -> None:
        """Close as a decent client does."""
        with contextlib.suppress(SSL.Error):
            self._tls.shutdown()
        self._socket.close()

    def cut(self) -> None:
        """FIN without the end of TLS: a truncation."""
        self._socket.close()

    def reset(self) -> None:
        """RST, as a crashed machine answers."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    # ------------------------------------------------------------ inside

    def _ready(self, deadline: float, *, write: bool = False) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server did not answer in time")
        # no select(): it takes no descriptor above 1,023, and a crowd has thousands
        with selectors.DefaultSelector() as selector:
            selector.register(
                self._socket, selectors.EVENT_WRITE if write else selectors.EVENT_READ
            )
            selector.select(min(left, 1.0))

    def _read(self, deadline: float) -> None:
        try:
            data = self._tls.recv(65536)
        except SSL.WantReadError:
            self._ready(deadline)
            return
        except SSL.Error:
            raise ClosedByServer(self.last_code) from None
        for frame in self._frames.feed(data):
            message = decode_server_header(frame.header)
            if isinstance(message, messages.Hello):
                self.hello_bytes = frame.header
            if isinstance(message, messages.Bye):
                self.last_code = message.code
            self._arrived.append(Received(message, frame.body))

    def _drain(self) -> None:
        """What the server said before it hung up."""
        with contextlib.suppress(ClosedByServer, TimeoutError):
            while True:
                self._read(time.monotonic() + 1.0)
