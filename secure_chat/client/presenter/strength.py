"""A rough estimate of what guessing a password costs, for the bar under the field."""

import math
from enum import IntEnum

from secure_chat.client.i18n import Words

SHORTEST = 8
_WEAK_BITS, _FAIR_BITS, _GOOD_BITS = 35, 50, 65
_LEET = str.maketrans("@4310!$57", "aaeloiiss"[:9])
_COMMON = (
    "password", "passwort", "qwerty", "qwertz", "letmein", "iloveyou", "welcome", "admin",
    "dragon", "monkey", "secret", "123456", "abc123", "111111", "salam",
)  # fmt: skip


class Strength(IntEnum):
    """Four steps, as the bar shows them."""

    WEAK = 0
    FAIR = 1
    GOOD = 2
    STRONG = 3


def strength(password: str, name: str = "") -> Strength:
    """How strong; repeated characters, well-known words and one's own name count nothing."""
    bits = _bits(password, name)
    return Strength(sum(bits >= step for step in (_WEAK_BITS, _FAIR_BITS, _GOOD_BITS)))


def strength_word(step: Strength, words: Words) -> str:
    """What the bar says."""
    return (
        words("Weak: easy to guess"),
        words("Fair: longer is better"),
        words("Good"),
        words("Strong"),
    )[step]


def _bits(password: str, name: str) -> float:
    plain = password.lower().translate(_LEET)
    for word in (*_COMMON, name.lower()):
        if len(word) > 2:
            plain = plain.replace(word.translate(_LEET), "*").replace(word, "*")
    fresh = sum(
        before != char and ord(char) - ord(before) not in {1, -1}
        for before, char in zip("\0" + plain, plain, strict=False)
    )
    alphabet = 0
    alphabet += 26 * any(c.islower() for c in password)
    alphabet += 26 * any(c.isupper() for c in password)
    alphabet += 10 * any(c.isdigit() for c in password)
    alphabet += 20 * any(not c.isalnum() for c in password)
    return fresh * math.log2(max(alphabet, 2)) * 0.8  # people do not choose at random
