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


class Frame(NamedTuple):
    """One frame: the header's JSON and the opaque body."""

    header: bytes
    body: bytes


def encode_frame(header: bytes, body: bytes = b"") -> bytes:
    """The bytes of one frame. Raises `ProtocolError` (too_large) above the largest limits."""
    length = limits.HEADER_LENGTH_FIELD + len(header) + len(body)
    if length > limits.FRAME_AFTER_LOGIN or len(header) > limits.KEY_HEADER:
        raise ProtocolError(Code.TOO_LARGE)
    return _PREFIX.pack(length, len(header)) + header + body


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

        Raises `ProtocolError` (bad_frame, too_large); the connection is beyond repair then.
        """
        buffer = self._pending + data if self._pending else data
        frames: list[Frame] = []
        at, size = 0, len(buffer)
        while size - at >= _PREFIX.size:
            length, header = _PREFIX.unpack_from(buffer, at)
            self._check(length, header)
            end = at + limits.LENGTH_FIELD + length
            if end > size:
                break
            split = at + _PREFIX.size + header
            frames.append(Frame(buffer[at + _PREFIX.size : split], buffer[split:end]))
            at = end
        self._pending = buffer[at:]
        self._check_early()
        return frames

    @property
    def holds_partial_frame(self) -> bool:
        """Whether bytes of an incomplete frame wait: a close now is a truncation."""
        return bool(self._pending)

    def _check(self, length: int, header: int) -> None:
        if length > self._largest or header > limits.KEY_HEADER:
            raise ProtocolError(Code.TOO_LARGE)
        if length < limits.HEADER_LENGTH_FIELD + header:
            raise ProtocolError(Code.BAD_FRAME)

    def _check_early(self) -> None:
        """Refuse an impossible length as soon as its four bytes are here."""
        if limits.LENGTH_FIELD <= len(self._pending) < _PREFIX.size:
            length = int.from_bytes(self._pending[: limits.LENGTH_FIELD], "big")
            self._check(length, 0)
