"""What stands inside the encryption, and what it does (PROTOCOL.md, content).

`payloads` has the types, `codec` turns contents into bytes and back, `check` and `filename` say
what may be sent, and `rules` says what a content does to a conversation. All are pure.
"""

from secure_chat.client.content.check import (
    EDITS,
    checked_name,
    checked_reaction,
    checked_text,
    checked_timer,
)
from secure_chat.client.content.codec import (
    VERSION,
    assemble,
    decode,
    decode_payload,
    encode,
    encode_payload,
)
from secure_chat.client.content.filename import (
    DEFAULT_MEDIA_TYPE,
    checked_media_type,
    cleaned_file_name,
)
from secure_chat.client.content.payloads import (
    CONTENT_ID_BYTES,
    KEPT,
    LINES,
    NO_STREAM,
    RECEIPT_IDS,
    SHOWN,
    STREAM_BYTES,
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
    about,
    kind_of,
)

__all__ = [
    "CONTENT_ID_BYTES", "DEFAULT_MEDIA_TYPE", "EDITS", "KEPT", "LINES", "NO_STREAM", "RECEIPT_IDS",
    "SHOWN", "STREAM_BYTES", "VERSION", "Content", "ContentId",
    "Delete", "Edit", "File", "Payload", "Place", "Profile", "Reaction", "Receipt", "Reference",
    "SessionLost", "Text", "Timer", "Turn", "Type", "Typing", "Unknown", "about", "assemble",
    "checked_media_type", "checked_name", "checked_reaction", "checked_text", "checked_timer",
    "cleaned_file_name", "decode", "decode_payload", "encode", "encode_payload", "kind_of",
]  # fmt: skip
