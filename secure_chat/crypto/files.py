"""The encryption of a file: STREAM over ChaCha20-Poly1305 (PROTOCOL.md 13.1).

Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance" (2015), section 7, with the chunk size and the nonce of age::

    padded   = file ‖ zeros                                   to `padded_size`
    chunks   = padded, cut after each 65,536 bytes; the last one has 1 to 65,536
    sealed   = AEAD(payload key, u88 number of the chunk ‖ u8 is the last, chunk) ‖ …

A chunk that is missing, moved, repeated or of another file does not open, and neither does a file
that ends too early or goes on. The key serves one file, so the nonces never repeat.
"""

from typing import Final

from secure_chat.crypto import aead
from secure_chat.crypto.kdf import hkdf
from secure_chat.crypto.keys import Secret
from secure_chat.crypto.labels import KdfLabel
from secure_chat.errors import BadEncoding, FileChanged, FileTooLong
from secure_chat.protocol import limits

CHUNK: Final = 64 * 1024
_COUNTER: Final = 11
_SEALED_CHUNK: Final = CHUNK + aead.TAG


class FileKey(Secret):
    """Encrypts exactly one file; it travels inside the message that offers the file."""

    __slots__ = ()


def padded_size(size: int) -> int:
    """What ``size`` bytes are padded to: at least 4096, then Padmé, which adds at most 12 %.

    Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
    PURBs", 2019, section 4.2): as many low bits are zero as leave log2(log2(size)) + 1 significant
    ones, so that of a file's size only O(log log) bits show. Raises `FileTooLong`.
    """
    if size > limits.FILE:
        raise FileTooLong(size=size, limit=limits.FILE)
    if size <= limits.FILE_PADDED_MIN:
        return limits.FILE_PADDED_MIN
    exponent = size.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (size + mask) & ~mask


def sealed_size(size: int) -> int:
    """How many bytes a file of ``size`` has once it is sealed. Raises `FileTooLong`."""
    padded = padded_size(size)
    return padded + -(-padded // CHUNK) * aead.TAG


class _Chunks:
    """The cipher of one file and the nonce of the next chunk."""

    def __init__(self, key: FileKey) -> None:
        self._cipher = aead.cipher(hkdf(b"", key.raw, KdfLabel.FILE.value, 32))
        self._number = 0

    def seal(self, chunk: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last=last), chunk, b"")

    def unseal(self, sealed: bytes, *, last: bool) -> bytes:
        chunk = aead.unseal(self._cipher, self._nonce(last=last), sealed, b"")
        if chunk is None:
            raise BadEncoding(what="file")
        return chunk

    def _nonce(self, *, last: bool) -> bytes:
        nonce = self._number.to_bytes(_COUNTER, "big") + (b"\1" if last else b"\0")
        self._number += 1
        return nonce


class Sealer:
    """Seals a file of ``size`` bytes, told before: `update` for each part of it, then `finish`.

    Raises `FileTooLong`.
    """

    def __init__(self, key: FileKey, size: int) -> None:
        self._chunks = _Chunks(key)
        self._left = size
        self._zeros = padded_size(size) - size
        self._waiting = bytearray()

    def update(self, part: bytes) -> bytes:
        """The sealed bytes that ``part`` completes. Raises `FileChanged`: there is more than told.

        The last chunk waits for `finish`.
        """
        self._left -= len(part)
        if self._left < 0:
            raise FileChanged
        self._waiting += part
        return self._seal_whole()

    def finish(self) -> bytes:
        """The padding and the last chunk. Raises `FileChanged`: there was less than told."""
        if self._left:
            raise FileChanged
        sealed = []
        while self._zeros:
            room = CHUNK + 1 - len(self._waiting)
            zeros = min(self._zeros, room)
            self._waiting += bytes(zeros)
            self._zeros -= zeros
            sealed.append(self._seal_whole())
        sealed.append(self._chunks.seal(bytes(self._waiting), last=True))
        return b"".join(sealed)

    def _seal_whole(self) -> bytes:
        """Every chunk that is certainly not the last: something waits behind it."""
        sealed = []
        while len(self._waiting) > CHUNK:
            sealed.append(self._chunks.seal(bytes(self._waiting[:CHUNK]), last=False))
            del self._waiting[:CHUNK]
        return b"".join(sealed)


class Opener:
    """Opens what a `Sealer` of the same key and ``size`` made.

    What `update` returns is authentic and in order, and not yet known to be complete: only
    `finish` says so. Raises `FileTooLong`.
    """

    def __init__(self, key: FileKey, size: int) -> None:
        self._chunks = _Chunks(key)
        self._left = size
        self._sealed_left = sealed_size(size)
        self._waiting = bytearray()

    def update(self, sealed: bytes) -> bytes:
        """The bytes of the file that these complete. Raises `BadEncoding`."""
        self._sealed_left -= len(sealed)
        if self._sealed_left < 0:
            raise BadEncoding(what="file")
        self._waiting += sealed
        opened = []
        while len(self._waiting) > _SEALED_CHUNK:
            opened.append(self._open(bytes(self._waiting[:_SEALED_CHUNK]), last=False))
            del self._waiting[:_SEALED_CHUNK]
        return b"".join(opened)

    def finish(self) -> bytes:
        """The rest of the file. Raises `BadEncoding` unless it is the end, and all of it came."""
        if self._sealed_left:
            raise BadEncoding(what="file")
        return self._open(bytes(self._waiting), last=True)

    def _open(self, sealed: bytes, *, last: bool) -> bytes:
        chunk = self._chunks.unseal(sealed, last=last)
        part, padding = chunk[: self._left], chunk[self._left :]
        self._left -= len(part)
        if padding.count(0) != len(padding):
            raise BadEncoding(what="padding of a file")
        return part
