"""The vectors of sealed files and of the content that offers one; see make_vectors.py."""

import hashlib

from _vector_scenes import NOW, Draws, Encapsulations, Json
from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, File, Place, Reference, Text
from secure_chat.crypto import aead
from secure_chat.crypto.files import CHUNK, FileKey, Opener, Sealer, padded_size, sealed_size
from secure_chat.errors import SecureChatError

_PATTERN = bytes(range(256))
_SIZES = (0, 1, 4096, 4097, 65_535, 65_536, 65_537, 131_072, 200_000, 1_000_000, 104_857_600, 2**32)


def pattern(size: int) -> bytes:
    """A file of ``size`` bytes that count from 0 to 255, again and again."""
    return (_PATTERN * (size // 256 + 1))[:size]


def seal(key: FileKey, plain: bytes) -> bytes:
    """A sealed file."""
    sealer = Sealer(key, len(plain))
    return sealer.update(plain) + sealer.finish()


def _case(draws: Draws, size: int) -> Json:
    key = FileKey(draws(32))
    sealed = seal(key, pattern(size))
    case: Json = {
        "key": key.raw.hex(),
        "size": size,
        "sealed_size": len(sealed),
        "sha256": hashlib.sha256(sealed).hexdigest(),
    }
    return case | ({"sealed": sealed.hex()} if size < CHUNK else {})


def _refused(draws: Draws) -> Json:
    size = 150_000
    key, other = FileKey(draws(32)), FileKey(draws(32))
    sealed = seal(key, pattern(size))
    step = CHUNK + aead.TAG
    chunks = [sealed[at : at + step] for at in range(0, len(sealed), step)]
    assert len(chunks) == 3
    broken: list[tuple[str, Json, FileKey, int]] = [
        ("two chunks have changed places", {"order": [1, 0, 2]}, key, size),
        ("a chunk is missing", {"order": [0, 2]}, key, size),
        ("the last chunk is missing", {"order": [0, 1]}, key, size),
        ("a chunk stands twice", {"order": [0, 1, 1, 2]}, key, size),
        ("a chunk in place of the last one", {"order": [0, 1, 1]}, key, size),
        ("the last byte is missing", {"order": [0, 1, 2], "cut": 1}, key, size),
        ("nothing is there", {"order": []}, key, size),
        ("another key", {"order": [0, 1, 2]}, other, size),
        ("a smaller size: what should be padding is not zero", {"order": [0, 1, 2]}, key, size - 1),
        ("a smaller size, and what lies behind it cut off", {"order": [0, 1]}, key, 2 * CHUNK),
        ("a larger size", {"order": [0, 1, 2]}, key, 2 * size),
    ]
    cases = []
    for why, how, under, told in broken:
        data = b"".join(chunks[each] for each in how["order"])
        data = data[: len(data) - how.get("cut", 0)]
        cases.append(
            {
                "why": why,
                **how,
                "key": under.raw.hex(),
                "size": told,
                "error": _error(under, told, data),
            }
        )
    return {"key": key.raw.hex(), "size": size, "sealed_size": len(sealed), "refused": cases}


def _error(key: FileKey, size: int, sealed: bytes) -> str:
    try:
        opener = Opener(key, size)
        opener.update(sealed)
        opener.finish()
    except SecureChatError as refused:
        return type(refused).__name__
    raise AssertionError("it opened")


def _offer(draws: Draws, *, answer: bool) -> Json:
    key, sha256 = FileKey(draws(32)), draws(32)
    quote = Reference(own=False, content_id=ContentId(draws(16))) if answer else None
    file = File("گزارش.pdf", 123_456, "application/pdf", key, sha256)
    offer = Content(
        ContentId(draws(16)), NOW, Text("ببین" if answer else "", 3600 * answer, quote, file), 1, 1,
        Place(draws(8), 7, own=True),
    )  # fmt: skip
    return {
        "content_id": offer.content_id.hex(),
        "time": NOW,
        "timer": 3600 * answer,
        "answers": None if quote is None else {"whose": 1, "content_id": quote.content_id.hex()},
        "key": key.raw.hex(),
        "sha256": sha256.hex(),
        "size": file.size,
        "media_type": file.media_type,
        "name": file.name,
        "text": "ببین" if answer else "",
        "content": content.encode(offer).hex(),
    }


def files(_: Encapsulations) -> Json:
    """The file of vectors."""
    draws = Draws("files")
    return {
        "shows": "sealed files, what does not open, and the content that offers a file;"
        " a file of size n is the bytes 0, 1, … 255, 0, 1, … cut after n",
        "sizes": [
            {"size": size, "padded": padded_size(size), "sealed": sealed_size(size)}
            for size in _SIZES
        ],
        "sealed": [_case(draws, size) for size in (0, 1, 5000, 65_536, 65_537, 300_000)],
        "invalid": _refused(draws),
        "offers": [_offer(draws, answer=answer) for answer in (False, True)],
        "names": [
            {"sent": sent, "shown": content.cleaned_file_name(sent)}
            for sent in (
                "report.pdf", "../../etc/passwd", "..\\..\\boot.ini", "C:\\Windows\\x.exe",
                "photo_\u202egpj.exe", "photo.jpg      .exe", "CON", "nul.txt", ".bashrc", "-rf",
                "a\0b\nc.txt", "trailing. . .", "", "\u202e", "x" * 300 + ".tar.gz",
                "می\u200cخواهم.txt", "photo.jpg\u2800\u2800.exe", "\u3164\U0001d159.txt",
            )
        ],
    }  # fmt: skip
