"""Attacks on the transport (rows 3 to 7); rows 1 and 2 are in test_link.py."""

import contextlib
import errno
import os
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from secure_chat import openssl
from secure_chat.client.link import Endpoint, connect
from secure_chat.errors import Code, ConnectionLost
from secure_chat.protocol.encoding import u32
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.invite import ServerAddress
from secure_chat.protocol.messages import Ping, Pong
from secure_chat.server.counters import Counters
from secure_chat.server.interfaces import Connection
from secure_chat.server.net.handshake import Handshakes
from secure_chat.server.net.opening import Opening
from secure_chat.server.net.settings import EdgeSettings
from tests.transport.handmade import HandMadeClient
from tests.transport.support import (
    LIST,
    PING,
    SERVER_ID,
    EchoCore,
    Identity,
    RawClient,
    Running,
    eventually,
    serving,
)

ROOT = Path(__file__).resolve().parents[2]
LINUX = sys.platform == "linux"
needs_proc = pytest.mark.skipif(not LINUX, reason="reads a process's memory from /proc")


def client_hello() -> bytes:
    """A genuine first flight of a TLS 1.3 client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def ends(sock: socket.socket) -> bytes:
    """Read until the other side ends the connection, which must happen within 5 s."""
    sock.settimeout(5)
    read = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65_536):
            read += data
    return read


# ---------------------------------------------------------------- 3: downgrade, plain text


def old_hello(version: int) -> bytes:
    """A ClientHello of an old version, with no extension that offers a newer one."""
    body = struct.pack(">H32sB", version, b"r" * 32, 0) + b"\x00\x04\xc0\x2f\x00\x2f\x01\x00"
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake


PLAIN = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a frame": PING,
    "zeros": bytes(512),
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"r" * 37,
    "SSL 3.0": old_hello(0x0300),
    "TLS 1.0": old_hello(0x0301),
    "TLS 1.1": old_hello(0x0302),
    "TLS 1.2": old_hello(0x0303),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_attack_3_plain_text_and_old_versions_are_closed(running: Running, kind: str) -> None:
    """Raw bytes and old hellos: at most an alert comes back, the core never hears of it."""
    with socket.create_connection(running.address) as sock:
        sock.sendall(PLAIN[kind])
        answer = ends(sock)
    assert len(answer) <= 7, "more than an alert was sent"
    assert answer[:1] in (b"", b"\x15")
    assert running.core.exporters == []


def test_attack_3_a_tls_1_2_client_is_refused(running: Running) -> None:
    """A client that cannot do TLS 1.3 gets an alert, not a weaker connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(running.address, timeout=5) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"),
    ):
        context.wrap_socket(plain)
    assert running.core.exporters == []


def test_attack_3_our_client_refuses_a_tls_1_2_server(identity: Identity) -> None:
    """A server that offers TLS 1.2 only gets no application byte from our client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    outcome: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            try:
                with context.wrap_socket(sock, server_side=True):
                    outcome.append("a connection of TLS 1.2 was made")
            except (ssl.SSLError, ConnectionError):
                outcome.append("refused")

        thread = threading.Thread(target=serve)
        thread.start()
        address = ServerAddress("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(Exception, match="TLS"):
            connect(Endpoint(address, None, (identity.pin,)), timeout=5)
        thread.join()
    assert outcome == ["refused"]


# ---------------------------------------------------------------- 4: data before the handshake


def test_attack_4_nothing_is_processed_before_the_handshake(running: Running) -> None:
    """Frames before, beside and instead of a handshake are never seen by the core."""
    hello = client_hello()
    for start in (PING, hello + PING, hello[:50] + PING, PING + hello):
        with socket.create_connection(running.address) as sock:
            sock.sendall(start)
            with contextlib.suppress(OSError):  # the server may have cut it already
                sock.shutdown(socket.SHUT_WR)
            ends(sock)
    for start in (PING, hello + PING):  # sent and gone before anybody has looked
        socket_gone = socket.create_connection(running.address)
        socket_gone.sendall(start)
        socket_gone.close()
    eventually(lambda: running.server.handshakes == 0)
    with RawClient(running.address) as client:
        client.send(PING)
        client.frame()
        client.frame()
    assert len(running.core.exporters) == 1
    assert len(running.core.received_frames) == 1


@contextlib.contextmanager
def opened(*pieces: bytes) -> Iterator[Opening]:
    """The server's end of a handshake whose other end has sent these bytes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)  # noqa: FBT003
        for piece in pieces:
            theirs.sendall(piece)
        yield Opening(ours, "192.0.2.1")


NO_HELLO = {kind: start for kind, start in PLAIN.items() if start[:2] != b"\x16\x03"}
NO_HELLO["application data"] = b"\x17\x03\x03\x00\x28" + bytes(40)


@pytest.mark.parametrize("kind", NO_HELLO)
def test_attack_4_nothing_but_a_handshake_reaches_openssl(
    identity: Identity, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """We refuse it ourselves: a gullible OpenSSL is never asked, and no connection comes of it."""
    asked: list[bytes] = []

    def gullible(_: SSL.Connection, data: bytes) -> bool:
        asked.append(data)
        return True

    monkeypatch.setattr(openssl, "handshake", gullible)
    with opened(NO_HELLO[kind]) as opening:
        with pytest.raises(ConnectionLost, match="does not speak TLS"):
            opening.advance(identity.context())
        with pytest.raises(RuntimeError, match="not complete"):
            opening.finish()
    assert asked == []


def test_attack_4_what_follows_a_hello_is_never_taken_for_a_frame(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if OpenSSL said at once that all is done: bytes that came with the hello are fatal."""
    monkeypatch.setattr(openssl, "handshake", lambda *_: True)
    words = "spoke before the handshake's end"
    with opened(client_hello(), PING) as opening, pytest.raises(ConnectionLost, match=words):
        opening.advance(identity.context())


def test_attack_4_the_context_itself_takes_no_early_data(identity: Identity) -> None:
    """Our own setting, whatever OpenSSL does by default: no tickets, no sessions to resume."""
    context = identity.context()
    assert context.set_options(0) & SSL.OP_NO_TICKET
    assert context.get_session_cache_mode() == SSL.SESS_CACHE_OFF


# ---------------------------------------------------------------- 5: stalled sockets


class Process:
    """A server in a process of its own."""

    def __init__(self, identity: Identity, seconds: float, files: int = 0) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "tests.transport.echo_server",
                str(identity.cert), str(identity.key), str(seconds), str(files),
            ],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.logged: list[str] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.address = ("127.0.0.1", int(self.process.stdout.readline()))
        self.endpoint = Endpoint(ServerAddress(*self.address), SERVER_ID, (identity.pin,))

    @property
    def resident(self) -> int:
        """Bytes of memory in use."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.logged.append(line.decode())

    def stop(self) -> str:
        """End the process; what it logged."""
        assert self.process.stdin is not None
        with self.process:
            self.process.stdin.close()
            assert self.process.wait(20) == 0
            self._listener.join(20)
        return "".join(self.logged)


@contextlib.contextmanager
def process(identity: Identity, seconds: float = 10, files: int = 0) -> Iterator[Process]:
    server = Process(identity, seconds, files)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


@contextlib.contextmanager
def stalled(
    address: tuple[str, int], count: int, source: str = "127.0.0.1"
) -> Iterator[list[socket.socket]]:
    """Sockets that stop half-way: silent, with half a hello, and after a whole one."""
    hello = client_hello()
    starts = (b"", hello[: len(hello) // 2], hello)
    crowd: list[socket.socket] = []
    try:
        for number in range(count):
            sock = socket.create_connection(address, source_address=(source, 0))
            crowd.append(sock)
            sock.sendall(starts[number % 3])
        yield crowd
    finally:
        for sock in crowd:
            sock.close()


def honest_login(endpoint: Endpoint) -> float:
    """How long a proper connection and its first answer take."""
    begun = time.monotonic()
    link = connect(endpoint, timeout=10)
    link.send(Ping())
    assert link.wait(10) == [(Pong(), b"")]
    link.close()
    return time.monotonic() - begun


@needs_proc
def test_attack_5_stalled_sockets_hold_up_nobody_and_their_memory_returns(
    identity: Identity,
) -> None:
    """Beside 2,000 stalled sockets a login takes under 1 s; deadlines free all they held."""
    with process(identity, seconds=3) as server:
        honest_login(server.endpoint)
        before = server.resident
        peaks = []
        for source in ("127.0.0.2", "127.0.0.1"):  # a stranger's address, and our own
            with stalled(server.address, 2_000, source) as crowd:
                if source == "127.0.0.1":
                    honest_login(server.endpoint)  # behind 667 hellos that come before it
                waited = [honest_login(server.endpoint) for _ in range(5)]
                peaks.append(server.resident)
                assert max(waited) < 1, f"honest logins waited {waited}"
                for sock in crowd:
                    ends(sock)  # the deadline closes every one of them
        assert max(peaks) - before < 100_000_000
        eventually(lambda: server.resident - before < 10_000_000)
        assert "handshakes were not finished in time" in server.stop()


def test_attack_5_a_lone_newcomer_is_served_before_a_crowd(identity: Identity) -> None:
    """Of forty handshakes that can go on, the one whose address has no other is among the first."""
    handshakes = Handshakes(identity.context, lambda _: None, EdgeSettings(), Counters())
    pairs = [socket.socketpair() for _ in range(40)]
    try:
        for number, (ours, theirs) in enumerate(pairs):
            last = number == len(pairs) - 1
            opening = Opening(ours, "198.51.100.7" if last else "192.0.2.1")
            handshakes._selector.register(ours, selectors.EVENT_READ, opening)
            handshakes._waiting.add(opening, opening.peer, 0.0)
            theirs.send(b"x")
        _, first = handshakes._ready()
        assert len(first) < len(pairs) / 2
        assert first[0].peer == "198.51.100.7"
    finally:
        handshakes.stop()
        for pair in pairs:
            for end in pair:
                end.close()


def test_attack_5_a_crowd_pushes_out_itself(identity: Identity) -> None:
    """Above the cap of an address its oldest stalled socket goes; newcomers still get in."""
    settings = EdgeSettings(handshakes_per_address=10)
    with serving(identity, settings) as running:
        with stalled(running.address, 30) as crowd:
            assert honest_login(running.endpoint) < 1
            for sock in crowd[:20]:
                ends(sock)
            assert running.server.handshakes <= 10
        eventually(lambda: running.server.handshakes == 0)


def test_attack_5_strangers_are_capped_and_have_a_deadline(identity: Identity) -> None:
    """Connections without login: the oldest above the cap and those too late are told and ended."""
    settings = EdgeSettings(strangers_per_address=3, login_seconds=1)
    with serving(identity, settings) as running:
        known = RawClient(running.address)
        known.send(LIST)
        known.frame()
        known.frame()
        strangers = [RawClient(running.address) for _ in range(5)]
        codes = []
        for stranger in strangers:
            bye = stranger.bye()
            assert bye is not None
            codes.append(bye.code)
            stranger.close()
        assert codes == [Code.OVERLOADED] * 2 + [Code.LOGIN_TIMEOUT] * 3
        known.send(PING)  # whoever is logged in is concerned by neither
        assert known.frame() is not None
        known.close()


@contextlib.contextmanager
def flooding(sock: socket.socket, data: bytes) -> Iterator[None]:
    """Send ``data`` from another thread, whatever becomes of the connection."""

    def send() -> None:
        with contextlib.suppress(OSError):
            sock.sendall(data)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        sock.close()
        thread.join()


def test_attack_5_a_hello_in_crumbs_does_not_hold_up_newcomers(running: Running) -> None:
    """A hello of 128 KiB in records of one byte is cut short; an honest login stays fast."""
    record = b"\x16\x03\x01\x00\x01"
    hello = b"\x01\x01\xff\xff" + bytes(130_000)
    flood = b"".join(record + hello[at : at + 1] for at in range(len(hello)))
    honest_login(running.endpoint)
    sock = socket.create_connection(running.address)
    with flooding(sock, flood):
        assert max(honest_login(running.endpoint) for _ in range(5)) < 0.5
        eventually(lambda: running.server.handshakes == 0)


def test_attack_5_records_without_content_do_not_hold_up_others(running: Running) -> None:
    """Key updates of a stranger, as many as it likes: others are served, the stranger is ended."""
    client = HandMadeClient(running.address)
    flood = b"".join(client.key_update() for _ in range(30_000))
    link = connect(running.endpoint, timeout=5)
    with flooding(client.sock, flood):
        eventually(lambda: running.core.closed_count == 1)
        link.send(Ping())
        begun = time.monotonic()
        assert link.wait(10) == [(Pong(), b"")]
        assert time.monotonic() - begun < 0.5
    link.close()


def test_attack_5_a_flood_of_small_records_is_read_a_little_at_a_time(identity: Identity) -> None:
    """Between any two pieces of it others have their turn, however much of it has arrived."""

    class Counting(EchoCore):
        most = 0

        def received(self, connection: Connection, frames: list[Frame], now: float) -> None:
            self.most = max(self.most, len(frames))
            super().received(connection, frames, now)

    with serving(identity, core=Counting) as running:
        client = HandMadeClient(running.address)
        client.sock.sendall(b"".join(client.record(b"\x17", PING) for _ in range(400)))
        eventually(lambda: len(running.core.received_frames) == 400)
        assert isinstance(running.core, Counting)
        assert running.core.most <= 4
        client.sock.close()


def test_a_key_update_now_and_then_is_served(running: Running) -> None:
    """A client may change its keys (RFC 8446, 4.6.3) and go on."""
    client = HandMadeClient(running.address)
    for _ in range(300):
        client.sock.sendall(client.key_update() + client.record(b"\x17", PING))
    eventually(lambda: len(running.core.received_frames) == 300)
    client.sock.close()


@needs_proc
def test_attack_5_out_of_descriptors_the_server_says_so_and_recovers(identity: Identity) -> None:
    """With no file descriptor left: those inside are served, the log says it, then all is well."""
    with process(identity, files=64) as server:
        link = connect(server.endpoint, timeout=5)
        crowd = [socket.create_connection(server.address) for _ in range(100)]
        refused = "cannot accept connections"  # once, and again after a pause
        eventually(lambda: sum(refused in line for line in server.logged) == 2)
        link.send(Ping())
        assert link.wait(5) == [(Pong(), b"")]
        link.close()
        for sock in crowd:
            sock.close()
        assert honest_login(server.endpoint) < 5
        logged = server.stop()
    assert "cannot accept connections: too many open files" in logged
    assert logged.count("cannot accept") < 20, "the log is flooded"
    assert "Traceback" not in logged


def test_handshakes_go_on_while_nothing_can_be_accepted(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of descriptors, newcomers are left to the system; who is under way gets in."""

    def refuse(_: socket.socket) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    hello = client_hello()
    with serving(identity, EdgeSettings(accept_pause_seconds=60)) as running:
        early = socket.create_connection(running.address, timeout=5)
        eventually(lambda: running.server.handshakes == 1)
        monkeypatch.setattr(socket.socket, "accept", refuse)
        late = socket.create_connection(running.address)
        early.sendall(hello)
        assert early.recv(1) == b"\x16", "a server hello"
        early.close()
        late.close()


def test_attack_6_what_comes_before_its_time_ends_the_handshake(running: Running) -> None:
    """Application data behind the hello, before the server's answer: an alert at once, no more."""
    sock = socket.create_connection(running.address)
    sock.sendall(client_hello() + b"\x17\x03\x03" + struct.pack(">H", 40) + bytes(40))
    assert ends(sock)  # a hello, and an alert
    sock.close()
    eventually(lambda: running.server.handshakes == 0)
    assert running.core.received_frames == []
    assert honest_login(running.endpoint) < 5


# ---------------------------------------------------------------- 6: truncation, early data


@pytest.mark.parametrize("ending", ["close_notify", "FIN", "RST"])
def test_attack_6_a_partial_frame_is_dropped(running: Running, ending: str) -> None:
    """However the connection ends within a frame, the frame is never processed."""
    client = RawClient(running.address)
    client.send(PING + PING[:-1])
    client.frame()
    client.frame()
    if ending == "close_notify":
        client.sock.settimeout(5)
        client.sock.unwrap().close()
    elif ending == "RST":
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    else:
        client.close()
    eventually(lambda: running.core.closed_count == 1)
    assert len(running.core.received_frames) == 1


def test_attack_6_no_early_data_and_no_resumption(running: Running) -> None:
    """Tickets allow no early data, and a returning session is checked in full again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(socket.create_connection(running.address)) as first:
        first.recv(1000)
        session = first.session
    with context.wrap_socket(socket.create_connection(running.address), session=session) as again:
        again.recv(1000)
        assert not again.session_reused
    plain = socket.create_connection(running.address)
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain)
    connection.set_connect_state()
    connection.do_handshake()
    connection.recv(1000)
    own_session = connection.get_session()
    assert own_session is not None
    allowed = Binding.lib.SSL_SESSION_get_max_early_data(own_session._session)
    plain.close()
    assert allowed == 0


# ---------------------------------------------------------------- 7: claimed lengths


@needs_proc
@pytest.mark.parametrize("start", [b"", LIST], ids=["before login", "after login"])
def test_attack_7_a_claimed_length_of_4_gib_grows_nothing(identity: Identity, start: bytes) -> None:
    """A frame that claims 4 GiB is refused at its length; memory grows by less than 1 MiB."""
    with process(identity) as server:
        for _ in range(3):
            honest_login(server.endpoint)
        before = server.resident
        for _ in range(20):
            with RawClient(server.address) as client:
                client.send(start + u32(2**32 - 1) + b"x" * 10_000)
                bye = client.bye()
                assert bye is not None
                assert bye.code is Code.TOO_LARGE
        assert server.resident - before < 1_048_576
        honest_login(server.endpoint)


def test_attack_7_allocations_stay_small(running: Running) -> None:
    """The same in allocations: no request of the claimed size, however short-lived."""
    honest_login(running.endpoint)
    tracemalloc.start()
    try:
        with RawClient(running.address) as client:
            client.send(u32(2**32 - 1))
            assert client.bye() is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_048_576


# ---------------------------------------------------------------- and what is logged


def test_the_log_names_no_address_and_no_content(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Even at DEBUG, whatever happens, no peer's address and no byte of a message is logged."""
    caplog.set_level("DEBUG")
    with socket.create_connection(running.address) as sock:
        sock.sendall(b"canary-in-plain-text")
        ends(sock)
    with RawClient(running.address) as client:
        client.send(u32(30) + b"\x00\x09canary-in-a-frame")
    with RawClient(running.address) as client:
        client.send(u32(2**31) + b"canary-in-a-large-frame")
        client.bye()
    eventually(lambda: running.core.closed_count == 2)
    assert "a handshake failed" in caplog.text
    assert "canary" not in caplog.text
    assert "127.0.0.1" not in caplog.text
