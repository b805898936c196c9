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

Part = bytes | memoryview


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

    def seal(self, chunk: Part, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last=last), chunk, b"")

    def unseal(self, sealed: Part, *, last: bool) -> bytes:
        chunk = aead.unseal(self._cipher, self._nonce(last=last), sealed, b"")
        if chunk is None:
            raise BadEncoding(what="file")
        return chunk

    def _nonce(self, *, last: bool) -> bytes:
        nonce = self._number.to_bytes(_COUNTER, "big") + (b"\1" if last else b"\0")
        self._number += 1
        return nonce


class _Cutter:
    """Cuts what comes into pieces of one size; the last piece, whole or not, waits for the end."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._waiting = b""

    def cut(self, part: bytes) -> list[memoryview]:
        """The pieces that are certainly not the last: something waits behind each."""
        data = self._waiting + part if self._waiting else part
        end = max(0, len(data) - 1) // self._size * self._size
        self._waiting = data[end:]
        view = memoryview(data)
        return [view[at : at + self._size] for at in range(0, end, self._size)]

    def rest(self) -> bytes:
        """The last piece."""
        return self._waiting


class Sealer:
    """Seals a file of ``size`` bytes, told before: `update` for each part of it, then `finish`.

    Raises `FileTooLong`.
    """

    def __init__(self, key: FileKey, size: int) -> None:
        self._chunks = _Chunks(key)
        self._plain = _Cutter(CHUNK)
        self._left = size
        self._zeros = padded_size(size) - size

    def update(self, part: bytes) -> bytes:
        """The sealed bytes that ``part`` completes. Raises `FileChanged`: there is more than told.

        The last chunk waits for `finish`.
        """
        self._left -= len(part)
        if self._left < 0:
            raise FileChanged
        return self._seal_whole(part)

    def finish(self) -> bytes:
        """The padding and the last chunk. Raises `FileChanged`: there was less than told."""
        if self._left:
            raise FileChanged
        sealed = []
        while self._zeros:
            zeros = min(self._zeros, CHUNK)
            self._zeros -= zeros
            sealed.append(self._seal_whole(bytes(zeros)))
        sealed.append(self._chunks.seal(self._plain.rest(), last=True))
        return b"".join(sealed)

    def _seal_whole(self, part: bytes) -> bytes:
        return b"".join([self._chunks.seal(one, last=False) for one in self._plain.cut(part)])


class Opener:
    """Opens what a `Sealer` of the same key and ``size`` made.

    What `update` returns is authentic and in order, and not yet known to be complete: only
    `finish` says so. Raises `FileTooLong`.
    """

    def __init__(self, key: FileKey, size: int) -> None:
        self._chunks = _Chunks(key)
        self._sealed = _Cutter(CHUNK + aead.TAG)
        self._left = size
        self._sealed_left = sealed_size(size)

    def update(self, sealed: bytes) -> bytes:
        """The bytes of the file that these complete. Raises `BadEncoding`."""
        self._sealed_left -= len(sealed)
        if self._sealed_left < 0:
            raise BadEncoding(what="file")
        return b"".join([self._open(one, last=False) for one in self._sealed.cut(sealed)])

    def finish(self) -> bytes:
        """The rest of the file. Raises `BadEncoding` unless it is the end, and all of it came."""
        if self._sealed_left:
            raise BadEncoding(what="file")
        return self._open(self._sealed.rest(), last=True)

    def _open(self, sealed: Part, *, last: bool) -> bytes:
        chunk = self._chunks.unseal(sealed, last=last)
        part = chunk if len(chunk) <= self._left else chunk[: self._left]
        padding = len(chunk) - len(part)
        self._left -= len(part)
        if padding and chunk.count(0, len(part)) != padding:
            raise BadEncoding(what="padding of a file")
        return part
