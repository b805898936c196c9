"""QR codes: ours as an image to show, theirs out of an image file.

Showing needs nothing beside segno. Reading needs a decoder that not everybody has use for: the
extra ``qr`` (zxing-cpp, and Pillow for the image formats of phones). Pasted text works without it.
"""

import io
from pathlib import Path

import segno

from secure_chat.errors import NoQrCode, NoQrReader, QrImageUnusable

_BORDER = 4  # modules of quiet zone (ISO/IEC 18004)
_MOST_PIXELS = 60_000_000  # a photograph of a large camera; more is a bomb
_MOST_BYTES = 40 * 1024 * 1024
_LONGEST = 4096  # characters of a code that anybody can mean


def png(content: str, pixels: int) -> bytes:
    """A PNG of ``content``, black on white, at most ``pixels`` wide, with its quiet zone."""
    code = segno.make(content, error="m", boost_error=False, micro=False)
    modules = code.symbol_size(border=_BORDER)[0]
    out = io.BytesIO()
    code.save(out, kind="png", scale=max(1, pixels // modules), border=_BORDER)
    return out.getvalue()


def read_image(path: Path) -> str:
    """The text of the QR code in an image file.

    Raises `NoQrReader` (the extra is not installed), `QrImageUnusable`, `NoQrCode`.
    """
    try:
        import zxingcpp
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise NoQrReader from None
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise QrImageUnusable(path=path, reason="it is too large")
        with Image.open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise QrImageUnusable(path=path, reason="it is too large")
            grey = image.convert("L")
    except UnidentifiedImageError:
        raise QrImageUnusable(path=path, reason="it is no image that is known here") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as wrong:
        reason = getattr(wrong, "strerror", None) or "the image is damaged"
        raise QrImageUnusable(path=path, reason=reason) from None
    found = zxingcpp.read_barcodes(
        grey, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    )
    texts = [one.text for one in found if one.valid and len(one.text) <= _LONGEST]
    if not texts:
        raise NoQrCode(path=path)
    return str(texts[0])
