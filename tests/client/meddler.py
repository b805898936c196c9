"""A hostile server: the real one, with its hands on every frame between it and the clients."""

from collections.abc import Callable

from secure_chat.errors import Code
from secure_chat.protocol.frames import Frame, FrameDecoder, encode_frame
from secure_chat.protocol.messages import (
    ClientMessage,
    Delivery,
    KeysPut,
    Login,
    Register,
    ServerMessage,
    decode_client_header,
    decode_server_header,
    encode_header,
)
from secure_chat.server.interfaces import Connection, Core

Said = tuple[ServerMessage, bytes]
Asked = tuple[ClientMessage, bytes]


class Meddler:
    """What a test wants done to the traffic, and what it has seen."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.asked: list[Asked] = []
        self.puts: dict[str, list[KeysPut]] = {}  # by account
        # Both may return other messages, or none; they run on the server's own thread.
        self.answer: Callable[[ServerMessage, bytes], list[Said]] = lambda m, b: [(m, b)]
        self.request: Callable[[ClientMessage, bytes], list[Said] | None] = lambda m, b: None
        self._open: list[_Meddled] = []

    @property
    def deliveries(self) -> list[tuple[Delivery, bytes]]:
        return [(m, b) for m, b in self.said if isinstance(m, Delivery)]

    def around(self, core: Core) -> Core:
        return _MeddlingCore(core, self)

    def opened(self, connection: "_Meddled") -> None:
        self._open.append(connection)

    def closed(self, connection: "_Meddled") -> None:
        self._open.remove(connection)

    def push(self, message: ServerMessage, body: bytes = b"") -> None:
        """Say something to everybody who is connected; call it on the server's thread."""
        for connection in self._open:
            connection.say(message, body)


class _Meddled:
    """A connection as the core sees it."""

    def __init__(self, real: Connection, meddler: Meddler) -> None:
        self._real = real
        self._meddler = meddler
        self._name = ""
        self._decoder = FrameDecoder()
        self._decoder.logged_in()

    @property
    def exporter(self) -> bytes:
        return self._real.exporter

    @property
    def peer(self) -> str:
        return self._real.peer

    @property
    def buffered(self) -> int:
        return self._real.buffered

    def send(self, frame: bytes) -> None:
        for part in self._decoder.feed(frame):
            message = decode_server_header(part.header)
            self._meddler.said.append((message, part.body))
            for changed, body in self._meddler.answer(message, part.body):
                self.say(changed, body)

    def say(self, message: ServerMessage, body: bytes) -> None:
        self._real.send(encode_frame(encode_header(message), body))

    def heard(self, frame: Frame) -> bool:
        """Whether the real server may hear it."""
        message = decode_client_header(frame.header)
        self._meddler.asked.append((message, frame.body))
        if isinstance(message, Register | Login):
            self._name = message.user_id
        elif isinstance(message, KeysPut):
            self._meddler.puts.setdefault(self._name, []).append(message)
        instead = self._meddler.request(message, frame.body)
        for answer, body in instead or []:
            self.say(answer, body)
        return instead is None

    def logged_in(self) -> None:
        self._real.logged_in()

    def close(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        self._real.close(code, message, retry_after)


class _MeddlingCore:
    def __init__(self, core: Core, meddler: Meddler) -> None:
        self._core = core
        self._meddler = meddler
        self._wrapped: dict[Connection, _Meddled] = {}

    def opened(self, connection: Connection, now: float) -> None:
        wrapped = self._wrapped[connection] = _Meddled(connection, self._meddler)
        self._meddler.opened(wrapped)
        self._core.opened(wrapped, now)

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        wrapped = self._wrapped[connection]
        passed = [frame for frame in frames if wrapped.heard(frame)]
        self._core.received(wrapped, passed, now)

    def closed(self, connection: Connection, now: float) -> None:
        wrapped = self._wrapped.pop(connection)
        self._meddler.closed(wrapped)
        self._core.closed(wrapped, now)

    def tick(self, now: float) -> None:
        self._core.tick(now)

    def drain(self, now: float) -> None:
        self._core.drain(now)
