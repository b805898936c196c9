"""What stands inside the encryption, and what it does (PROTOCOL.md, content).

`codec` turns contents into bytes and back, `check` says what may be sent, and `rules` says what a
content does to a conversation. All three are pure.
"""

from secure_chat.client.content.check import (
    EDITS,
    checked_name,
    checked_reaction,
    checked_text,
    checked_timer,
)
from secure_chat.client.content.codec import (
    CONTENT_ID_BYTES,
    KEPT,
    LINES,
    NO_STREAM,
    RECEIPT_IDS,
    SHOWN,
    STREAM_BYTES,
    VERSION,
    Content,
    ContentId,
    Delete,
    Edit,
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
    about,
    assemble,
    decode,
    decode_payload,
    encode,
    encode_payload,
    kind_of,
)

__all__ = [
    "CONTENT_ID_BYTES", "EDITS", "KEPT", "LINES", "NO_STREAM", "RECEIPT_IDS", "SHOWN",
    "STREAM_BYTES", "VERSION", "Content", "ContentId",
    "Delete", "Edit", "Payload", "Place", "Profile", "Reaction", "Receipt", "Reference",
    "SessionLost", "Text", "Timer", "Turn", "Type", "Typing", "Unknown", "about", "assemble",
    "checked_name", "checked_reaction", "checked_text", "checked_timer", "decode",
    "decode_payload", "encode", "encode_payload", "kind_of",
]  # fmt: skip
