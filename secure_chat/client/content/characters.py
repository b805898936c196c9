"""What may stand in a name that a peer chose, of a person or of a file (PROTOCOL.md 13.2).

One rule for both: what is drawn may stay, what only moves or hides what is drawn may not.
"""

import unicodedata
from typing import Final

JOINERS: Final = "\u200c\u200d"
"""Zero width; Persian and Indic spelling needs them."""
BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159\U00013441\U00013442")
"""Letters and symbols without ink: Hangul fillers, an empty Braille cell, a note without a head."""


def is_drawn(one: str) -> bool:
    """Letters, marks, digits, punctuation and symbols that leave ink, and the joiners.

    No white space, controls, bidi controls, tags, halves of surrogate pairs, or what Unicode lacks.
    """
    if one in BLANKS:
        return False
    return one in JOINERS or unicodedata.category(one)[0] in "LMNPS"
