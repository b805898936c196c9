"""The client's link: verified first, then frames; every wait ends, and errors are words."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import SSL

from secure_chat.client.link import Endpoint, connect
from secure_chat.errors import (
    CertificateRefused,
    Code,
    ConnectCancelled,
    ConnectFailed,
    ConnectionLost,
    ProtocolError,
    WrongServer,
)
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.invite import Pin, ServerAddress
from secure_chat.protocol.messages import Bye, Delivery, List, Ok, Ping, Pm, Pong
from secure_chat.protocol.wiretypes import DeliveryId, ServerId
from secure_chat.server.net.server import NetServer
from tests.transport.support import (
    HELLO,
    SERVER_ID,
    Authority,
    Changing,
    EchoCore,
    Identity,
    Impostor,
    Running,
    eventually,
    serving,
)


def test_own_ends_negotiate_the_hybrid_group_and_share_the_channel_binding(
    running: Running,
) -> None:
    """Our two ends agree on X25519MLKEM768 over TLS 1.3, and on the exporter that logins sign."""
    link = connect(running.endpoint, timeout=5)
    try:
        assert link.group == "X25519MLKEM768"
        assert link.tls_version == "TLSv1.3"
        assert len(link.exporter) == 32
        assert running.core.exporters == [link.exporter]
        assert link.hello.server_id == SERVER_ID
        assert link.hello_bytes == HELLO
    finally:
        link.close()


def test_messages_travel_both_ways_with_their_bodies(running: Running) -> None:
    """What is sent comes back whole and in order, up to the largest body after login."""
    link = connect(running.endpoint, timeout=5)
    try:
        link.send(List(1))
        assert link.wait(5) == [(Ok(1), b"")]
        link.logged_in()
        bodies = [bytes([number]) * (number * 229) for number in range(200)]
        bodies.append(b"x" * 61_000)
        for number, body in enumerate(bodies):
            link.send(Pm(DeliveryId(number.to_bytes(16, "big")), "bob/main"), body)
        back: list[bytes] = []
        while len(back) < len(bodies):
            for message, body in link.wait(5):
                assert isinstance(message, Delivery)
                back.append(body)
        assert back == bodies
    finally:
        link.close()


def test_wake_ends_a_wait_from_another_thread(running: Running) -> None:
    """`wake` makes a long wait return at once with nothing, also when it comes before the wait."""
    link = connect(running.endpoint, timeout=5)
    try:
        begun = time.monotonic()
        waker = threading.Timer(0.05, link.wake)
        waker.start()
        assert link.wait(30) == []
        waker.join()
        link.wake()
        assert link.wait(30) == []
        assert time.monotonic() - begun < 5
        link.send(Ping())
        assert link.wait(5) == [(Pong(), b"")]
    finally:
        link.close()


def test_a_wait_without_news_ends_in_time(running: Running) -> None:
    """`wait` keeps to its timeout."""
    link = connect(running.endpoint, timeout=5)
    try:
        begun = time.monotonic()
        assert link.wait(0.05) == []
        assert 0.04 < time.monotonic() - begun < 2
        assert link.wait(0) == []
    finally:
        link.close()


def test_a_bye_is_read_before_the_loss_is_told(running: Running) -> None:
    """What the server said last arrives as a message; only the next wait raises."""
    link = connect(running.endpoint, timeout=5)
    try:
        running.on_loop(lambda: running.core.open[0].close(Code.REPLACED))
        [(message, _)] = link.wait(5)
        assert isinstance(message, Bye)
        assert message.code is Code.REPLACED
        with pytest.raises(ConnectionLost, match="the other side closed the connection"):
            link.wait(5)
    finally:
        link.close()


def test_a_server_that_does_not_know_the_protocol_is_an_error(identity: Identity) -> None:
    """A header that is no message of the protocol is refused by name and not passed on."""
    with serving(identity) as running:
        link = connect(running.endpoint, timeout=5)
        try:
            running.on_loop(lambda: running.core.open[0].send(encode_frame(b'{"type":"surprise"}')))
            with pytest.raises(ProtocolError) as caught:
                link.wait(5)
            assert caught.value.code is Code.UNKNOWN_TYPE
        finally:
            link.close()


# ---------------------------------------------------------------- who is trusted


def test_a_pin_decides_whatever_name_dates_and_authority(
    authority: Authority, tmp_path: Path
) -> None:
    """With its pin a server is trusted though its certificate is expired and of another name."""
    old = authority.issue(tmp_path / "old", names=("elsewhere.example",), starts=-40, days=10)
    with serving(old) as running:
        connect(running.endpoint, timeout=5).close()
        spare = Endpoint(running.endpoint.server, SERVER_ID, (Pin(b"x" * 32), old.pin))
        connect(spare, timeout=5).close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_without_a_pin_authority_name_and_dates_decide(
    running: Running, ca_file: Path, host: str
) -> None:
    """A certificate of a known authority for this name or address is trusted without a pin."""
    endpoint = Endpoint(ServerAddress(host, running.server.port), SERVER_ID, (), ca_file)
    connect(endpoint, timeout=5).close()


Make = Callable[[Authority, Path], Identity]
BAD_CERTIFICATES: dict[str, tuple[Make, str]] = {
    "wrong name": (
        lambda ca, path: ca.issue(path, names=("other.example", "10.1.2.3")),
        "for another",
    ),
    "name only in the subject": (
        lambda ca, path: ca.issue(path, names=(), common_name="localhost"),
        "for another",
    ),
    "partial wildcard": (lambda ca, path: ca.issue(path, names=("local*",)), "for another"),
    "expired": (lambda ca, path: ca.issue(path, starts=-40, days=10), "has expired"),
    "not yet valid": (lambda ca, path: ca.issue(path, starts=2), "not valid yet"),
    "other CA": (lambda _, path: Authority("Other CA").issue(path), "no authority known here"),
    "same name of the CA, other key": (
        lambda _, path: Authority("Test CA").issue(path),
        "(signature on its certificate|no authority known here)",
    ),
    "for clients": (
        lambda ca, path: ca.issue(path, purpose=ExtendedKeyUsageOID.CLIENT_AUTH),
        "not one for servers",
    ),
}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_attack_1_bad_certificates_get_no_application_byte(
    authority: Authority, ca_file: Path, tmp_path: Path, kind: str, host: str
) -> None:
    """Without a pin: another name, CA, date or purpose is refused before anything is sent."""
    make, words = BAD_CERTIFICATES[kind]
    with Impostor(make(authority, tmp_path / "bad")) as impostor:
        endpoint = Endpoint(ServerAddress(host, impostor.port), None, (), ca_file)
        with pytest.raises(CertificateRefused, match=words):
            connect(endpoint, timeout=5)
        eventually(lambda: impostor.attempts >= 1)
    assert (impostor.handshakes, impostor.application_bytes) == (0, b"")


def test_attack_1_another_key_under_a_pin_gets_no_application_byte(
    authority: Authority, identity: Identity, ca_file: Path, tmp_path: Path
) -> None:
    """With a pin, a certificate that is right in all but the key is refused."""
    other = authority.issue(tmp_path / "other")
    with Impostor(other) as impostor:
        address = ServerAddress("127.0.0.1", impostor.port)
        endpoint = Endpoint(address, SERVER_ID, (identity.pin,), ca_file)
        with pytest.raises(CertificateRefused, match="not the one that the invite link names"):
            connect(endpoint, timeout=5)
        eventually(lambda: impostor.attempts >= 1)
    assert (impostor.handshakes, impostor.application_bytes) == (0, b"")


def test_attack_1_the_authorities_of_the_system_do_not_know_a_private_ca(
    running: Running,
) -> None:
    """Without pin and CA file only the system's authorities count."""
    endpoint = Endpoint(ServerAddress("localhost", running.server.port))
    with pytest.raises(CertificateRefused):
        connect(endpoint, timeout=5)
    assert running.core.exporters == []


def test_attack_2_a_swapped_certificate_is_refused_at_every_reconnect(
    authority: Authority, identity: Identity, tmp_path: Path
) -> None:
    """Of 20 connections, each one to a swapped key is refused, however many were good before."""
    current = Changing(identity)
    other = authority.issue(tmp_path / "other")
    server = NetServer(("127.0.0.1", 0), current.context, EchoCore)
    server.start()
    try:
        endpoint = Endpoint(ServerAddress("127.0.0.1", server.port), SERVER_ID, (identity.pin,))
        for turn in range(20):
            current.identity = other if turn % 3 == 2 else identity
            server.reload()
            if current.identity is identity:
                connect(endpoint, timeout=5).close()
            else:
                with pytest.raises(CertificateRefused):
                    connect(endpoint, timeout=5)
        core = server.core
        assert isinstance(core, EchoCore)
        assert len(core.exporters) == 14
        assert core.received_frames == []
    finally:
        server.stop()


def test_another_server_id_is_refused(running: Running) -> None:
    """The right key with another server id is a server set up anew: said, and not used."""
    expected = ServerId(b"T" * 16)
    endpoint = Endpoint(running.endpoint.server, expected, (running.identity.pin,))
    with pytest.raises(WrongServer, match=expected.hex()):
        connect(endpoint, timeout=5)


# ---------------------------------------------------------------- waits and failures


def test_a_closed_port_is_said_in_words(identity: Identity) -> None:
    """Nothing listens: a sentence with the address, at once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    endpoint = Endpoint(ServerAddress("127.0.0.1", port), None, (identity.pin,))
    with pytest.raises(ConnectFailed, match=rf"127\.0\.0\.1:{port}: nothing listens there"):
        connect(endpoint, timeout=5)


def test_an_unknown_name_is_said_in_words(identity: Identity) -> None:
    """A host name that does not exist is a sentence, not a resolver's number."""
    endpoint = Endpoint(ServerAddress("no-such-host.invalid"), None, (identity.pin,))
    with pytest.raises(ConnectFailed, match="name"):
        connect(endpoint, timeout=10)


@pytest.mark.parametrize("host", ["a" * 300, "..", "x..y", "ü" * 80])
@pytest.mark.parametrize("pinned", [True, False])
def test_an_impossible_name_is_said_in_words(
    identity: Identity, ca_file: Path, host: str, pinned: bool
) -> None:
    """A host that cannot be a name ends in one of our own errors."""
    pins = (identity.pin,) if pinned else ()
    endpoint = Endpoint(ServerAddress(host), None, pins, ca_file)
    with pytest.raises((ConnectFailed, CertificateRefused)):
        connect(endpoint, timeout=5)


def test_a_silent_server_does_not_hold_the_client(identity: Identity) -> None:
    """A server that accepts and says nothing: the timeout holds, and cancelling ends it sooner."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = ServerAddress("127.0.0.1", silent.getsockname()[1])
        endpoint = Endpoint(address, None, (identity.pin,))
        begun = time.monotonic()
        with pytest.raises(ConnectFailed, match="no answer came in time"):
            connect(endpoint, timeout=0.3)
        with pytest.raises(ConnectCancelled):
            connect(endpoint, timeout=60, cancelled=lambda: time.monotonic() > begun + 0.5)
        assert time.monotonic() - begun < 5


def test_a_server_without_greeting_does_not_hold_the_client(identity: Identity) -> None:
    """A TLS server that never greets: the timeout counts for the greeting too."""

    class Mute(Impostor):
        def _serve(self, sock: socket.socket) -> None:
            connection = SSL.Connection(identity.context(), sock)
            connection.set_accept_state()
            connection.do_handshake()
            self._stopping.wait(10)

    with Mute(identity) as mute:
        endpoint = Endpoint(ServerAddress("127.0.0.1", mute.port), None, (identity.pin,))
        with pytest.raises(ConnectFailed, match="no answer came in time"):
            connect(endpoint, timeout=0.5)


def test_a_server_that_speaks_no_tls_is_said_in_words(identity: Identity) -> None:
    """Another service on the port: the sentence says that it does not speak TLS 1.3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock, suppress(ConnectionError):  # the client may cut it at any time
                sock.sendall(b"220 mail.example ESMTP ready\r\n" * 10)
                sock.settimeout(5)
                while sock.recv(4096):
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        address = ServerAddress("127.0.0.1", listener.getsockname()[1])
        with pytest.raises(ConnectFailed, match=r"does not speak TLS 1\.3"):
            connect(Endpoint(address, None, (identity.pin,)), timeout=5)
        thread.join()
