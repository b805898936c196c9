"""The network server on real sockets: order, calls of other threads, slow peers, the end."""

import socket
import threading
import time
from pathlib import Path

import pytest

from secure_chat.channel import Channel
from secure_chat.client.link import connect
from secure_chat.errors import BadCertificateFile, CertificateRefused, Code, ListenFailed
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.messages import (
    Bye,
    Ok,
    Ping,
    Pm,
    Pong,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.wiretypes import DeliveryId
from secure_chat.server.interfaces import Connection, Loop
from secure_chat.server.net.server import NetServer
from secure_chat.server.net.settings import EdgeSettings
from tests.transport.handmade import HandMadeClient
from tests.transport.support import (
    HELLO,
    LIST,
    PING,
    Authority,
    Changing,
    EchoCore,
    Identity,
    RawClient,
    Running,
    eventually,
    serving,
)

PONG = encode_header(Pong())


def pm(number: int, body: bytes) -> bytes:
    message = Pm(DeliveryId(number.to_bytes(16, "big")), "bob/main")
    return encode_frame(encode_header(message), body)


def send_many(connection: Connection, count: int) -> None:
    for _ in range(count):
        connection.send(encode_frame(PONG, b"q" * 60_000))


# ---------------------------------------------------------------- ordinary service


def test_an_ordinary_tls_client_connects(running: Running) -> None:
    """The standard library's TLS 1.3 client, which knows nothing of us, is served."""
    with RawClient(running.address) as client:
        assert client.sock.version() == "TLSv1.3"
        greeting = client.frame()
        assert greeting is not None
        assert greeting.header == HELLO
        client.send(PING)
        answer = client.frame()
        assert answer is not None
        assert answer.header == PONG


def test_frames_arrive_however_they_are_cut(running: Running) -> None:
    """Byte by byte or all at once, frames come out whole and in order."""
    with RawClient(running.address) as client:
        client.frame()
        for octet in PING:
            client.send(bytes([octet]))
        client.send(LIST + b"".join(pm(number, b"b" * number) for number in range(300)))
        headers = [client.frame() for _ in range(302)]
        assert [frame.header for frame in headers[:2] if frame] == [PONG, encode_header(Ok(1))]
        assert [frame.body for frame in headers[2:] if frame] == [b"b" * n for n in range(300)]


def test_a_handshake_may_come_byte_by_byte(running: Running) -> None:
    """TCP may cut a handshake anywhere."""
    client = HandMadeClient(running.address, piece=1)
    client.sock.sendall(client.record(b"\x17", PING))
    eventually(lambda: len(running.core.received_frames) == 1)
    client.sock.close()


def test_one_thread_runs_the_core(identity: Identity) -> None:
    """Whatever the clients do, the core is called on one thread, and closes match openings."""
    with serving(identity) as running:

        def talk() -> None:
            for _ in range(5):
                link = connect(running.endpoint, timeout=10)
                link.send(Ping())
                assert link.wait(10) == [(Pong(), b"")]
                link.close()

        clients = [threading.Thread(target=talk) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        eventually(lambda: running.core.closed_count == 20)
        assert len(running.core.threads) == 1
        assert running.server.connections == 0


def test_calls_of_other_threads_run_on_the_loop_in_order(running: Running) -> None:
    """`call_soon` from many threads: each call runs once, in each thread's order, at once."""
    seen: list[tuple[int, int]] = []

    def add(thread: int, number: int) -> None:
        seen.append((thread, number))

    def call(thread: int) -> None:
        for number in range(500):
            running.server.call_soon(lambda number=number: add(thread, number))  # type: ignore[misc]

    threads = [threading.Thread(target=call, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    begun = time.monotonic()
    running.on_loop(lambda: None)
    assert time.monotonic() - begun < 0.2, "a call waits for the next tick instead of waking"
    assert len(seen) == 2000
    for thread in range(4):
        assert [number for who, number in seen if who == thread] == list(range(500))


def test_another_thread_wakes_a_sleeping_connection(running: Running) -> None:
    """A frame queued by a call from outside leaves at once, without any traffic to trigger it."""
    link = connect(running.endpoint, timeout=5)
    try:
        begun = time.monotonic()
        running.server.call_soon(lambda: running.core.open[0].send(encode_frame(PONG)))
        assert link.wait(5) == [(Pong(), b"")]
        assert time.monotonic() - begun < 0.2
    finally:
        link.close()


def test_ticks_come_without_traffic(running: Running) -> None:
    """The core's clock runs at least every 0.25 s (with some room for a busy machine)."""
    before = running.core.ticks
    begun = time.monotonic()
    eventually(lambda: running.core.ticks >= before + 4)
    assert time.monotonic() - begun < 2


def test_a_failing_core_costs_one_connection(identity: Identity) -> None:
    """A bug in the core ends the connection that met it, with a reason, and nobody else's."""

    class Failing(EchoCore):
        def received(self, connection: Connection, frames: list, now: float) -> None:  # type: ignore[type-arg]
            if any(frame.body == b"bug" for frame in frames):
                raise ZeroDivisionError
            super().received(connection, frames, now)

    with serving(identity, core=Failing) as running:
        link = connect(running.endpoint, timeout=5)
        with RawClient(running.address) as client:
            client.send(pm(1, b"bug"))
            bye = client.bye()
        assert bye is not None
        assert bye.code is Code.INTERNAL_ERROR
        link.send(Ping())
        assert link.wait(5) == [(Pong(), b"")]
        link.close()


@pytest.mark.parametrize("broken", ["receive", "send", "discard", "finish"])
def test_attack_17_a_mistake_over_one_connection_costs_no_other(
    running: Running,
    broken: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever its TLS object raises, in any state: it is ended and noted, without the text."""
    caplog.set_level("DEBUG")
    with RawClient(running.address) as victim, RawClient(running.address) as other:
        for client in (victim, other):
            client.frame()
            client.send(PING)
            client.frame()
        number = running.core.open[0].fileno()  # type: ignore[attr-defined]
        works = getattr(Channel, broken)

        def fails(channel: Channel, *what: bytes) -> object:
            if channel.fileno() == number:
                raise TypeError("canary")
            return works(channel, *what)

        if broken == "discard":
            running.on_loop(lambda: running.core.open[0].close(Code.OVERLOADED))
            victim.bye()
        monkeypatch.setattr(Channel, broken, fails)
        if broken == "finish":
            victim.sock.shutdown(socket.SHUT_WR)
        else:
            victim.send(PING)
        eventually(lambda: "a connection failed and is ended: TypeError in fails:" in caplog.text)
        eventually(lambda: running.core.closed_count == 1)
        monkeypatch.undo()
        other.send(PING)
        assert other.frame() is not None
    assert "canary" not in caplog.text


def test_attack_76_a_failing_core_is_noted_without_text(
    running: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a frame, a tick, an end: type and place are logged even at DEBUG, and never the text."""
    caplog.set_level("DEBUG")

    def fails(*_: object) -> None:
        raise ValueError("canary")

    for name in ("received", "tick", "closed", "drain"):
        monkeypatch.setattr(running.core, name, fails)
    with RawClient(running.address) as client:
        client.send(PING)
        bye = client.bye()
        assert bye is not None
        assert bye.code is Code.INTERNAL_ERROR
    running.server.call_soon(fails)
    places = ("over a frame", "in its tick", "over the end of a connection")
    eventually(
        lambda: all(f"the core failed {place}: ValueError" in caplog.text for place in places)
    )
    eventually(lambda: "a call on the I/O thread failed: ValueError" in caplog.text)
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- slow peers


def test_attack_18_a_slow_reader_is_evicted_and_others_do_not_notice(identity: Identity) -> None:
    """A peer that does not read is told `slow_reader` and closed; another's answers stay fast."""
    settings = EdgeSettings(slow_buffer=100_000, slow_seconds=1.5)
    body = b"z" * 60_000
    with serving(identity, settings) as running, RawClient(running.address) as slow:
        slow.send(LIST)
        link = connect(running.endpoint, timeout=5)
        slow_end = running.core.open[0]

        def flood() -> None:
            for number in range(200):
                slow_end.send(encode_frame(PONG, body + bytes([number])))

        running.on_loop(flood)
        assert slow_end.buffered > 1_000_000
        worst = 0.0
        while running.core.closed_count == 0:
            begun = time.monotonic()
            link.send(Ping())
            assert link.wait(5) == [(Pong(), b"")]
            worst = max(worst, time.monotonic() - begun)
        assert worst < settings.slow_seconds / 2, f"another client waited {worst:.3f} s"
        link.close()
        bye = slow.bye()  # it reads at last, and learns why
        assert bye is not None
        assert bye.code is Code.SLOW_READER
        eventually(lambda: running.server.connections == 0)


@pytest.mark.parametrize("reads", [0, 1], ids=["nothing", "a byte now and then"])
def test_attack_18_who_takes_nothing_is_evicted_however_little_waits(
    identity: Identity, reads: int
) -> None:
    """A peer that lets a few bytes wait for ever holds them, and a descriptor, for no longer."""
    settings = EdgeSettings(stalled_seconds=0.6)
    with serving(identity, settings) as running, RawClient(running.address) as slow:
        slow.send(LIST)
        with RawClient(running.address) as other:
            eventually(lambda: len(running.core.open) == 2)
            connection = running.core.open[0]
            deadline = time.monotonic() + 20
            while running.core.closed_count == 0:
                assert time.monotonic() < deadline, "the peer was kept"
                assert connection.buffered < settings.slow_buffer
                while not connection.buffered and running.core.closed_count == 0:
                    # The system's own buffers grow for a while.
                    running.on_loop(lambda: connection.send(encode_frame(PONG, bytes(20_000))))
                if reads:
                    slow.sock.recv(reads)
                time.sleep(0.02)
            other.send(PING)
            other.frame()
            assert other.frame() is not None


def test_attack_5_one_address_cannot_have_all_connections(identity: Identity) -> None:
    """Above its share an address is told that the server is busy; another gets in."""
    settings = EdgeSettings(connections_per_address=3)
    with serving(identity, settings) as running:
        known = [RawClient(running.address) for _ in range(3)]
        for client in known:
            client.send(LIST)
            client.frame()
            client.frame()
        with RawClient(running.address) as one_too_many:
            bye = one_too_many.bye()
        assert bye is not None
        assert bye.code is Code.OVERLOADED
        assert bye.retry_after
        with RawClient(running.address, source="127.0.0.2") as elsewhere:
            assert elsewhere.frame() is not None
        known.pop().close()
        eventually(lambda: running.server.connections == 2)
        with RawClient(running.address) as again:
            assert again.frame() is not None
        for client in known:
            client.close()


def test_a_steady_reader_of_a_long_queue_is_kept(identity: Identity) -> None:
    """A long queue alone is no fault: who keeps reading gets all of it."""
    settings = EdgeSettings(slow_buffer=50_000, slow_seconds=0.3, slow_progress=10_000)
    with serving(identity, settings) as running, RawClient(running.address) as client:
        client.send(LIST)
        client.frame()
        client.frame()
        connection = running.core.open[0]
        running.on_loop(lambda: send_many(connection, 150))
        ending = time.monotonic() + 1.2
        seen = 0
        while time.monotonic() < ending and seen < 140:  # slower than the server could send
            assert client.frame() is not None
            seen += 1
            threading.Event().wait(0.01)
        while seen < 150:
            assert client.frame() is not None
            seen += 1
        client.send(PING)
        last = client.frame()
        assert last is not None
        assert last.header == PONG


def test_attack_18_a_queue_above_the_largest_buffer_ends_at_once(identity: Identity) -> None:
    """Memory for one peer is bounded even within the time that slow readers have."""
    settings = EdgeSettings(slow_buffer=100_000, slow_seconds=60, largest_buffer=8_000_000)
    with serving(identity, settings) as running, RawClient(running.address) as client:
        client.send(LIST)
        client.frame()
        client.frame()
        connection = running.core.open[0]
        running.on_loop(lambda: send_many(connection, 300))
        eventually(lambda: running.core.closed_count == 1, 3)
        assert connection.buffered < 200_000


def test_attack_18_many_slow_readers_together_are_bounded(identity: Identity) -> None:
    """Each has its time still, but all together hold too much: the one with the most goes."""
    settings = EdgeSettings(slow_seconds=60, slow_total=8_000_000)
    with (
        serving(identity, settings) as running,
        RawClient(running.address) as small,
        RawClient(running.address) as large,
    ):
        for client in (small, large):
            client.send(LIST)
            client.frame()
            client.frame()
        ends = list(running.core.open)
        running.on_loop(lambda: send_many(ends[0], 90))
        running.on_loop(lambda: send_many(ends[1], 190))
        eventually(lambda: running.core.closed_count == 1, 3)
        bye = large.bye()
        assert bye is not None
        assert bye.code is Code.SLOW_READER
        for _ in range(90):
            assert small.frame() is not None
        small.send(PING)
        assert small.frame() is not None


# ---------------------------------------------------------------- the end, and reloading


def test_stopping_drains(identity: Identity) -> None:
    """Stopping tells the core, then the clients, with what was queued before; no thread stays."""
    server = NetServer(("127.0.0.1", 0), identity.context, EchoCore)
    core = server.core
    assert isinstance(core, EchoCore)
    server.start()
    with RawClient(("127.0.0.1", server.port)) as client:
        client.send(PING * 100)
        client.frame()
        eventually(lambda: len(core.received_frames) == 100)
        stopper = threading.Thread(target=server.stop)
        begun = time.monotonic()
        stopper.start()
        headers = [frame.header for frame in iter(client.frame, None)]
        client.close()
        stopper.join()
        assert time.monotonic() - begun < 2
    assert headers[:-1] == [PONG] * 100
    bye = decode_server_header(headers[-1])
    assert isinstance(bye, Bye)
    assert bye.code is Code.SHUTTING_DOWN
    assert core.drained.is_set()
    assert core.closed_count == 1
    assert not server.is_serving
    server.stop()  # a second time is harmless


def test_stopping_does_not_wait_for_a_core_that_never_ends(identity: Identity) -> None:
    """A core that keeps its connections at the end is given the drain time and no more."""

    class Clinging(EchoCore):
        def drain(self, now: float) -> None:
            self.drained.set()

    settings = EdgeSettings(drain_seconds=0.3, linger_seconds=0.5)
    server = NetServer(("127.0.0.1", 0), identity.context, Clinging, settings)
    server.start()
    with RawClient(("127.0.0.1", server.port)) as client:
        client.frame()
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 3
        bye = client.bye()
        assert bye is not None
        assert bye.code is Code.SHUTTING_DOWN


def test_a_reload_serves_new_connections_and_keeps_the_old(
    authority: Authority, identity: Identity, tmp_path: Path
) -> None:
    """After a reload newcomers see the new key; those who are there keep talking."""
    current = Changing(identity)
    server = NetServer(("127.0.0.1", 0), current.context, EchoCore)
    server.start()
    try:
        core = server.core
        assert isinstance(core, EchoCore)
        running = Running(server, core, identity)
        before = connect(running.endpoint, timeout=5)
        other = authority.issue(tmp_path / "other")
        current.identity = other
        server.reload()
        after = connect(Running(server, core, other).endpoint, timeout=5)
        with pytest.raises(CertificateRefused):
            connect(running.endpoint, timeout=5)
        for link in (before, after):
            link.send(Ping())
            assert link.wait(5) == [(Pong(), b"")]
        other.cert.write_text("damaged")
        with pytest.raises(BadCertificateFile, match="no PEM certificate"):
            server.reload()
        connect(Running(server, core, other).endpoint, timeout=5).close()
        before.close()
        after.close()
    finally:
        server.stop()


def test_a_port_in_use_is_said_in_words(running: Running) -> None:
    """A second server on a port says so in a sentence and leaves nothing running."""
    second = NetServer(running.address, running.identity.context, EchoCore)
    with pytest.raises(ListenFailed, match=r"another program listens there"):
        second.start()
    second.stop()
    unknown = NetServer(("no-such-host.invalid", 0), running.identity.context, EchoCore)
    with pytest.raises(ListenFailed, match="name"):
        unknown.start()
    unknown.stop()


def test_a_name_listens_on_all_its_addresses(identity: Identity) -> None:
    """`localhost` serves on each of its addresses, with one port."""
    server = NetServer(("localhost", 0), identity.context, EchoCore)
    server.start()
    try:
        with RawClient(("127.0.0.1", server.port)) as client:
            assert client.frame() is not None
    finally:
        server.stop()


def test_the_core_is_made_with_the_server_as_its_loop(identity: Identity) -> None:
    """The core's loop is the server itself."""
    loops: list[Loop] = []

    def make(loop: Loop) -> EchoCore:
        loops.append(loop)
        return EchoCore(loop)

    server = NetServer(("127.0.0.1", 0), identity.context, make)
    server.stop()
    assert loops == [server]
