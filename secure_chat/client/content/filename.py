"""Names of files as they may be shown and saved: one form for both, so that neither lies.

A peer chooses the name. What could leave the folder, start a device, hide the real ending or turn
letters around is replaced or left out; what remains is one visible line that is a plain file name
on Linux, macOS and Windows alike.
"""

import re
import unicodedata
from typing import Final

from secure_chat.client.content.characters import BLANKS, JOINERS, is_drawn
from secure_chat.errors import BadEncoding
from secure_chat.protocol import limits

NAME_BYTES: Final = 200
"""Of a cleaned name; file systems take 255, and `` (12)`` may have to be added."""
DEFAULT_MEDIA_TYPE: Final = "application/octet-stream"
_ENDING_POINTS: Final = 20

_SEPARATORS: Final = frozenset('/\\:<>"|?*')  # of paths, drives and streams, and what Windows bans
_DEVICES: Final = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE
)
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")


def cleaned_file_name(name: str) -> str:
    """``name`` as a plain file name of 1 to 200 bytes; cleaning it again changes nothing."""
    while (clean := _cleaned(name)) != name:  # what was cut or joined may leave something to clean
        name = clean
    return clean


def _cleaned(name: str) -> str:
    normal = unicodedata.normalize("NFC", name)
    marked = "".join(_replaced(one) for one in normal)
    plain = " ".join(marked.split(" ")).strip(JOINERS + " ").rstrip(". ")
    plain = re.sub(" {2,}", " ", plain)
    if plain[:1] in {".", "-", "~"}:  # hidden files, options and homes
        plain = "_" + plain[1:]
    if _DEVICES.fullmatch(plain.partition(".")[0].strip()):
        plain = "_" + plain
    return _shortened(plain) or "file"


def _replaced(one: str) -> str:
    """What stands for a character: itself, a space, a line below, or nothing."""
    if one in _SEPARATORS or one in BLANKS:
        return "_"
    if one.isspace():
        return " "
    return one if is_drawn(one) else ""


def _shortened(name: str) -> str:
    """At most `NAME_BYTES`; the real ending stays in sight."""
    if len(name.encode()) <= NAME_BYTES:
        return name
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending) > _ENDING_POINTS:
        stem, dot, ending = name, "", ""
    room = NAME_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + ending


def checked_media_type(text: str) -> str:
    """A media type in lower case without parameters; raise `BadEncoding`."""
    if len(text) > limits.MEDIA_TYPE or not _MEDIA_TYPE.fullmatch(text):
        raise BadEncoding(what="media type")
    return text
