"""A server that lies. The product's own core serves behind a script that may change every frame.

So a lie is one small function, and all else is as a client expects: real TLS, real logins, real
mailboxes. The script sees each decoded message on its way, and may drop, change, repeat, reorder
or invent.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, Self

from OpenSSL import SSL

from secure_chat import tls
from secure_chat.errors import Code
from secure_chat.protocol import messages
from secure_chat.protocol.frames import Frame, FrameDecoder, encode_frame
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.limits import FRAME_AFTER_LOGIN
from secure_chat.protocol.messages import ClientMessage, ServerMessage
from secure_chat.server.certificates import CertificateFiles, generate
from secure_chat.server.core.hub import Hub
from secure_chat.server.core.settings import Settings
from secure_chat.server.interfaces import Connection, Core, Loop
from secure_chat.server.net.server import NetServer
from secure_chat.server.store import Store


class Sent(NamedTuple):
    """A frame to a client: to whom (empty before login), the message and the opaque body."""

    to: str
    message: ServerMessage
    body: bytes


class Heard(NamedTuple):
    """A frame from a client."""

    sender: str
    message: ClientMessage
    body: bytes


Lie = Callable[[Sent], Iterable[Sent]]
Instead = Callable[[Heard], Iterable[Sent] | None]


def attentive(heard: Heard) -> None:
    """The core hears everything."""


def honest(sent: Sent) -> Iterable[Sent]:
    """No lie at all."""
    return (sent,)


class _Tapped:
    """A `Connection` between the core and the real one."""

    def __init__(self, real: Connection, script: "_Script") -> None:
        self._real = real
        self._script = script
        self.user_id = ""

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
        for header, body in FrameDecoder(FRAME_AFTER_LOGIN).feed(frame):
            message = messages.decode_server_header(header)
            if isinstance(message, messages.Welcome):
                self.user_id = message.user_id
                self._script.clients[self.user_id] = self
            sent = Sent(self.user_id, message, body)
            self._script.sent.append(sent)
            for changed in self._script.lie(sent):
                self.put(changed)

    def put(self, sent: Sent) -> None:
        """Past the script."""
        self._real.send(encode_frame(messages.encode_header(sent.message), sent.body))

    def logged_in(self) -> None:
        self._real.logged_in()

    def close(self, code: Code, message: str = "", retry_after: float | None = None) -> None:
        self._real.close(code, message, retry_after)


class _Script:
    """The core that the network server sees. Runs on the I/O thread, as the real one does."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._tapped: dict[int, _Tapped] = {}
        self.lie: Lie = honest
        self.instead: Instead = attentive  # None: the core answers
        self.sent: list[Sent] = []
        self.heard: list[Heard] = []
        self.clients: dict[str, _Tapped] = {}

    def opened(self, connection: Connection, now: float) -> None:
        tapped = self._tapped[id(connection)] = _Tapped(connection, self)
        self._core.opened(tapped, now)

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        tapped = self._tapped[id(connection)]
        passed = [frame for frame in frames if not self._ignored(tapped, frame)]
        if passed:
            self._core.received(tapped, passed, now)

    def _ignored(self, tapped: _Tapped, frame: Frame) -> bool:
        heard = Heard(tapped.user_id, messages.decode_client_header(frame.header), frame.body)
        self.heard.append(heard)
        answers = self.instead(heard)
        for answer in answers or ():
            tapped.put(answer)
        return answers is not None

    def closed(self, connection: Connection, now: float) -> None:
        tapped = self._tapped.pop(id(connection))
        if self.clients.get(tapped.user_id) is tapped:
            del self.clients[tapped.user_id]
        self._core.closed(tapped, now)

    def tick(self, now: float) -> None:
        self._core.tick(now)

    def drain(self, now: float) -> None:
        self._core.drain(now)


class HostileServer:
    """Serves in this process, on a free port, with keys and a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._files = CertificateFiles(folder / "certs")
        if not self._files.key.exists():
            self.pin: Pin = generate(self._files.folder)
        self.store = Store.open(folder / "data")
        self._net = NetServer(("127.0.0.1", 0), self._context, self._make_core)
        self._net.start()

    def _context(self) -> SSL.Context:
        return tls.server_context(self._files.certificate, self._files.key)

    def _make_core(self, loop: Loop) -> Core:
        settings = Settings(registration="open")
        self.script = _Script(Hub(self.store, loop, settings))
        return self.script

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End connections and threads."""
        self._net.stop()
        self.store.close()

    @property
    def port(self) -> int:
        return self._net.port

    @property
    def link(self) -> InviteLink:
        """A link that pins this server's key."""
        address = ServerAddress("127.0.0.1", self.port)
        return InviteLink(address, self.store.server_id, (self.pin,))

    def sent(self, kind: type[messages.Message], to: str = "") -> list[Sent]:
        """What the core wanted to say, before any lie."""
        return [
            one
            for one in list(self.script.sent)
            if isinstance(one.message, kind) and (not to or one.to == to)
        ]

    def heard(self, kind: type[messages.Message], sender: str = "") -> list[Heard]:
        """What clients said."""
        return [
            one
            for one in list(self.script.heard)
            if isinstance(one.message, kind) and (not sender or one.sender == sender)
        ]

    def inject(self, sent: Sent, timeout: float = 10.0) -> None:
        """Send something of our own invention to a client that is connected."""
        done = threading.Event()

        def put() -> None:
            client = self.script.clients.get(sent.to)
            if client is not None:
                client.put(sent)
            done.set()

        deadline = time.monotonic() + timeout
        while sent.to not in self.script.clients:
            assert time.monotonic() < deadline, f"{sent.to} is not connected"
            time.sleep(0.01)
        self._net.call_soon(put)
        assert done.wait(timeout)
