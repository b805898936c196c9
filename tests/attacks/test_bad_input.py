"""Whatever arrives on the port costs bounded memory and time, and nobody else's message."""

import contextlib
import socket
import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.encoding import u32
from secure_chat.protocol.frames import Frame
from secure_chat.protocol.messages import Accepted, MyData, Welcome
from secure_chat.server.core.settings import Rate, Settings
from tests.server_core.support import World
from tests.support.memory import needs_proc, resident
from tests.support.processes import ChangedServer, ServerProcess
from tests.support.raw_client import RawClient
from tests.support.wire import ClosedByServer, Wire

MIB = 1024 * 1024


def tls_hello(version: ssl.TLSVersion) -> bytes:
    """The first flight of a client that speaks at most this version."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


FOREIGN = {
    "nothing": b"",
    "HTTP": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "SMTP": b"EHLO example.org\r\nMAIL FROM:<a@example.org>\r\n",
    "XMPP": b"<?xml version='1.0'?><stream:stream to='x' xmlns='jabber:client'>",
    "MQTT": bytes.fromhex("101000044d5154540502003c0000000461626364"),
    "IRC": b"NICK a\r\nUSER a 0 * :a\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "PostgreSQL": bytes.fromhex("0000000804d2162f"),
    "SOCKS": bytes.fromhex("050100"),
    "PROXY": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "RDP": bytes.fromhex("030000130ee000000000000100080003000000"),
    "TLS 1.2": tls_hello(ssl.TLSVersion.TLSv1_2),
    "a TLS alert": bytes.fromhex("15030300020228"),
    "a record of 2^16": bytes.fromhex("160301ffff") + bytes(70_000),
    "half a hello": tls_hello(ssl.TLSVersion.TLSv1_3)[:120],
    "two hellos": tls_hello(ssl.TLSVersion.TLSv1_3) * 2,
    "a megabyte of zeros": bytes(MIB),
    "a megabyte of text": b"A" * MIB,
}


@contextlib.contextmanager
def pair(server: ServerProcess, name: str) -> Iterator[Callable[[], float]]:
    """Two honest people; a call sends a message and says how long it took."""
    with (
        RawClient.register(server.port, f"{name}-a") as a,
        RawClient.register(server.port, f"{name}-b") as b,
    ):

        def talk() -> float:
            begun = time.monotonic()
            a.put(b.address, b"hello")
            delivery, body = b.next_delivery()
            assert body == b"hello"
            b.ack(delivery.seq)
            a.wire.expect(Accepted)
            return time.monotonic() - begun

        talk()
        yield talk


def settled(pid: int, below: int) -> int:
    """The process's memory once it is below a bound, or after a while."""
    deadline = time.monotonic() + 10
    while (now := resident(pid)) > below and time.monotonic() < deadline:
        time.sleep(0.05)
    return now


@needs_proc
def test_attack_3_other_protocols_get_nothing_and_cost_nothing(server: ServerProcess) -> None:
    """Twenty foreign greetings, thirty times each: no answer but an alert, no memory, no delay."""
    with pair(server, "foreign") as talk:
        before = resident(server.pid)
        for round_number in range(30):
            crowd = []
            for start in FOREIGN.values():
                sock = socket.create_connection(("127.0.0.1", server.port), timeout=5)
                sock.setblocking(False)  # noqa: FBT003
                with contextlib.suppress(OSError):
                    sock.send(start)
                crowd.append(sock)
            assert talk() < 1
            for sock, (kind, start) in zip(crowd, FOREIGN.items(), strict=True):
                if round_number == 0 and len(start) > 200 and kind != "two hellos":
                    assert len(answer(sock)) <= 7, kind
                sock.close()
        assert settled(server.pid, before + 16 * MIB) - before < 16 * MIB


def answer(sock: socket.socket) -> bytes:
    """All that comes until the server closes."""
    sock.settimeout(15)
    read = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65_536):
            read += data
    return read


HALF = {
    "a gigabyte": u32(2**30) + b"\x00\x10",
    "four gigabytes": u32(2**32 - 1) + b"\xff\xff" + b"x" * 9_000,
    "a length of nothing": u32(0),
    "a header longer than its frame": u32(10) + b"\x00\x20" + b"x" * 20,
}


@pytest.mark.parametrize("kind", HALF)
def test_attack_7_impossible_lengths_are_refused_in_words(server: ServerProcess, kind: str) -> None:
    """Before the login and after it: one `bye` with the code, and the end."""
    with Wire(server.port) as wire:
        wire.send_raw(HALF[kind])
        assert wire.expect_closed() in {Code.TOO_LARGE, Code.BAD_FRAME}
    with RawClient.register(server.port, f"half-{list(HALF).index(kind)}") as client:
        client.wire.send_raw(HALF[kind])
        assert client.wire.expect_closed() in {Code.TOO_LARGE, Code.BAD_FRAME}


@needs_proc
def test_attack_5_half_frames_of_many_cost_what_was_sent(server: ServerProcess) -> None:
    """Connections that stop within a frame hold that much memory, and give it back."""
    with pair(server, "stopped") as talk:
        strangers = []
        before = resident(server.pid)
        for _ in range(300):
            wire = Wire(server.port)
            wire.send_raw(u32(8_000) + b"\x0f\xf0" + b"x" * 7_900)
            strangers.append(wire)
        assert talk() < 1
        assert resident(server.pid) - before < 300 * 80 * 1024
        for wire in strangers:
            wire.reset()
        assert talk() < 1
        assert settled(server.pid, before + 16 * MIB) - before < 16 * MIB


class Impatient(ChangedServer):
    """A server that waits three seconds for who does not read, instead of ten.

    The system keeps little for its connections, so that what it keeps itself can be seen.
    """

    change = (
        "import socket, msgspec; from secure_chat.server import app; "
        "from secure_chat.server.net import server as net; "
        "fitted, listen = app.fitted, net.listen; "
        "app.fitted = lambda *a: msgspec.structs.replace(fitted(*a), slow_seconds=3.0); "
        "net.listen = lambda *a: [each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536) "
        "or each for each in listen(*a)]"
    )


_KEM_KEYS_OF_BOOK = "3"  # the place in the open book from which a page is as large as can be


def greedy(port: int, name: str) -> RawClient:
    """Somebody of whom the server holds much, and whose socket takes little."""
    with RawClient.register(port, name) as client:
        for _ in range(6):
            client.publish(0, 5)
    wire = Wire(port, receive_buffer=4_096)
    wire.send(client.account.login(wire))
    return RawClient(wire, client.account, wire.expect(Welcome))


@needs_proc
def test_attack_16_answers_that_nobody_reads_are_bounded(tmp_path: Path) -> None:
    """Requests of forty bytes for pages of 48 KiB, never read: little memory, and an end of it.

    Ten of them ask for 46 MB in all. Their queues are bounded, they are told why and closed in
    time, and nobody else waits.
    """
    with (
        contextlib.ExitStack() as stack,
        Impatient(tmp_path / "server") as server,
        pair(server, "pages") as talk,
    ):
        crowd = [stack.enter_context(greedy(server.port, f"greedy{n}")) for n in range(10)]
        before = resident(server.pid)
        worst = peak = 0.0

        def look() -> None:
            nonlocal worst, peak
            worst, peak = max(worst, talk()), max(peak, resident(server.pid) - before)

        for client in crowd:
            with contextlib.suppress(ClosedByServer):
                for _ in range(5):  # in parts: only so many requests are taken at once
                    for _ in range(20):
                        client.wire.send(MyData(client.ref(), _KEM_KEYS_OF_BOOK))
                    look()
        deadline = time.monotonic() + 10
        while server.log.count("it does not read") < len(crowd):
            assert time.monotonic() < deadline, "somebody who does not read is kept"
            look()
            time.sleep(0.02)
        assert worst < 1
        assert peak < 20 * MIB
        for client in crowd:
            client.wire.expect_closed()  # what was cut off is all that can still be read


def amplifiers() -> dict[str, bytes]:
    """Headers of the largest size whose decoding makes as much as possible of each byte."""
    strings = b",".join(b'"%c%c"' % (97 + n // 26, 97 + n % 26) for n in range(26 * 26))
    objects = b",".join([b"{}"] * 1_200)
    return {
        "short strings": b'{"type":"login","user_id":"a","device":"b","version":1,"features":['
        + strings + b"]}",
        "empty objects": b'{"type":"keys_put","ref":1,"version":1,"one_time":[' + objects + b"]}",
        "nested lists": b'{"type":"ping","x":' + b"[" * 2_000 + b"]" * 2_000 + b"}",
        "unknown fields": b'{"type":"ping",' + b",".join(b'"%d":0' % n for n in range(450)) + b"}",
        "escapes": b'{"type":"list","ref":1,"after":"' + b"\\u0061" * 650 + b'"}',
        "numbers": b'{"type":"ack","seq":' + b"9" * 4_000 + b"}",
        "duplicates": b'{"type":"ping"' + b',"type":"ping"' * 280 + b"}",
        "white space": b'{"type":"ping"' + b" " * 4_000 + b"}",
    }  # fmt: skip


@pytest.mark.parametrize("kind", amplifiers())
def test_attack_16_parsing_takes_little_more_than_what_came(tmp_path: Path, kind: str) -> None:
    """The most memory that a header makes the parser take is a few times its size."""
    header = amplifiers()[kind]
    settings = Settings(registration="open", refusals=Rate(1e6, 1e6))
    world = World(tmp_path / "server", settings)
    try:
        alice = world.person("alice")
        alice.peer.raw(Frame(header, b""))
        again = world.person("bob")
        tracemalloc.start()
        again.peer.raw(Frame(header, b""))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    finally:
        world.close()
    assert peak < 16 * len(header) + 4_096, f"{peak / len(header):.1f} bytes for each byte"


@needs_proc
def test_attack_5_handshakes_that_come_and_go_leave_nothing(server: ServerProcess) -> None:
    """No session, ticket or key of a connection that has ended stays in memory."""
    with pair(server, "visitors") as talk:
        for _ in range(100):
            Wire(server.port).close()
        before = resident(server.pid)
        for number in range(700):
            wire = Wire(server.port)
            (wire.close, wire.cut, wire.reset)[number % 3]()
        assert talk() < 1
        assert settled(server.pid, before + 4 * MIB) - before < 4 * MIB


def test_attack_5_a_trickle_of_tiny_records_holds_up_nobody(server: ServerProcess) -> None:
    """A frame in records of one byte, at full speed: others' messages take no longer."""
    with (
        pair(server, "trickle") as talk,
        RawClient.register(server.port, "drop-by-drop") as client,
    ):
        frame = u32(50_000) + b"\x00\x40"
        client.wire.send_raw(frame)
        worst = 0.0
        for _ in range(40):
            for _ in range(100):
                client.wire.send_raw(b"x")
            worst = max(worst, talk())
        assert worst < 0.5
