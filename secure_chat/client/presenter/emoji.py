"""The emoji that the reaction picker offers, and emoji in words."""

import unicodedata
from typing import Final

QUICK: Final = ("👍", "❤️", "😂", "😮", "😢", "🙏")
"""What most reactions are; the picker shows them first."""

MORE: Final = (
    "👎", "👌", "👏", "🙌", "💪", "✌️", "👋", "🤝",
    "😀", "😁", "😅", "🤣", "🙂", "😉", "😍", "😘",
    "😎", "🤔", "😐", "🙄", "😴", "😕", "😭", "😡",
    "🥳", "🤯", "😱", "🤗", "💔", "🔥", "🎉", "✨",
    "⭐", "✅", "❌", "❓", "❗", "☀️", "☕", "🌹",
)  # fmt: skip

_SELECTORS = "\ufe0e\ufe0f\u200d"


def bare(emoji: str) -> str:
    """``emoji`` without selectors and joiners, which Tk draws as boxes."""
    return "".join(one for one in emoji if one not in _SELECTORS)


_FEW = 5


def is_picture(text: str) -> bool:
    """Whether a message is nothing but a few emoji, which are drawn large."""
    shown = bare(text).replace(" ", "")
    return 0 < len(shown) <= _FEW and all(
        ord(one) in _PICTURES or one in _OTHER_PICTURES for one in shown
    )


_PICTURES = range(0x1F300, 0x1FB00)
_OTHER_PICTURES = frozenset("❤⭐✅❌❓❗☀☕✨✌☺☹♥")


def name(emoji: str) -> str:
    """The Unicode name of what is in the picture, in lower case: for where it cannot be drawn."""
    names = (unicodedata.name(one, "") for one in bare(emoji))
    return ", ".join(one.lower() for one in names if one) or "?"
