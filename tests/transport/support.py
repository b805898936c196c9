"""Certificates, a small core and raw peers for the tests of the transport."""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from secure_chat.client.link import Endpoint
from secure_chat.errors import Code
from secure_chat.protocol.frames import Frame, FrameDecoder, encode_frame
from secure_chat.protocol.invite import Pin, ServerAddress
from secure_chat.protocol.messages import (
    Bye,
    Delivery,
    Hello,
    List,
    Ok,
    Ping,
    Pm,
    Pong,
    decode_client_header,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import Challenge, ServerId
from secure_chat.server.interfaces import Connection, Loop
from secure_chat.server.net.server import NetServer
from secure_chat.server.net.settings import EdgeSettings
from secure_chat.tls import server_context, spki_pin

SERVER_ID = ServerId(b"S" * 16)
HELLO = encode_header(Hello([1], [], SERVER_ID, Challenge(b"C" * 32), "open", 0))
PING = encode_frame(encode_header(Ping()))
LIST = encode_frame(encode_header(List(1)))
DAY = dt.timedelta(days=1)


class Authority:
    """A CA that makes certificates of every kind, good and bad."""

    def __init__(self, name: str = "Test CA") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = (
            _builder(self.name, self.name, self.key.public_key(), 0, 3650)
            .add_extension(usage, critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def write(self, folder: Path) -> Path:
        path = folder / "ca.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path

    def issue(
        self,
        folder: Path,
        *,
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        starts: float = -1,
        days: float = 30,
        purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
        common_name: str = "server",
    ) -> "Identity":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self.name, key.public_key(), starts, days).add_extension(
            x509.ExtendedKeyUsage([purpose]), critical=False
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]),
                critical=False,
            )
        certificate = builder.sign(self.key, hashes.SHA256())
        folder.mkdir(exist_ok=True)
        identity = Identity(folder / "cert.pem", folder / "key.pem", spki_pin(certificate))
        identity.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        identity.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return identity


class Identity:
    """The files of a server's certificate and key, and its pin."""

    def __init__(self, cert: Path, key: Path, pin: Pin) -> None:
        self.cert = cert
        self.key = key
        self.pin = pin

    def context(self) -> SSL.Context:
        return server_context(self.cert, self.key)


class Changing:
    """What a server presents, until it is given something else."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def context(self) -> SSL.Context:
        return self.identity.context()


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    starts: float,
    days: float,
) -> x509.CertificateBuilder:
    start = dt.datetime.now(dt.UTC) + starts * DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + days * DAY)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class EchoCore:
    """Greets; `ping` gets `pong`, `list` logs in and gets `ok`, `pm` comes back."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.open: list[Connection] = []
        self.exporters: list[bytes] = []
        self.closed_count = 0
        self.received_frames: list[Frame] = []
        self.ticks = 0
        self.drained = threading.Event()
        self.threads: set[int] = set()

    def opened(self, connection: Connection, now: float) -> None:
        self.threads.add(threading.get_ident())
        self.open.append(connection)
        self.exporters.append(connection.exporter)
        connection.send(encode_frame(HELLO))

    def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
        assert connection in self.open, "frames of a connection that is closed or was never opened"
        self.threads.add(threading.get_ident())
        self.received_frames += frames
        for frame in frames:
            message = decode_client_header(frame.header)
            if isinstance(message, Ping):
                connection.send(encode_frame(encode_header(Pong())))
            elif isinstance(message, List):
                connection.logged_in()
                connection.send(encode_frame(encode_header(Ok(message.ref))))
            elif isinstance(message, Pm):
                connection.send(encode_frame(encode_header(Delivery(message.id)), frame.body))

    def closed(self, connection: Connection, now: float) -> None:
        self.threads.add(threading.get_ident())
        self.open.remove(connection)
        self.closed_count += 1

    def tick(self, now: float) -> None:
        self.ticks += 1

    def drain(self, now: float) -> None:
        self.drained.set()
        for connection in list(self.open):
            connection.close(Code.SHUTTING_DOWN)


class Running:
    """A server with its core."""

    def __init__(self, server: NetServer, core: EchoCore, identity: Identity) -> None:
        self.server = server
        self.core = core
        self.identity = identity
        self.address = ("127.0.0.1", server.port)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(ServerAddress(*self.address), SERVER_ID, (self.identity.pin,))

    def on_loop(self, call: Callable[[], object]) -> None:
        """Run ``call`` on the I/O thread and wait until it is done."""
        done = threading.Event()
        self.server.call_soon(lambda: (call(), done.set())[1])  # type: ignore[func-returns-value]
        assert done.wait(5)


@contextlib.contextmanager
def serving(
    identity: Identity,
    settings: EdgeSettings | None = None,
    core: Callable[[Loop], EchoCore] = EchoCore,
) -> Iterator[Running]:
    """A running server, stopped at the end."""
    server = NetServer(("127.0.0.1", 0), identity.context, core, settings)
    server.start()
    try:
        assert isinstance(server.core, EchoCore)
        yield Running(server, server.core, identity)
        assert server.is_serving, "a thread of the server has died"
    finally:
        server.stop()


class RawClient:
    """A TLS client from the standard library, which knows nothing of secure_chat's own code."""

    def __init__(
        self, address: tuple[str, int], *, receive_buffer: int | None = None, source: str = ""
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the server is under test here, not this client
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(10)
        try:
            if source:
                plain.bind((source, 0))
            plain.connect(address)
            self.sock = context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise
        self._decoder = FrameDecoder()
        self._decoder.logged_in()
        self._frames: list[Frame] = []

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def frame(self) -> Frame | None:
        """The next frame; None when the server has ended the connection properly."""
        while not self._frames:
            data = self.sock.recv(65_536)
            if not data:
                return None
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def bye(self) -> Bye | None:
        """Read on to the end; what the server said last."""
        last: Frame | None = None
        while (frame := self.frame()) is not None:
            last = frame
        message = decode_server_header(last.header) if last is not None else None
        return message if isinstance(message, Bye) else None

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Impostor:
    """A TLS server of somebody else that records every application byte it is sent."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.port = int(self._listener.getsockname()[1])
        self.handshakes = 0
        self.attempts = 0
        self.application_bytes = b""
        self._stopping = threading.Event()
        self._current: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._current is not None:
            with contextlib.suppress(OSError):  # gone already, as it should be
                self._current.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            with sock:
                self._current = sock
                sock.settimeout(None)
                self._serve(sock)
            self.attempts += 1

    def _serve(self, sock: socket.socket) -> None:
        connection = SSL.Connection(self._identity.context(), sock)
        connection.set_accept_state()
        try:
            connection.do_handshake()
            self.handshakes += 1
            connection.send(encode_frame(HELLO))
            while data := connection.recv(65_536):
                self.application_bytes += data
        except SSL.Error:
            return


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a condition holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.005)
