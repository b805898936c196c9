"""One TLS handshake on the server's side, fed a record at a time.

Left to itself OpenSSL reads on while bytes arrive: a hello of 128 KiB, cut into records of one
byte, held the thread for 1.3 s, and every other newcomer with it. Here each look at a socket costs
a few records, and a whole handshake a bounded number of them.
"""

import selectors
import socket
from contextlib import suppress

from OpenSSL import SSL

from secure_chat import tls
from secure_chat.channel import Channel
from secure_chat.errors import ConnectionLost

_HEADER = 5  # u8 type ‖ u16 version ‖ u16 length (RFC 8446, 5.1)
_HANDSHAKE = 22
_VERSION_MAJOR = 3
_LARGEST = 16_384 + 256
_TURN = 4  # records before other handshakes have their turn
_RECORDS = 64  # in all; an ordinary client sends two or three
_OUTPUT = 65_536


class Opening:
    """A socket on its way. It gets a TLS object only once a whole record has come.

    `advance` whenever the socket is ready for what it asked for last, at first for reading.
    """

    __slots__ = ("_connection", "_done", "_incoming", "_outgoing", "_records", "peer", "sock")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.peer = peer
        self._connection: SSL.Connection | None = None
        self._incoming = b""  # a part of a record
        self._outgoing = b""
        self._records = 0
        self._done = False

    def advance(self, context: SSL.Context) -> int:
        """Go on; 0 when the handshake is complete, else the event of `selectors` to wait for.

        Raises `ConnectionLost`.
        """
        for _ in range(_TURN):
            if not self._flush():
                return selectors.EVENT_WRITE
            if self._done:
                return 0
            if (record := self._read_record()) is None:
                return selectors.EVENT_READ
            if self._connection is None:
                self._connection = SSL.Connection(context)
                self._connection.set_accept_state()
            self._take(self._connection, record)
        if not self._flush():
            return selectors.EVENT_WRITE
        return 0 if self._done else selectors.EVENT_READ

    def finish(self) -> tuple[SSL.Connection, Channel]:
        """The connection and its channel, once `advance` has said 0."""
        if self._connection is None or not self._done:
            raise RuntimeError("the handshake is not complete")
        tls.attach(self._connection, self.sock)
        return self._connection, Channel(self._connection, self.sock)

    def _take(self, connection: SSL.Connection, record: bytes) -> None:
        self._records += 1
        if self._records > _RECORDS:
            raise ConnectionLost(reason="the handshake comes in too many pieces")
        connection.bio_write(record)
        try:
            connection.do_handshake()
            self._done = True
        except SSL.WantReadError:
            pass
        except SSL.Error as wrong:
            self._collect(connection)
            with suppress(ConnectionLost):
                self._flush()  # the alert that says why
            raise ConnectionLost(reason=tls.explain(wrong)) from None
        self._collect(connection)

    def _collect(self, connection: SSL.Connection) -> None:
        with suppress(SSL.WantReadError):  # there is no more
            while True:
                self._outgoing += connection.bio_read(_OUTPUT)

    def _flush(self) -> bool:
        """Send what is to be sent; False if the socket does not take all of it now."""
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[self.sock.send(self._outgoing) :]
        except BlockingIOError:
            return False
        except OSError as wrong:
            raise ConnectionLost(reason=(wrong.strerror or "no reason given").lower()) from None
        return True

    def _read_record(self) -> bytes | None:
        """The next whole record and not a byte more; None when it has not come yet."""
        while (missing := self._missing()) > 0:
            try:
                data = self.sock.recv(missing)
            except BlockingIOError:
                return None
            except OSError as wrong:
                raise ConnectionLost(reason=(wrong.strerror or "no reason given").lower()) from None
            if not data:
                raise ConnectionLost(reason="the other side closed the connection")
            self._incoming += data
        record, self._incoming = self._incoming, b""
        return record

    def _missing(self) -> int:
        """How many bytes the record still needs, as far as can be told."""
        incoming = self._incoming
        if len(incoming) < _HEADER:
            return _HEADER - len(incoming)
        length = int.from_bytes(incoming[3:_HEADER], "big")
        is_first = self._connection is None
        if (
            incoming[1] != _VERSION_MAJOR
            or length > _LARGEST
            or (is_first and incoming[0] != _HANDSHAKE)
        ):
            raise ConnectionLost(reason="the other side does not speak TLS")
        return _HEADER + length - len(incoming)
