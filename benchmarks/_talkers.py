"""One logged-in connection in the language of each server, as small as it can be.

Every message is a payload of 400 letters that begins with the time it was due. ``accepted`` counts
the messages that the server has taken over: `accepted` here, PUBACK (QoS 1) in MQTT, stream
management (XEP-0198) in XMPP.
"""

import base64
import contextlib
import os
import re
import socket
import struct
import time
from abc import ABC, abstractmethod

from OpenSSL import SSL

from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.messages import Delivery, Welcome
from tests.support.accounts import Account
from tests.support.wire import Wire

PAYLOAD = 400
_STAMP = 16  # hexadecimal digits of a time in ns
_LOGIN_SECONDS = 60


class Talker(ABC):
    """A connection. What is queued in ``out`` leaves with `flush`."""

    def __init__(self, tls: SSL.Connection, sock_fd: int) -> None:
        self.tls = tls
        self.fd = sock_fd
        self.out = bytearray()
        self.writing = False
        self.accepted = 0
        self.delivered = 0
        self.latencies: list[float] = []  # seconds, of all that was delivered
        self._filling = b64url(os.urandom(PAYLOAD))[: PAYLOAD - _STAMP].encode()

    def put(self, to: str, due: float | None = None) -> None:
        """Queue a message; ``due``: when it should have left, if that is not now."""
        stamp = b"%016x" % int((due or time.perf_counter()) * 1e9)
        self.write(to, stamp + self._filling)

    @abstractmethod
    def write(self, to: str, payload: bytes) -> None:
        """Queue a message as the protocol has it."""

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Count what has arrived, queue what follows from it."""

    def settle(self) -> None:
        """After all that arrived together has been fed; most have nothing more to do."""
        return

    def took(self, payload: bytes) -> None:
        """Note a delivered message."""
        self.delivered += 1
        self.latencies.append(time.perf_counter() - int(payload[:_STAMP], 16) / 1e9)

    def read(self) -> None:
        """Take all that has arrived."""
        while True:
            try:
                data = self.tls.recv(65536)
            except SSL.WantReadError:
                break
            self.feed(data)
        self.settle()

    def flush(self) -> bool:
        """Write; whether something is left over."""
        while self.out:
            try:
                sent = self.tls.send(bytes(self.out[:16384]))
            except (SSL.WantWriteError, SSL.WantReadError):
                return True
            del self.out[:sent]
        return False

    @abstractmethod
    def close(self) -> None:
        """Say goodbye and disconnect."""

    @abstractmethod
    def drop(self) -> None:
        """Disconnect from a server that is dead."""


class Ours(Talker):
    """secure_chat: a device acknowledges once for all that arrived together."""

    _accounts: dict[str, Account] = {}  # noqa: RUF012 - of this process

    def __init__(self, port: int, name: str, source: str) -> None:
        self._wire = Wire(port, source=source, timeout=_LOGIN_SECONDS)
        known = self._accounts.get(name)
        account = known or Account.new(name, self._wire.hello.server_id)
        self._wire.send(account.login(self._wire) if known else account.register(self._wire))
        self._wire.expect(Welcome)
        self._accounts[name] = account
        self._wire.logged_in()
        super().__init__(self._wire._tls, self._wire.fileno())
        self._newest = 0
        for message, body in self._wire._arrived:  # came with the welcome
            if isinstance(message, Delivery):
                self.took(body)
                self._newest = message.seq or 0
        self.settle()

    def write(self, to: str, payload: bytes) -> None:
        name = b64url(os.urandom(16)).encode()
        header = b'{"type":"pm","id":"' + name + b'","to":"' + to.encode() + b'/main"}'
        self.out += encode_frame(header, payload)

    def feed(self, data: bytes) -> None:
        for header, body in self._wire._frames.feed(data):
            if header.startswith(b'{"type":"accepted"'):
                self.accepted += 1
            elif header.startswith(b'{"type":"pm"'):
                self.took(body)
                found = _SEQ.search(header)
                assert found is not None
                self._newest = int(found[1])
            else:
                raise RuntimeError(f"the server said {header!r}")

    def settle(self) -> None:
        if self._newest:
            self.out += encode_frame(b'{"type":"ack","seq":%d}' % self._newest)
            self._newest = 0

    def close(self) -> None:
        self._wire.close()

    def drop(self) -> None:
        self._wire.reset()


_SEQ = re.compile(rb'"seq":(\d+)')


class _Peer(Talker):
    """A connection to another server, blocking until it is logged in."""

    def __init__(self, port: int, name: str, source: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _LOGIN_SECONDS, 0)
        )
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_verify(SSL.VERIFY_NONE)  # the benchmark started this server itself
        tls = SSL.Connection(context, self._sock)
        tls.set_connect_state()
        tls.do_handshake()
        super().__init__(tls, self._sock.fileno())
        self._arrived = b""
        self.log_in(name)
        self._sock.setblocking(False)  # noqa: FBT003

    @abstractmethod
    def log_in(self, name: str) -> None:
        """Say who we are."""

    def close(self) -> None:
        with contextlib.suppress(SSL.Error):
            self._sock.setblocking(True)  # noqa: FBT003
            self.flush()
            self.tls.shutdown()
        self._sock.close()

    def drop(self) -> None:
        self._sock.close()


class Mqtt(_Peer):
    """MQTT 3.1.1 with a session that outlives the connection; a topic for each name."""

    def log_in(self, name: str) -> None:
        self._last = 0
        self._subscribed = False
        connect = b"\0\4MQTT\4\0" + struct.pack("!H", 600) + _text(name)
        self.tls.sendall(_packet(0x10, connect))
        assert self.tls.recv(4)[0] == 0x20
        self.tls.sendall(_packet(0x82, b"\0\1" + _text(name) + b"\1"))  # SUBSCRIBE, QoS 1
        while not self._subscribed:  # what is sent to nobody would be lost
            self.feed(self.tls.recv(65536))

    def write(self, to: str, payload: bytes) -> None:
        self._last = self._last % 65535 + 1
        self.out += _packet(0x32, _text(to) + struct.pack("!H", self._last) + payload)

    def feed(self, data: bytes) -> None:
        data, at = self._arrived + data, 0
        while (packet := _cut(data, at)) is not None:
            kind, content, at = packet
            if kind & 0xF0 == 0x40:
                self.accepted += 1
            elif kind == 0x90:  # SUBACK
                self._subscribed = True
            elif kind & 0xF0 == 0x30:
                topic = 2 + int.from_bytes(content[:2], "big")
                self.out += _packet(0x40, content[topic : topic + 2])
                self.took(content[topic + 2 :])
        self._arrived = data[at:]

    def close(self) -> None:
        self.out += _packet(0xE0, b"")
        super().close()


def _text(text: str) -> bytes:
    return struct.pack("!H", len(text)) + text.encode()


def _packet(kind: int, content: bytes) -> bytes:
    length, left = b"", len(content)
    while left > 127:
        length += bytes([left % 128 | 128])
        left //= 128
    return bytes([kind]) + length + bytes([left]) + content


def _cut(data: bytes, at: int) -> tuple[int, bytes, int] | None:
    """A packet's first byte, its content, and where the next one begins; None: not whole yet."""
    length = shift = 0
    for place in range(at + 1, len(data)):
        length |= (data[place] & 127) << shift
        shift += 7
        if data[place] < 128:
            end = place + 1 + length
            return (data[at], data[place + 1 : end], end) if end <= len(data) else None
    return None


class Xmpp(_Peer):
    """XMPP over direct TLS; asks for an acknowledgement with each message."""

    _STREAM = (
        b"<stream:stream to='localhost' version='1.0' xmlns='jabber:client'"
        b" xmlns:stream='http://etherx.jabber.org/streams'>"
    )
    _SM = b"xmlns='urn:xmpp:sm:3'"
    _FOUND = re.compile(
        rb"<(?:(message|presence|iq)[ />]|body>([^<]{%d})</body>|a [^>]*h=['\"](\d+)|(r) [^>]*>)"
        % PAYLOAD
    )

    def log_in(self, name: str) -> None:
        self._stanzas = 0
        secret = base64.b64encode(b"\0" + name.encode() + b"\0" + b"password")
        self._say(self._STREAM, b"</stream:features>")
        self._say(
            b"<auth mechanism='PLAIN' xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%b</auth>" % secret,
            b"<success",
        )
        self._say(self._STREAM, b"</stream:features>")
        self._say(
            b"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            b"<resource>main</resource></bind></iq>",
            b"</iq>",
        )
        self._say(b"<enable %b/>" % self._SM, b"<enabled")
        self.out += b"<presence/>"

    def _say(self, text: bytes, until: bytes) -> None:
        self.tls.sendall(text)
        heard = b""
        while until not in heard:
            heard += self.tls.recv(65536)

    def write(self, to: str, payload: bytes) -> None:
        self.out += (
            b"<message to='%b@localhost' type='chat' id='%b'><body>%b</body></message><r %b/>"
            % (to.encode(), b64url(os.urandom(16)).encode(), payload, self._SM)
        )

    def feed(self, data: bytes) -> None:
        data, at = self._arrived + data, 0
        for found in self._FOUND.finditer(data):
            at = found.end()
            stanza, payload, handled, asked = found.groups()
            if stanza:
                self._stanzas += 1
            elif payload:
                self.took(payload)
            elif handled:
                self.accepted = int(handled) - 1  # the first was our presence
            elif asked:
                self.out += b"<a %b h='%d'/>" % (self._SM, self._stanzas)
        self._arrived = data[at:]

    def close(self) -> None:
        self.out += b"</stream:stream>"
        super().close()


TALKERS: dict[str, type[Ours] | type[Mqtt] | type[Xmpp]] = {
    "secure_chat": Ours,
    "mosquitto": Mqtt,
    "Prosody": Xmpp,
}
