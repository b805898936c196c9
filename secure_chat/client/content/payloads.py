"""What contents say: the table of types and a structure for each (PROTOCOL.md 12.1)."""

import enum
from typing import NewType

from msgspec import Struct

from secure_chat.crypto.files import FileKey
from secure_chat.errors import BadEncoding

CONTENT_ID_BYTES = 16
RECEIPT_IDS = 256
"""How many messages one receipt may name (4 KiB)."""
TIMER_REVISIONS = 2**63 - 1

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
    FILE = 13


LINES = {Type.TEXT, Type.REPLY, Type.FILE}
"""Types that stand as a line of their own in a conversation."""
KEPT = LINES | {Type.EDIT, Type.DELETE, Type.REACTION, Type.TIMER, Type.PROFILE}
"""Types that the sender keeps until a receipt names them, and sends again after a lost session."""
SHOWN = LINES | {Type.SESSION_LOST, Type.EDIT, Type.DELETE, Type.TIMER}
"""Types that a client without them must not swallow."""


class Reference(Struct, frozen=True):
    """A message of this conversation. ``own``: the sender of the reference wrote it."""

    own: bool
    content_id: ContentId


class File(Struct, frozen=True):
    """A file that lies sealed on the server (`secure_chat.crypto.files`).

    ``sha256`` is that of the sealed bytes and names the blob; ``size`` is that of the file, from
    which the blob's follows. ``name`` is cleaned: a plain file name.
    """

    name: str
    size: int
    media_type: str
    key: FileKey
    sha256: bytes


class Text(Struct, frozen=True):
    """Something that a person wrote: 1 to 16,384 bytes of UTF-8, or none beside a ``file``.

    ``timer``: seconds from reading after which it disappears, 0: never. ``quote``: what it
    answers; a reference alone, so that nobody can put words into another's mouth.
    """

    text: str
    timer: int = 0
    quote: Reference | None = None
    file: File | None = None


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
        case Text(file=File()):
            return Type.FILE
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
