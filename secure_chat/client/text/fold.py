"""Text as a search compares it: without case, accents, and doubles of the same letter."""

import unicodedata

_SAME = str.maketrans(
    "\u064a\u0649\u0643\u0629٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹",
    "\u06cc\u06cc\u06a9\u0647" + 2 * "0123456789",
    "\u0640\u200d",
)
"""Arabic letters as the Persian ones that people type for them, digits of all as ours; the letter
lengthener (tatweel) and joiners are dropped."""


def folded(text: str) -> str:
    """``text`` without what a person who searches does not mean.

    The vault's index holds results of this function: another result for the same text needs a
    migration that builds the index anew.
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(one for one in apart if unicodedata.category(one) != "Mn")
    return bare.casefold().translate(_SAME)


def words_of(text: str) -> list[str]:
    """The folded words of a question; nothing in it is syntax."""
    return "".join(one if one.isalnum() else " " for one in folded(text)).split()
