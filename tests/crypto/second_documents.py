"""Manifests and files once more, from PROTOCOL.md 1, 4 and 13.1 alone: no import of secure_chat."""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.crypto.second_implementation import fields, hkdf, unhex

_CHUNK = 65_536
_TAG = 16


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Manifest:
    """What is described, behind the hash of the one before (chapter 1)."""

    def __init__(self, described: dict[str, Any], previous: bytes) -> None:
        devices = [
            fields(device["name"].encode(), *(unhex(device[key]) for key in _KEYS))
            for device in described["devices"]
        ]
        counter, time = (struct.pack(">Q", described[name]) for name in ("counter", "time_ms"))
        address = described["address"].encode()
        self.encoded = b"\1" + fields(address, counter, previous, time, *devices)

    def signed_by(self, seed: bytes) -> bytes:
        """The account key's signature (chapter 4)."""
        signed = hashlib.sha256(fields(self.encoded)).digest()
        return Ed25519PrivateKey.from_private_bytes(seed).sign(b"secure_chat/1 manifest" + signed)


_KEYS = ("device_key", "dh_key", "mls_key")


def padded_size(size: int) -> int:
    """Padme's, and at least a page."""
    if size <= 4096:
        return 4096
    exponent = size.bit_length() - 1
    step = 1 << (exponent - exponent.bit_length())
    return -(-size // step) * step


def _nonces(chunks: int) -> Iterator[bytes]:
    for number in range(chunks):
        yield number.to_bytes(11, "big") + bytes([number == chunks - 1])


def _aead(key: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hkdf(b"", key, b"secure_chat/1 file")[0])


def seal_file(key: bytes, file: bytes) -> bytes:
    """A blob of a file."""
    padded = file.ljust(padded_size(len(file)), b"\0")
    chunks = [padded[at : at + _CHUNK] for at in range(0, len(padded), _CHUNK)]
    aead = _aead(key)
    return b"".join(
        aead.encrypt(nonce, chunk, None)
        for nonce, chunk in zip(_nonces(len(chunks)), chunks, strict=True)
    )


def open_file(key: bytes, sealed: bytes, size: int) -> bytes:
    """The file of a blob; LookupError for a wrong length or padding, InvalidTag for a chunk."""
    pieces = [sealed[at : at + _CHUNK + _TAG] for at in range(0, len(sealed), _CHUNK + _TAG)]
    if len(sealed) != padded_size(size) + _TAG * len(pieces):
        raise LookupError
    aead = _aead(key)
    padded = b"".join(
        aead.decrypt(nonce, piece, None)
        for nonce, piece in zip(_nonces(len(pieces)), pieces, strict=True)
    )
    if padded[size:].strip(b"\0"):
        raise LookupError
    return padded[:size]
