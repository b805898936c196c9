"""Frames: the outermost layer inside TLS (PROTOCOL.md 2).

::

    u32 length ‖ u16 header length ‖ header (JSON) ‖ body (opaque)      big-endian
        └── counts all that follows it
"""

from typing import NamedTuple

from secure_chat.errors import Code, ProtocolError
from secure_chat.protocol import limits

_PREFIX = limits.LENGTH_FIELD + limits.HEADER_LENGTH_FIELD


class Frame(NamedTuple):
    """One frame: the header's JSON and the opaque body."""

    header: bytes
    body: bytes


def encode_frame(header: bytes, body: bytes = b"") -> bytes:
    """The bytes of one frame. Raises `ProtocolError` (too_large) above the largest limits."""
    length = limits.HEADER_LENGTH_FIELD + len(header) + len(body)
    if length > limits.FRAME_AFTER_LOGIN or len(header) > limits.KEY_HEADER:
        raise ProtocolError(Code.TOO_LARGE)
    return b"%b%b%b%b" % (
        length.to_bytes(limits.LENGTH_FIELD, "big"),
        len(header).to_bytes(limits.HEADER_LENGTH_FIELD, "big"),
        header,
        body,
    )


class FrameDecoder:
    """Cuts a byte stream into frames, never holding more than one frame's worth of excess.

    ``largest`` starts at the limit before login; `logged_in` raises it. A claimed length above it
    raises at once, before anything is allocated for it.
    """

    def __init__(self, largest: int = limits.FRAME_BEFORE_LOGIN) -> None:
        self._buffer = bytearray()
        self._largest = largest

    def logged_in(self) -> None:
        """Allow frames of the size that follows a login."""
        self._largest = limits.FRAME_AFTER_LOGIN

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they arrive; return the frames completed by them, in order.

        Raises `ProtocolError` (bad_frame, too_large); the connection is beyond repair then.
        """
        self._buffer += data
        frames: list[Frame] = []
        at = 0
        while (end := self._frame_end(at)) is not None:
            frames.append(self._frame(at, end))
            at = end
        if at:
            del self._buffer[:at]
        return frames

    @property
    def holds_partial_frame(self) -> bool:
        """Whether bytes of an incomplete frame wait: a close now is a truncation."""
        return bool(self._buffer)

    def _frame_end(self, at: int) -> int | None:
        """Where the frame at ``at`` ends, or None while it is incomplete."""
        buffer = self._buffer
        if len(buffer) - at < limits.LENGTH_FIELD:
            return None
        length = int.from_bytes(buffer[at : at + limits.LENGTH_FIELD], "big")
        if length > self._largest:
            raise ProtocolError(Code.TOO_LARGE)
        if length < limits.HEADER_LENGTH_FIELD:
            raise ProtocolError(Code.BAD_FRAME)
        end = at + limits.LENGTH_FIELD + length
        return end if len(buffer) >= end else None

    def _frame(self, at: int, end: int) -> Frame:
        buffer = self._buffer
        start = at + _PREFIX
        split = start + int.from_bytes(buffer[at + limits.LENGTH_FIELD : start], "big")
        if split - start > limits.KEY_HEADER:
            raise ProtocolError(Code.TOO_LARGE)
        if split > end:
            raise ProtocolError(Code.BAD_FRAME)
        return Frame(bytes(buffer[start:split]), bytes(buffer[split:end]))
