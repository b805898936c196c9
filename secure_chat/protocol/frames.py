"""Frames: the outermost layer inside TLS (PROTOCOL.md 2).

::

    u32 length ‖ u16 header length ‖ header (JSON) ‖ body (opaque)      big-endian
        └── counts all that follows it
"""

import struct
from typing import NamedTuple

from secure_chat.errors import Code, ProtocolError
from secure_chat.protocol import limits

_PREFIX = struct.Struct("!IH")
_pack = _PREFIX.pack
_unpack = _PREFIX.unpack_from
_SIZE = _PREFIX.size
_LENGTH = limits.LENGTH_FIELD
_HEADER_LENGTH = limits.HEADER_LENGTH_FIELD
_LARGEST = limits.FRAME_AFTER_LOGIN
_LARGEST_HEADER = limits.KEY_HEADER


class Frame(NamedTuple):
    """One frame: the header's JSON and the opaque body."""

    header: bytes
    body: bytes


_new_tuple = tuple.__new__  # a Frame without the detour over its Python constructor


class BrokenStream(ProtocolError):
    """What follows is no frame; ``frames`` are those that came whole before it."""

    def __init__(self, code: Code, frames: list[Frame]) -> None:
        self.frames = frames
        super().__init__(code)


def encode_frame(header: bytes, body: bytes = b"") -> bytes:
    """The bytes of one frame. Raises `ProtocolError` (too_large) above the largest limits."""
    length = _HEADER_LENGTH + len(header) + len(body)
    if length > _LARGEST or len(header) > _LARGEST_HEADER:
        raise ProtocolError(Code.TOO_LARGE)
    return _pack(length, len(header)) + header + body


class FrameDecoder:
    """Cuts a byte stream into frames, never holding more than one frame's worth of excess.

    ``largest`` starts at the limit before login; `logged_in` raises it. A claimed length above it
    raises at once, before anything is allocated for it.
    """

    def __init__(self, largest: int = limits.FRAME_BEFORE_LOGIN) -> None:
        self._pending = b""
        self._largest = largest

    def logged_in(self) -> None:
        """Allow frames of the size that follows a login."""
        self._largest = limits.FRAME_AFTER_LOGIN

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they arrive; return the frames completed by them, in order.

        Raises `BrokenStream` (bad_frame, too_large); the connection is beyond repair then.
        """
        buffer = self._pending + data if self._pending else data
        largest = self._largest
        frames: list[Frame] = []
        at, size = 0, len(buffer)
        while size - at >= _SIZE:
            length, header = _unpack(buffer, at)
            if length > largest or header > _LARGEST_HEADER:
                raise BrokenStream(Code.TOO_LARGE, frames)
            if length < _HEADER_LENGTH + header:
                raise BrokenStream(Code.BAD_FRAME, frames)
            end = at + _LENGTH + length
            if end > size:
                break
            split = at + _SIZE + header
            frames.append(_new_tuple(Frame, (buffer[at + _SIZE : split], buffer[split:end])))
            at = end
        self._pending = buffer[at:]
        if self._pending:
            self._check_early(frames)
        return frames

    @property
    def holds_partial_frame(self) -> bool:
        """Whether bytes of an incomplete frame wait: a close now is a truncation."""
        return bool(self._pending)

    def _check_early(self, frames: list[Frame]) -> None:
        """Refuse an impossible length as soon as its four bytes are here."""
        if _LENGTH <= len(self._pending) < _SIZE:
            length = int.from_bytes(self._pending[:_LENGTH], "big")
            if length > self._largest:
                raise BrokenStream(Code.TOO_LARGE, frames)
            if length < _HEADER_LENGTH:
                raise BrokenStream(Code.BAD_FRAME, frames)
