"""Photographs without what the camera wrote into them: place, time, device, names, thumbnails.

A small walk over the segments of JPEG (ITU-T T.81, annex B) and the chunks of PNG (W3C PNG, 5). The
picture itself is copied as it is, never decoded; what shows it rightly stays (colour profile, JFIF,
Adobe's colour transform, and the orientation alone of Exif). Everything behind the picture's end
goes. A file that is neither, or is not well formed, stays as it is; `may_tell` says whether it is
of a kind in which cameras write.
"""

import re
from typing import Final

LARGEST: Final = 64 * 1024 * 1024
"""Larger pictures are sent as they are: the walk holds the whole in memory."""

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_STANDALONE: Final = frozenset([0x01, *range(0xD0, 0xD8)])
_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # within coded data only these are such
_EXIF: Final = b"Exif\0\0"
_JFIF: Final = 14  # bytes of a JFIF header whose thumbnail is left out

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CHUNKS: Final = frozenset(
    [b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"hIST", b"pHYs", b"sPLT",
     b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT"]
)  # fmt: skip


_BY_CAMERAS: Final = re.compile(
    rb"\xff\xd8\xff|\x89PNG|II[*+]\0|MM\0[*+]|RIFF....(?:WEBP|AVI )|....ftyp|\x1aE\xdf\xa3",
    re.DOTALL,
)
"""How JPEG, PNG, TIFF (and raw pictures), WebP, AVI, ISO media (HEIC, AVIF, MP4, MOV) and Matroska
begin."""
_DRAWN: Final = frozenset(["image/gif", "image/bmp", "image/x-ms-bmp", "image/svg+xml"])


class _Malformed(Exception):
    """Bytes that are no such picture."""


def is_picture(head: bytes) -> bool:
    """Whether a file that begins so may be a picture known here."""
    return head.startswith((b"\xff\xd8\xff", _PNG))


def may_tell(head: bytes, media_type: str) -> bool:
    """Whether a file that begins so is of a kind in which cameras write where, when and by what."""
    by_type = media_type.startswith(("image/", "video/")) and media_type not in _DRAWN
    return by_type or _BY_CAMERAS.match(head) is not None


def without_metadata(data: bytes) -> bytes | None:
    """A picture without metadata; None for what is no such picture, or is not well formed."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(_PNG):
            return _png(data)
    except _Malformed:
        pass
    return None


# ---------------------------------------------------------------- JPEG


def _jpeg(data: bytes) -> bytes:
    kept: list[bytes] = []
    orientation, at = 0, 2
    while True:
        at = _at_marker(data, at)
        marker = data[at + 1]
        if marker == _EOI:
            return b"".join([b"\xff\xd8", *_ordered(kept, orientation), b"\xff\xd9"])
        if marker in _STANDALONE:
            kept.append(data[at : at + 2])
            at += 2
            continue
        segment = _segment(data, at)
        at += len(segment)
        if marker == _APP1 and segment[4:10] == _EXIF:
            orientation = orientation or _orientation(segment[10:])
        kept.append(_kept(marker, segment))
        if marker == _SOS:
            end = _MARKER.search(data, at)
            if end is None:
                raise _Malformed
            kept.append(data[at : end.start()])
            at = end.start()


def _at_marker(data: bytes, at: int) -> int:
    """Where the marker is; fill bytes may stand before it."""
    while data[at : at + 2] == b"\xff\xff":
        at += 1
    if at + 2 > len(data) or data[at] != 0xFF or data[at + 1] in {0x00, _SOI}:
        raise _Malformed
    return at


def _segment(data: bytes, at: int) -> bytes:
    """Marker, length and content."""
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    segment = data[at : at + 2 + length]
    if length < 2 or len(segment) != 2 + length:
        raise _Malformed
    return segment


def _kept(marker: int, segment: bytes) -> bytes:
    """What stays of a segment."""
    content = segment[4:]
    if marker == _APP0 and content.startswith(b"JFIF\0") and len(content) >= _JFIF:
        return segment[:2] + (2 + _JFIF).to_bytes(2, "big") + content[: _JFIF - 2] + b"\0\0"
    if (marker == _APP2 and content.startswith(b"ICC_PROFILE\0")) or (
        marker == _APP14 and content.startswith(b"Adobe")
    ):
        return segment
    return b"" if marker == _COM or _APP0 <= marker <= _APP15 else segment


def _ordered(kept: list[bytes], orientation: int) -> list[bytes]:
    """With the orientation alone as Exif, behind a JFIF header if there is one."""
    if not 2 <= orientation <= 8:
        return kept
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0%c\0\0\0\0\0\0" % orientation
    content = _EXIF + tiff
    exif = b"\xff\xe1" + (2 + len(content)).to_bytes(2, "big") + content
    first = 1 if kept and kept[0].startswith(b"\xff\xe0") else 0
    return [*kept[:first], exif, *kept[first:]]


def _orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory (TIFF 6.0, section 2; Exif 4.6.4); 0 if it is not there."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])
    if order is None:
        return 0

    def number(at: int, size: int) -> int:
        part = tiff[at : at + size]
        return int.from_bytes(part, "little" if order == "little" else "big") if part else 0

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 512)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == 0x0112 and number(at + 2, 2) == 3:
            return number(at + 8, 2)
    return 0


# ---------------------------------------------------------------- PNG


def _png(data: bytes) -> bytes:
    kept, at = [_PNG], len(_PNG)
    while True:
        length = int.from_bytes(data[at : at + 4], "big")
        chunk = data[at : at + 12 + length]
        kind = chunk[4:8]
        if len(chunk) != 12 + length or not kind.isalpha():
            raise _Malformed
        if kind[:1].isupper() or kind in _CHUNKS:  # a critical chunk, or one that shows it rightly
            kept.append(chunk)
        at += len(chunk)
        if kind == b"IEND":
            return b"".join(kept)
