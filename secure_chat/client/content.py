"""What stands inside the encryption: typed, versioned content (PROTOCOL.md, content).

::

    u8 version = 1 ‖ u8 flags ‖ u16 type ‖ content id 16 ‖ u64 time in ms
    ‖ u64 counter of the sender's manifest ‖ u64 counter of the recipient's that the sender knows
    ‖ payload                                                              big-endian

Bit 0 of the flags is *show*: a client that does not know the version or the type says so to the
person; without it, it stays silent. The first two bytes stay where they are in every version.
"""

import enum
from typing import NewType

from msgspec import Struct

from secure_chat.errors import BadEncoding, BadText, TextTooLong
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8, u64

VERSION = 1
CONTENT_ID_BYTES = 16
RECEIPT_IDS = 256
"""How many messages one receipt may name (4 KiB)."""

_SHOW = 0x01

ContentId = NewType("ContentId", bytes)
"""16 random bytes that name a content for display, receipts and replies."""


class Type(enum.IntEnum):
    """The types of content: the one table. Numbers are never given to another meaning."""

    TEXT = 1
    DELIVERED = 2
    READ = 3
    TURN = 4
    SESSION_LOST = 5


SHOWN = {Type.TEXT, Type.SESSION_LOST}
"""Types that a client without them must not swallow."""


class Text(Struct, frozen=True):
    """Something that a person wrote: 1 to 16,384 bytes of UTF-8."""

    text: str


class Receipt(Struct, frozen=True):
    """These messages are in the vault of the other device (or were read there)."""

    content_ids: tuple[ContentId, ...]
    read: bool = False


class Turn(Struct, frozen=True):
    """Nothing to show: it turns the ratchet, so that one-way talk heals too."""


class SessionLost(Struct, frozen=True):
    """The sender lost its session and has begun another: it asks for what it has not confirmed."""


class Unknown(Struct, frozen=True):
    """A type or version that this client does not know; ``show`` as the sender set it."""

    show: bool


Payload = Text | Receipt | Turn | SessionLost | Unknown


class Content(Struct, frozen=True):
    """A decoded content. Of an `Unknown` version only the payload's ``show`` means anything."""

    content_id: ContentId
    time: int
    payload: Payload
    own_counter: int = 0
    their_counter: int = 0


def checked_text(text: str) -> str:
    """``text`` if it may be sent. Raises `TextTooLong`, `BadText`."""
    if not text:
        raise BadText(reason="it is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadText(reason="it has half of a surrogate pair") from None
    if size > limits.TEXT:
        raise TextTooLong(size=size, limit=limits.TEXT)
    return text


def kind_of(payload: Payload) -> Type:
    """The type number that a payload travels under."""
    match payload:
        case Text():
            return Type.TEXT
        case Receipt(read=read):
            return Type.READ if read else Type.DELIVERED
        case Turn():
            return Type.TURN
        case SessionLost():
            return Type.SESSION_LOST
        case Unknown():
            raise BadEncoding(what="content to send")


def encode_payload(payload: Payload) -> bytes:
    """The bytes after the head."""
    match payload:
        case Text(text=text):
            return text.encode()
        case Receipt(content_ids=content_ids):
            return b"".join(content_ids)
        case _:
            return b""


def encode(content: Content) -> bytes:
    """The bytes that are padded and encrypted."""
    return assemble(content, kind_of(content.payload), encode_payload(content.payload))


def assemble(content: Content, kind: Type, payload: bytes) -> bytes:
    """As `encode`, with a payload that was encoded before (the outbox keeps it so)."""
    return b"".join(
        (
            u8(VERSION),
            u8(_SHOW if kind in SHOWN else 0),
            kind.to_bytes(2, "big"),
            content.content_id,
            u64(content.time),
            u64(content.own_counter),
            u64(content.their_counter),
            payload,
        )
    )


def decode(data: bytes) -> Content:
    """Read a content; raise `BadEncoding` for a malformed one of a known type."""
    reader = Reader(data, "content")
    version, flags = reader.number(1), reader.number(1)
    unknown = Unknown(show=bool(flags & _SHOW))
    if version != VERSION:
        return Content(ContentId(bytes(CONTENT_ID_BYTES)), 0, unknown)
    kind = reader.number(2)
    content_id = ContentId(reader.take(CONTENT_ID_BYTES))
    time, own, their = reader.number(8), reader.number(8), reader.number(8)
    payload = _payload(kind, reader) if kind in set(Type) else unknown
    return Content(content_id, time, payload, own, their)


def decode_payload(kind: Type, data: bytes) -> Payload:
    """A payload as `encode_payload` wrote it; raise `BadEncoding`."""
    return _payload(kind, Reader(data, "content"))


def _payload(kind: int, reader: Reader) -> Payload:
    match kind:
        case Type.TEXT:
            return Text(_text(reader.rest()))
        case Type.DELIVERED | Type.READ:
            return Receipt(_content_ids(reader), read=kind == Type.READ)
        case Type.TURN:
            reader.finish()
            return Turn()
        case _:
            reader.finish()
            return SessionLost()


def _text(data: bytes) -> str:
    if not 1 <= len(data) <= limits.TEXT:
        raise BadEncoding(what="text")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadEncoding(what="text") from None


def _content_ids(reader: Reader) -> tuple[ContentId, ...]:
    ids: list[ContentId] = []
    while not reader.at_end:
        ids.append(ContentId(reader.take(CONTENT_ID_BYTES)))
    if not 1 <= len(ids) <= RECEIPT_IDS:
        raise BadEncoding(what="receipt")
    return tuple(ids)
