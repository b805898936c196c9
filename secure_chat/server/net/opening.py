"""One TLS handshake on the server's side, fed a record at a time.

Left to itself OpenSSL reads on while bytes arrive: a hello of 128 KiB, cut into records of one
byte, held the thread for 1.3 s, and every other newcomer with it. Here a whole handshake is a
bounded number of records, and what follows it stays in the socket for the connection's own thread.
"""

import selectors
import socket
from contextlib import suppress

from OpenSSL import SSL

from secure_chat import openssl, tls
from secure_chat.channel import Channel
from secure_chat.errors import ConnectionLost

_HEADER = 5  # u8 type ‖ u16 version ‖ u16 length (RFC 8446, 5.1)
_CHANGE_CIPHER_SPEC = b"\x14"
_HANDSHAKE = 22
_VERSION_MAJOR = 3
_LARGEST = 16_384 + 256
_RECORDS = 64  # in all; an ordinary client sends three
_output = openssl.new_buffer(16_384)  # of the one thread that all handshakes are on


class Opening:
    """A socket on its way. It gets a TLS object only once a whole record has come.

    `advance` whenever the socket is ready for what it asked for last, at first for reading.
    """

    __slots__ = ("_connection", "_done", "_incoming", "_outgoing", "_records", "peer", "sock")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self.sock = sock
        self.peer = peer
        self._connection: SSL.Connection | None = None
        self._incoming = b""  # not given to OpenSSL yet
        self._outgoing = b""
        self._records = 0
        self._done = False

    def advance(self, context: SSL.Context) -> int:
        """Go on; 0 when the handshake is complete, else the event of `selectors` to wait for.

        Raises `ConnectionLost`.
        """
        has_answered = False
        while self._flush():
            if self._done:
                return 0
            # The other side has to read an answer before it can go on.
            if has_answered or (records := self._read_records()) is None:
                return selectors.EVENT_READ
            if self._connection is None:
                self._connection = SSL.Connection(context)
                self._connection.set_accept_state()
            self._take(self._connection, records)
            has_answered = bool(self._outgoing) and not self._incoming
        return selectors.EVENT_WRITE

    def finish(self) -> tuple[SSL.Connection, Channel]:
        """The connection and its channel, once `advance` has said 0."""
        if self._connection is None or not self._done:
            raise RuntimeError("the handshake is not complete")
        openssl.attach(self._connection, self.sock)
        return self._connection, Channel(self._connection, self.sock)

    def _take(self, connection: SSL.Connection, records: bytes) -> None:
        try:
            self._done = openssl.handshake(connection, records)
        except SSL.Error as wrong:
            self._outgoing += openssl.output(connection, _output)
            with suppress(ConnectionLost):
                self._flush()  # the alert that says why
            raise ConnectionLost(reason=tls.explain(wrong)) from None
        self._outgoing += openssl.output(connection, _output)
        if self._done and self._incoming:
            raise ConnectionLost(reason="the other side spoke before the handshake's end")

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

    # ------------------------------------------------------------ records

    def _read_records(self) -> bytes | None:
        """The next record that says something, whole; None when it has not come yet.

        A ChangeCipherSpec says nothing in TLS 1.3 (RFC 8446, D.4): it goes with what follows it.
        """
        end = count = 0  # of the whole records that have come
        while True:
            missing = self._missing(end)
            if missing > 0:
                if not self._receive(missing, end):
                    return None
                continue
            count += 1
            if self._records + count > _RECORDS:
                raise ConnectionLost(reason="the handshake comes in too many pieces")
            kind = self._incoming[end : end + 1]
            end += _HEADER + int.from_bytes(self._incoming[end + 3 : end + _HEADER], "big")
            if kind != _CHANGE_CIPHER_SPEC:
                self._records += count
                records, self._incoming = self._incoming[:end], self._incoming[end:]
                return records

    def _missing(self, at: int) -> int:
        """How many bytes the record at ``at`` still needs, as far as can be told."""
        header = self._incoming[at : at + _HEADER]
        if len(header) < _HEADER:
            return _HEADER - len(header)
        length = int.from_bytes(header[3:], "big")
        is_first = self._connection is None and at == 0
        if (
            header[1] != _VERSION_MAJOR
            or length > _LARGEST
            or (is_first and header[0] != _HANDSHAKE)
        ):
            raise ConnectionLost(reason="the other side does not speak TLS")
        return at + _HEADER + length - len(self._incoming)

    def _receive(self, missing: int, at: int) -> bool:
        """Read what the record at ``at`` needs; False when there is nothing now.

        Never a byte of what follows the handshake: nothing can follow the hello before it is
        answered, and a ChangeCipherSpec is never the last record.
        """
        if self._connection is None:
            missing = _LARGEST
        elif self._incoming[at : at + 1] == _CHANGE_CIPHER_SPEC:
            missing += _HEADER
        try:
            data = self.sock.recv(missing)
        except BlockingIOError:
            return False
        except OSError as wrong:
            raise ConnectionLost(reason=(wrong.strerror or "no reason given").lower()) from None
        if not data:
            raise ConnectionLost(reason="the other side closed the connection")
        self._incoming += data
        return True
