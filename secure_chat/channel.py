"""One TLS connection over a non-blocking socket, as both ends use it.

A channel belongs to one thread: an OpenSSL connection is not safe for two.
"""

import socket
import threading
from contextlib import suppress

from OpenSSL import SSL

from secure_chat import openssl, tls
from secure_chat.errors import ConnectionLost

RECORD = 16_384
"""The largest TLS record; a read of this size takes all that OpenSSL holds decrypted."""


class _Buffers(threading.local):
    """Where OpenSSL writes what it reads: one buffer a thread, not one a call."""

    def __init__(self) -> None:
        self.memory = openssl.new_buffer(RECORD)


_buffers = _Buffers()
_EMPTY_READS = 256
"""Reads in a row that brought nothing: more than the pieces of any record on any network."""


class Channel:
    """Reads and writes bytes; never waits. Errors come as `ConnectionLost`, in words."""

    __slots__ = ("_connection", "_empty_reads", "_ended", "_socket")

    def __init__(self, connection: SSL.Connection, sock: socket.socket) -> None:
        self._connection = connection
        self._socket = sock
        self._ended = False
        self._empty_reads = 0
        openssl.read_single_records(connection)

    def fileno(self) -> int:
        """For selectors; -1 once closed."""
        return self._socket.fileno()

    def handshake(self) -> int:
        """Go on with the handshake: 0 when it is done, else the event of `selectors` to wait for.

        Raises `ConnectionLost`, and what the verify callback raised.
        """
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return 1  # selectors.EVENT_READ
        except SSL.WantWriteError:
            return 2  # selectors.EVENT_WRITE
        except SSL.Error as wrong:
            raise self._lost(wrong) from None
        return 0

    def receive(self) -> bytes:
        """What has arrived, at most a record; empty when there is nothing now.

        Raises `ConnectionLost`; the other side's proper end of the connection is one as well.
        """
        try:
            data = openssl.read(self._connection, _buffers.memory)
        except (SSL.WantReadError, SSL.WantWriteError):
            return self._nothing()
        except SSL.ZeroReturnError:
            raise ConnectionLost(reason="the other side closed the connection") from None
        except SSL.Error as wrong:
            raise self._lost(wrong) from None
        self._empty_reads = 0
        return data

    def _nothing(self) -> bytes:
        self._empty_reads += 1
        if self._empty_reads > _EMPTY_READS:
            raise ConnectionLost(reason="the other side sends records without content")
        return b""

    def send(self, data: bytes | memoryview) -> int:
        """Send a part, at most a record; 0 when the socket takes no more now.

        After 0 the next call must repeat at least the same bytes. Raises `ConnectionLost`.
        """
        try:
            return openssl.write(self._connection, data)
        except (SSL.WantReadError, SSL.WantWriteError):
            return 0
        except SSL.Error as wrong:
            raise self._lost(wrong) from None

    def finish(self) -> None:
        """Tell the other side that nothing follows, so that it can tell an end from a cut."""
        if self._ended:
            return  # said already, or broken: OpenSSL forbids a shutdown after an error
        self._ended = True
        with suppress(SSL.Error):
            self._connection.shutdown()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def discard(self) -> bool:
        """After `finish`: throw away what still arrives; False when the other side has ended.

        A socket closed over unread bytes would reset the connection, and the other side might
        lose what was said last.
        """
        try:
            return bool(self._socket.recv(4 * RECORD))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Release the socket, after `finish` where that is still possible."""
        try:
            self.finish()
        finally:
            self._socket.close()

    def _lost(self, wrong: SSL.Error) -> ConnectionLost:
        self._ended = True
        return ConnectionLost(reason=tls.explain(wrong))
