"""The bytes of a content (PROTOCOL.md, content).

::

    u8 version = 1 ‖ u8 flags ‖ u16 type ‖ content id 16 ‖ u64 time in ms
    ‖ u64 counter of the sender's manifest ‖ u64 counter of the recipient's that the sender knows
    ‖ stream 8 ‖ u64 number ‖ payload                                      big-endian

Bit 0 of the flags is *show*: a client that does not know the version or the type says so to the
person; without it, it stays silent. Bit 1 is *numbered*: the number is this content's own, and not
that of the last numbered one before it. The first two bytes stay where they are in every version.
"""

from collections.abc import Callable

from secure_chat.client.content.check import (
    EDITS,
    NAME_BYTES,
    checked_reaction,
    checked_timer,
    cleaned_name,
)
from secure_chat.client.content.filename import checked_media_type, cleaned_file_name
from secure_chat.client.content.payloads import (
    CONTENT_ID_BYTES,
    RECEIPT_IDS,
    SHOWN,
    STREAM_BYTES,
    TIMER_REVISIONS,
    Content,
    ContentId,
    Delete,
    Edit,
    File,
    Payload,
    Place,
    Profile,
    Reaction,
    Receipt,
    Reference,
    SessionLost,
    Text,
    Timer,
    Turn,
    Type,
    Typing,
    Unknown,
    kind_of,
)
from secure_chat.crypto.files import FileKey
from secure_chat.errors import BadEncoding, BadReaction, BadTimer
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8, u32, u64

VERSION = 1
_SHOW = 0x01
_NUMBERED = 0x02


def encode_payload(payload: Payload) -> bytes:
    """The bytes after the head."""
    match payload:
        case Text(file=File() as file):
            return _file_payload(payload, file)
        case Text(text=text, timer=timer, quote=quote):
            return u32(timer) + (b"" if quote is None else _reference(quote)) + text.encode()
        case Edit(content_id=content_id, revision=revision, text=text):
            return content_id + u32(revision) + text.encode()
        case Delete(content_id=content_id):
            return content_id
        case Reaction(about=reference, revision=revision, emoji=emoji):
            return _reference(reference) + u32(revision) + emoji.encode()
        case Timer(revision=revision, seconds=seconds):
            return u64(revision) + u32(seconds)
        case Typing(active=active):
            return u8(active)
        case Profile(revision=revision, name=name):
            return u32(revision) + name.encode()
        case Receipt(content_ids=content_ids):
            return b"".join(content_ids)
        case _:
            return b""


def _file_payload(message: Text, file: File) -> bytes:
    """Timer ‖ u8 answers ‖ [ref] ‖ key 32 ‖ SHA-256 32 ‖ u64 size ‖ media type ‖ name ‖ caption."""
    name = file.name.encode()
    return b"".join(
        (
            u32(message.timer),
            b"\0" if message.quote is None else b"\1" + _reference(message.quote),
            file.key.raw,
            file.sha256,
            u64(file.size),
            u8(len(file.media_type)) + file.media_type.encode("ascii"),
            len(name).to_bytes(2, "big") + name,
            message.text.encode(),
        )
    )


def _reference(reference: Reference) -> bytes:
    return u8(0 if reference.own else 1) + reference.content_id


def encode(content: Content) -> bytes:
    """The bytes that are padded and encrypted."""
    return assemble(content, kind_of(content.payload), encode_payload(content.payload))


def assemble(content: Content, kind: Type, payload: bytes) -> bytes:
    """As `encode`, with a payload that was encoded before (the outbox keeps it so)."""
    return b"".join(
        (
            u8(VERSION),
            u8((_SHOW if kind in SHOWN else 0) | (_NUMBERED if content.place.own else 0)),
            kind.to_bytes(2, "big"),
            content.content_id,
            u64(content.time),
            u64(content.own_counter),
            u64(content.their_counter),
            content.place.stream,
            u64(content.place.number),
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
    content_id = _content_id(reader)
    time, own, their = reader.number(8), reader.number(8), reader.number(8)
    place = Place(reader.take(STREAM_BYTES), reader.number(8), bool(flags & _NUMBERED))
    payload = _payload(Type(kind), reader) if kind in _KNOWN else unknown
    return Content(content_id, time, payload, own, their, place)


_KNOWN = frozenset(Type)


def decode_payload(kind: Type, data: bytes) -> Payload:
    """A payload as `encode_payload` wrote it; raise `BadEncoding`."""
    return _payload(kind, Reader(data, "content"))


def _payload(kind: Type, reader: Reader) -> Payload:
    payload = _READERS[kind](reader)
    reader.finish()
    return payload


def _read_text(reader: Reader) -> Text:
    timer = _timer(reader)
    return Text(_text(reader.rest()), timer)


def _read_reply(reader: Reader) -> Text:
    timer, quote = _timer(reader), _read_reference(reader)
    return Text(_text(reader.rest()), timer, quote)


def _read_file(reader: Reader) -> Text:
    timer = _timer(reader)
    quote = _read_reference(reader) if _flag(reader, "file") else None
    key, sha256, size = FileKey(reader.take(32)), reader.take(32), reader.number(8)
    media_type, name = reader.take(reader.number(1)), reader.take(reader.number(2))
    caption = reader.rest()
    if size > limits.FILE or not 1 <= len(name) <= limits.FILE_NAME or len(caption) > limits.TEXT:
        raise BadEncoding(what="file")
    file = File(
        cleaned_file_name(_utf8(name, "name of a file")),
        size,
        checked_media_type(media_type.decode("ascii", "replace")),
        key,
        sha256,
    )
    return Text(_utf8(caption, "text"), timer, quote, file)


def _read_edit(reader: Reader) -> Edit:
    content_id, revision = _content_id(reader), reader.number(4)
    if not 1 <= revision <= EDITS:
        raise BadEncoding(what="edit")
    return Edit(content_id, revision, _text(reader.rest()))


def _read_reaction(reader: Reader) -> Reaction:
    reference, revision = _read_reference(reader), reader.number(4)
    try:
        emoji = checked_reaction(_utf8(reader.rest(), "reaction"))
    except BadReaction:
        raise BadEncoding(what="reaction") from None
    if not revision:
        raise BadEncoding(what="reaction")
    return Reaction(reference, revision, emoji)


def _read_timer(reader: Reader) -> Timer:
    revision, seconds = reader.number(8), _timer(reader)
    if not 1 <= revision <= TIMER_REVISIONS:
        raise BadEncoding(what="timer")
    return Timer(revision, seconds)


def _read_typing(reader: Reader) -> Typing:
    return Typing(_flag(reader, "typing"))


def _read_profile(reader: Reader) -> Profile:
    revision, name = reader.number(4), reader.rest()
    if not revision or len(name) > NAME_BYTES:
        raise BadEncoding(what="profile")
    return Profile(revision, cleaned_name(_utf8(name, "profile")))


def _read_receipt(reader: Reader, *, read: bool) -> Receipt:
    ids: list[ContentId] = []
    while not reader.at_end:
        ids.append(_content_id(reader))
    if not 1 <= len(ids) <= RECEIPT_IDS:
        raise BadEncoding(what="receipt")
    return Receipt(tuple(ids), read=read)


_READERS: dict[Type, Callable[[Reader], Payload]] = {
    Type.TEXT: _read_text,
    Type.DELIVERED: lambda reader: _read_receipt(reader, read=False),
    Type.READ: lambda reader: _read_receipt(reader, read=True),
    Type.TURN: lambda _: Turn(),
    Type.SESSION_LOST: lambda _: SessionLost(),
    Type.REPLY: _read_reply,
    Type.EDIT: _read_edit,
    Type.DELETE: lambda reader: Delete(_content_id(reader)),
    Type.REACTION: _read_reaction,
    Type.TIMER: _read_timer,
    Type.TYPING: _read_typing,
    Type.PROFILE: _read_profile,
    Type.FILE: _read_file,
}


def _read_reference(reader: Reader) -> Reference:
    """u8 whose (0: the sender's own message, 1: one of the recipient) ‖ content id."""
    own = not _flag(reader, "reference")
    return Reference(own, _content_id(reader))


def _content_id(reader: Reader) -> ContentId:
    return ContentId(reader.take(CONTENT_ID_BYTES))


def _flag(reader: Reader, what: str) -> bool:
    value = reader.number(1)
    if value > 1:
        raise BadEncoding(what=what)
    return bool(value)


def _timer(reader: Reader) -> int:
    try:
        return checked_timer(reader.number(4))
    except BadTimer:
        raise BadEncoding(what="timer") from None


def _text(data: bytes) -> str:
    if not 1 <= len(data) <= limits.TEXT:
        raise BadEncoding(what="text")
    return _utf8(data, "text")


def _utf8(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadEncoding(what=what) from None
