"""Padding of plaintext, so that a ciphertext tells little of what it holds (PROTOCOL.md 7.4).

::

    plaintext ‖ 0x80 ‖ 0x00 …        to 256, 512, 1024, 2048, 4096, then multiples of 4096 to 40,960
"""

from secure_chat.errors import BadEncoding, ContentTooLong
from secure_chat.protocol import limits

LARGEST = limits.PADDED_MAX - 1
_MARK = b"\x80"
_MARK_AND_ZEROS = _MARK.ljust(limits.PADDING_MULTIPLE, b"\0")
"""The longest padding: no step is further from the one before."""


def padded_size(size: int) -> int:
    """The step that takes ``size`` bytes; raise `ContentTooLong` above the largest."""
    if size > limits.PADDED_MAX:
        raise ContentTooLong(size=size - 1, limit=LARGEST)
    for step in limits.PADDING_STEPS:
        if size <= step:
            return step
    return -(-size // limits.PADDING_MULTIPLE) * limits.PADDING_MULTIPLE


SIZES = frozenset(
    [
        *limits.PADDING_STEPS,
        *range(limits.PADDING_MULTIPLE, limits.PADDED_MAX + 1, limits.PADDING_MULTIPLE),
    ]
)
"""What a padded plaintext may measure."""


def pad(plaintext: bytes) -> bytes:
    """``plaintext`` with its mark and zeros; raise `ContentTooLong`."""
    marked = plaintext + _MARK
    return marked.ljust(padded_size(len(marked)), b"\0")


def unpad(padded: bytes) -> bytes:
    """What `pad` was given; raise `BadEncoding` for anything `pad` does not make."""
    mark = padded.rfind(_MARK)
    padding = padded[mark:]
    if mark < 0 or not _MARK_AND_ZEROS.startswith(padding) or padded_size(mark + 1) != len(padded):
        raise BadEncoding(what="padding")
    return padded[:mark]
