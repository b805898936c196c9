"""What a person may send, and what may be shown of what came: texts, reactions, names, timers.

The receiver applies the same limits as the sender, so nothing that a sender of ours refuses to
write is ever taken in.
"""

import unicodedata

from secure_chat.client.content.characters import is_drawn
from secure_chat.errors import BadName, BadReaction, BadText, BadTimer, Reason, TextTooLong
from secure_chat.protocol import limits

EDITS = 100
"""How often one message may be edited: each revision is kept."""
REACTION_BYTES = 64
REACTION_POINTS = 16
NAME_BYTES = 256
NAME_POINTS = 64
TIMER_SHORTEST = 5
TIMER_LONGEST = 365 * limits.DAY

_EMOJI = range(0x1F000, 0x1FB00)  # blocks of pictographs, also those newer than our tables
_TAGS = range(0xE0020, 0xE0080)  # flags of regions
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_MARKS = frozenset("\u203c\u2049\u2139\u20e3\u3030\u303d")  # emoji of other categories
_KEYCAPS = frozenset("0123456789#*")


def checked_text(text: str) -> str:
    """``text`` if it may be sent: 1 to 16,384 bytes of UTF-8. Raises `TextTooLong`, `BadText`."""
    if not text:
        raise BadText(reason="it is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadText(reason="it has half of a surrogate pair") from None
    if size > limits.TEXT:
        raise TextTooLong(size=size, limit=limits.TEXT)
    return text


def checked_reaction(emoji: str) -> str:
    """``emoji`` if it may be a reaction; an empty one withdraws. Raises `BadReaction`.

    Pictographs and symbols alone: no letters, so that a reaction cannot speak for the program.
    """
    if not emoji:
        return emoji
    pictures = sum(_is_picture(one) for one in emoji)
    others = [one for one in emoji if not _is_picture(one)]
    keycap = "\u20e3" in emoji
    if (
        not pictures
        or len(emoji) > REACTION_POINTS
        or not all(_belongs(one, keycap=keycap) for one in others)
        or len(emoji.encode()) > REACTION_BYTES
    ):
        raise BadReaction
    return emoji


def _is_picture(one: str) -> bool:
    return ord(one) in _EMOJI or one in _MARKS or unicodedata.category(one) in {"So", "Sm"}


def _belongs(one: str, *, keycap: bool) -> bool:
    return one in _JOINERS or ord(one) in _TAGS or (keycap and one in _KEYCAPS)


def cleaned_name(name: str) -> str:
    """A display name without what could disguise it: one line, no controls, no bidi, short.

    What is drawn and single spaces remain, normalised (NFC); nothing, if all of it is invisible.
    """
    normal = unicodedata.normalize("NFC", name)
    spaced = "".join(" " if one.isspace() else one for one in normal)
    kept = "".join(one for one in spaced if one == " " or is_drawn(one))
    short = " ".join(kept.split())[:NAME_POINTS].strip()
    while len(short.encode()) > NAME_BYTES:
        short = short[:-1].strip()
    # What is cut may leave a name that composes anew: the result is a fixed point.
    return unicodedata.normalize("NFC", short) if any(map(_visible, short)) else ""


def _visible(one: str) -> bool:
    return unicodedata.category(one)[0] in "LNPS"


def checked_name(name: str) -> str:
    """``name`` as it may be sent; an empty one takes it back. Raises `BadName`."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadName(reason="it has half of a surrogate pair") from None
    if len(name) > NAME_POINTS or len(name.encode()) > NAME_BYTES:
        raise BadName(reason=Reason("it is longer than {most} characters", most=NAME_POINTS))
    clean = cleaned_name(name)
    if name.strip() and not clean:
        raise BadName(reason="nothing in it can be seen")
    return clean


def checked_timer(seconds: int) -> int:
    """``seconds`` if messages may disappear after so long; 0 is never. Raises `BadTimer`."""
    if seconds and not TIMER_SHORTEST <= seconds <= TIMER_LONGEST:
        raise BadTimer(shortest=TIMER_SHORTEST, longest_days=TIMER_LONGEST // limits.DAY)
    return seconds


_UNITS = (("day", limits.DAY), ("hour", limits.HOUR), ("minute", limits.MINUTE), ("second", 1))


def in_words(seconds: int) -> str:
    """A timer as people say it, in the largest unit that is exact."""
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} seconds"
