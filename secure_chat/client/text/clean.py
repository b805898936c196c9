"""What of a peer's text reaches the screen.

Bidi controls could reorder what surrounds them, control characters and terminal escapes have no
place in a line, and a thousand marks on one letter cost time and cover the neighbours. The stored
text stays as it was sent; only the drawn copy is cleaned.
"""

import re
import unicodedata

MOST_MARKS = 4  # on one letter: pointed Hebrew and Arabic need three
_BIDI_CONTROLS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_DROPPED = re.compile(
    f"[{_BIDI_CONTROLS}\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_BREAKS = re.compile("\r\n|[\r\x85\u2028\u2029\x0b\x0c]")
_SEPARATORS = re.compile("[\u2028\u2029\ufff9-\ufffb\ud800-\udfff]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SPACES = re.compile(r"\s+")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_VISIBLE_SPACE = "    "


def clean(text: str, *, astral: bool = True) -> str:
    """``text`` without what can disturb the screen; lines stay lines.

    Control characters become U+FFFD, so that something was there stays visible. Without
    ``astral``, characters beyond U+FFFF become U+FFFD too: libXft before 2.3.5 dies of colour
    emoji (BadLength), and nobody may end somebody else's program with a message.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _LINE_BREAKS.sub("\n", text)
    text = _DROPPED.sub("", text)
    text = _CONTROLS.sub(_REPLACEMENT, text).replace("\t", _VISIBLE_SPACE)
    if not astral:
        text = _ASTRAL.sub(_REPLACEMENT, text)
    return text if text.isascii() else _thin_out_marks(text)


def in_place(text: str, *, astral: bool = True) -> str:
    """``text`` for an editor's picture: what cannot be drawn is replaced one for one.

    Every character keeps its index, line ends included; what disturbs the screen has no form.
    """
    if text.isascii() and "\t" not in text and text.replace("\n", "").isprintable():
        return text
    text = _CONTROLS.sub(_REPLACEMENT, text.replace("\t", "\N{EM SPACE}"))
    text = _SEPARATORS.sub(_REPLACEMENT, text)
    return text if astral else _ASTRAL.sub(_REPLACEMENT, text)


def one_line(text: str, longest: int, *, astral: bool = True) -> str:
    """``text`` as one cleaned line of at most ``longest`` characters: names and previews."""
    # Cut first: a preview of a long message must not cost the cleaning of all of it.
    line = _SPACES.sub(" ", clean(text[: longest * 4], astral=astral)).strip()
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _thin_out_marks(text: str) -> str:
    """At most `MOST_MARKS` combining marks in a row; the rest is dropped from the drawing."""
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char) in {"Mn", "Me"} else 0
        if marks <= MOST_MARKS:
            kept.append(char)
    return "".join(kept)
