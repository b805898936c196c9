"""A TLS client that writes its own records, as an attacker can (RFC 8446, 5 and 7)."""

import contextlib
import hashlib
import hmac
import socket
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

_HANDSHAKE = b"\x16"
_KEY_UPDATE = b"\x18\x00\x00\x01\x00"  # type, length, update_not_requested


class HandMadeClient:
    """Lets OpenSSL make the handshake, then takes the sending side over."""

    def __init__(self, address: tuple[str, int], *, piece: int = 65_536) -> None:
        self._secret = b""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
        context.set_keylog_callback(self._learn)
        connection = SSL.Connection(context)
        connection.set_connect_state()
        self.sock = socket.create_connection(address, timeout=10)
        done = False
        while not done:
            with contextlib.suppress(SSL.WantReadError):
                connection.do_handshake()
                done = True
            with contextlib.suppress(SSL.WantReadError):
                data = connection.bio_read(65_536)
                for at in range(0, len(data), piece):
                    self.sock.sendall(data[at : at + piece])
            if not done:
                connection.bio_write(self.sock.recv(65_536))
        self._sequence = 0

    def _learn(self, _: SSL.Connection, line: bytes) -> None:
        label, _random, secret = line.split()
        if label == b"CLIENT_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode())

    def record(self, kind: bytes, content: bytes) -> bytes:
        """An encrypted record of ``content``."""
        nonce = bytes(
            a ^ b
            for a, b in zip(self._expand(b"iv", 12), bytes(4) + struct.pack(">Q", self._sequence),
                            strict=True)
        )  # fmt: skip
        self._sequence += 1
        header = b"\x17\x03\x03" + struct.pack(">H", len(content) + 1 + 16)
        return header + AESGCM(self._expand(b"key", 32)).encrypt(nonce, content + kind, header)

    def key_update(self) -> bytes:
        """A record that changes our sending key; what follows is under the new one."""
        record = self.record(_HANDSHAKE, _KEY_UPDATE)
        self._secret = self._expand(b"traffic upd", 48)
        self._sequence = 0
        return record

    def _expand(self, label: bytes, size: int) -> bytes:
        """HKDF-Expand-Label with SHA-384 for at most one block."""
        name = b"tls13 " + label
        info = struct.pack(">HB", size, len(name)) + name + b"\x00\x01"
        return hmac.digest(self._secret, info, hashlib.sha384)[:size]
