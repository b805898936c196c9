"""What pyOpenSSL has no call for, or only a slow one: its OpenSSL, called directly.

Each of these stands beside a method of ``SSL.Connection`` and raises what that would raise. A call
lets other threads run meanwhile, however short it is, so that the number of calls is what counts
when a crowd logs in.
"""

import socket
from typing import Any

from cryptography.hazmat.bindings.openssl.binding import Binding
from OpenSSL import SSL

from secure_chat.errors import ConnectionLost

_lib = Binding.lib
_SSL_read = _lib.SSL_read
_SSL_write = _lib.SSL_write
_SSL_do_handshake = _lib.SSL_do_handshake
_SSL_get_error = _lib.SSL_get_error
_BIO_read = _lib.BIO_read
_BIO_write = _lib.BIO_write
_WANT_READ = _lib.SSL_ERROR_WANT_READ
_memory_of = Binding.ffi.buffer


def new_buffer(size: int) -> Any:
    """Memory for `read` and `handshake`, zeroed."""
    return Binding.ffi.new("char[]", size)


def read_single_records(connection: SSL.Connection) -> None:
    """Make each read end after one TLS record, with or without content.

    pyOpenSSL lets OpenSSL read on over records without content as long as there are any: 8 MB of
    key updates from a stranger held the reading thread for 18 s. It has no call to change that.
    """
    _lib.SSL_clear_mode(connection._ssl, _lib.SSL_MODE_AUTO_RETRY)


def read(connection: SSL.Connection, memory: Any) -> bytes:
    """As ``connection.recv(len(memory))``, in a third of its Python time.

    pyOpenSSL takes fresh memory and asks for the error after every call.
    """
    size: int = _SSL_read(connection._ssl, memory, len(memory))
    if size <= 0:
        connection._raise_ssl_error(connection._ssl, size)
    data: bytes = _memory_of(memory, size)[:]
    return data


def write(connection: SSL.Connection, data: bytes | memoryview) -> int:
    """As ``connection.send(data)``, asking for the error only when there is one."""
    sent: int
    if type(data) is bytes:
        sent = _SSL_write(connection._ssl, data, len(data))
    else:
        with Binding.ffi.from_buffer(data) as start:
            sent = _SSL_write(connection._ssl, start, len(data))
    if sent <= 0:
        connection._raise_ssl_error(connection._ssl, sent)
    return sent


# ---------------------------------------------------------------- a handshake through memory


def handshake(connection: SSL.Connection, data: bytes) -> bool:
    """Go on with a handshake through memory after ``data``; whether it is complete.

    As ``bio_write`` and ``do_handshake``, without an exception for "not yet".
    """
    _BIO_write(connection._into_ssl, data, len(data))
    result = _SSL_do_handshake(connection._ssl)
    if result == 1:
        return True
    if _SSL_get_error(connection._ssl, result) != _WANT_READ:
        connection._raise_ssl_error(connection._ssl, result)
    return False


def output(connection: SSL.Connection, memory: Any) -> bytes:
    """What a handshake through memory wants sent; as ``bio_read`` until there is no more."""
    data = b""
    while (size := _BIO_read(connection._from_ssl, memory, len(memory))) > 0:
        data += _memory_of(memory, size)[:]
        if size < len(memory):
            break
    return data


def attach(connection: SSL.Connection, sock: socket.socket) -> None:
    """Let a connection whose handshake went through memory go on over its socket.

    Nothing may be left in the memory, in either direction. pyOpenSSL has no call for it.
    """
    if _lib.SSL_set_fd(connection._ssl, sock.fileno()) != 1:  # frees the memory's buffers
        raise ConnectionLost(reason="TLS does not take the socket")
    connection._socket = sock
    connection._into_ssl = connection._from_ssl = None
