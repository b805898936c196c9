"""The bytes of a content (PROTOCOL.md, content).

::

    u8 version = 1 ‖ u8 flags ‖ u16 type ‖ content id 16 ‖ u64 time in ms
    ‖ u64 counter of the sender's manifest ‖ u64 counter of the recipient's that the sender knows
    ‖ stream 8 ‖ u64 number ‖ payload                                      big-endian

Bit 0 of the flags is *show*: a client that does not know the version or the type says so to the
person; without it, it stays silent. Bit 1 is *numbered*: the number is this content's own, and not
that of the last numbered one before it. The first two bytes stay where they are in every version.
"""

import enum
from collections.abc import Callable
from typing import NewType

from msgspec import Struct

from secure_chat.client.content.check import (
    EDITS,
    NAME_BYTES,
    checked_reaction,
    checked_timer,
    cleaned_name,
)
from secure_chat.errors import BadEncoding, BadReaction, BadTimer
from secure_chat.protocol import limits
from secure_chat.protocol.encoding import Reader, u8, u32, u64

VERSION = 1
CONTENT_ID_BYTES = 16
RECEIPT_IDS = 256
"""How many messages one receipt may name (4 KiB)."""
TIMER_REVISIONS = 2**63 - 1

_SHOW = 0x01
_NUMBERED = 0x02
STREAM_BYTES = 8
NO_STREAM = bytes(STREAM_BYTES)

ContentId = NewType("ContentId", bytes)
"""16 random bytes that name a content for display, receipts and replies."""


class Type(enum.IntEnum):
    """The types of content: the one table. Numbers are never given to another meaning."""

    TEXT = 1
    DELIVERED = 2
    READ = 3
    TURN = 4
    SESSION_LOST = 5
    REPLY = 6
    EDIT = 7
    DELETE = 8
    REACTION = 9
    TIMER = 10
    TYPING = 11
    PROFILE = 12


LINES = {Type.TEXT, Type.REPLY}
"""Types that stand as a line of their own in a conversation."""
KEPT = LINES | {Type.EDIT, Type.DELETE, Type.REACTION, Type.TIMER, Type.PROFILE}
"""Types that the sender keeps until a receipt names them, and sends again after a lost session."""
SHOWN = LINES | {Type.SESSION_LOST, Type.EDIT, Type.DELETE, Type.TIMER}
"""Types that a client without them must not swallow."""


class Reference(Struct, frozen=True):
    """A message of this conversation. ``own``: the sender of the reference wrote it."""

    own: bool
    content_id: ContentId


class Text(Struct, frozen=True):
    """Something that a person wrote: 1 to 16,384 bytes of UTF-8.

    ``timer``: seconds from reading after which it disappears, 0: never. ``quote``: what it
    answers; a reference alone, so that nobody can put words into another's mouth.
    """

    text: str
    timer: int = 0
    quote: Reference | None = None


class Edit(Struct, frozen=True):
    """Another text for a message of the sender's own; ``revision`` is 1 for the first edit."""

    content_id: ContentId
    revision: int
    text: str


class Delete(Struct, frozen=True):
    """A message of the sender's own is taken back, with its edits and reactions."""

    content_id: ContentId


class Reaction(Struct, frozen=True):
    """The sender's one reaction to a message; an empty ``emoji`` withdraws it."""

    about: Reference
    revision: int
    emoji: str


class Timer(Struct, frozen=True):
    """From now on messages of both disappear ``seconds`` after they were read; 0: never."""

    revision: int
    seconds: int


class Typing(Struct, frozen=True):
    """The sender is writing, or has stopped."""

    active: bool


class Profile(Struct, frozen=True):
    """How the sender likes to be called; empty: by the account's name."""

    revision: int
    name: str


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


Payload = (
    Text
    | Edit
    | Delete
    | Reaction
    | Timer
    | Typing
    | Profile
    | Receipt
    | Turn
    | SessionLost
    | Unknown
)


class Place(Struct, frozen=True):
    """Where a content stands among those of its sender, so that a missing one is noticed.

    ``stream``: 8 random bytes, `NO_STREAM` for transient contents; ``number``: how many numbered
    contents the stream has up to this one; ``own``: this is one of them.
    """

    stream: bytes = NO_STREAM
    number: int = 0
    own: bool = False


class Content(Struct, frozen=True):
    """A decoded content. Of an `Unknown` version only the payload's ``show`` means anything."""

    content_id: ContentId
    time: int
    payload: Payload
    own_counter: int = 0
    their_counter: int = 0
    place: Place = Place()


def kind_of(payload: Payload) -> Type:
    """The type number that a payload travels under."""
    match payload:
        case Text(quote=quote):
            return Type.TEXT if quote is None else Type.REPLY
        case Receipt(read=read):
            return Type.READ if read else Type.DELIVERED
        case Unknown():
            raise BadEncoding(what="content to send")
        case _:
            return _KINDS[type(payload)]


_KINDS: dict[type, Type] = {
    Edit: Type.EDIT,
    Delete: Type.DELETE,
    Reaction: Type.REACTION,
    Timer: Type.TIMER,
    Typing: Type.TYPING,
    Profile: Type.PROFILE,
    Turn: Type.TURN,
    SessionLost: Type.SESSION_LOST,
}


def about(payload: Payload) -> ContentId | None:
    """The one message that a payload changes; it goes when that message goes."""
    match payload:
        case Edit(content_id=content_id):
            return content_id
        case Reaction(about=reference):
            return reference.content_id
        case _:
            return None


def encode_payload(payload: Payload) -> bytes:
    """The bytes after the head."""
    match payload:
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
