"""The encodings that everything signed, hashed or stored is built from (PROTOCOL.md 1).

Headers use unpadded base64url; signed and hashed structures are length-prefixed fields, so that no
two different lists of fields have the same bytes.
"""

import binascii

from secure_chat.errors import BadEncoding

_U32 = 4


_TO_URL = bytes.maketrans(b"+/", b"-_")
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")


def b64url(data: bytes) -> str:
    """Unpadded base64url (RFC 4648 section 5)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode("ascii")


def from_b64url_loose(text: str) -> bytes:
    """Decode base64url for a caller that compares the re-encoding itself; raise `BadEncoding`."""
    try:
        return binascii.a2b_base64(text.encode("ascii").translate(_TO_STANDARD) + b"==")
    except (binascii.Error, UnicodeEncodeError):
        raise BadEncoding(what="base64url") from None


def from_b64url(text: str) -> bytes:
    """Decode unpadded base64url; raise `BadEncoding` for anything that is not its only form."""
    data = from_b64url_loose(text)
    if b64url(data) != text:  # padding, foreign characters and loose trailing bits
        raise BadEncoding(what="base64url")
    return data


def fields(*parts: bytes) -> bytes:
    """``u32 length ‖ part`` for each part, big-endian."""
    return b"".join(len(part).to_bytes(_U32, "big") + part for part in parts)


def u8(number: int) -> bytes:
    """One byte."""
    return number.to_bytes(1, "big")


def u32(number: int) -> bytes:
    """Four bytes, big-endian."""
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


class Reader:
    """Reads a binary structure from front to back; every shortage raises `BadEncoding`."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        end = self._at + size
        if end > len(self._data):
            raise BadEncoding(what=self._what)
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def number(self, size: int) -> int:
        """The next ``size`` bytes as a big-endian number."""
        return int.from_bytes(self.take(size), "big")

    def field(self, exactly: int | None = None) -> bytes:
        """A part written by `fields`; with ``exactly``, of that size and no other."""
        part = self.take(self.number(_U32))
        if exactly is not None and len(part) != exactly:
            raise BadEncoding(what=self._what)
        return part

    @property
    def at_end(self) -> bool:
        """Whether everything has been read."""
        return self._at == len(self._data)

    def rest(self) -> bytes:
        """All that has not been read yet."""
        return self.take(len(self._data) - self._at)

    def finish(self) -> None:
        """Raise `BadEncoding` if bytes are left over."""
        if not self.at_end:
            raise BadEncoding(what=self._what)
