"""An honest estimate of what guessing a password costs, for the bar under the field.

Guessers begin with words, names, years and the usual tricks, so those count as little as they
cost: about two bits a letter of a word (C. E. Shannon, "Prediction and Entropy of Printed English",
1951), six bits a year, one bit a sign at the end. Only what looks like chance counts in full.
The steps are set for Argon2id, of which a guess takes most of a second.
"""

import math
import re
from enum import IntEnum
from itertools import groupby, pairwise

from secure_chat.client.i18n import Words
from secure_chat.client.vault.keyfile import SHORTEST_PASSWORD

SHORTEST = SHORTEST_PASSWORD
"""Characters; a shorter one locks no vault."""
_WEAK_BITS, _FAIR_BITS, _GOOD_BITS = 35, 44, 54
_LEET = str.maketrans({"@": "a", "4": "a", "3": "e", "1": "l", "0": "o", "$": "s", "5": "s",
                       "7": "t", "!": "i"})  # fmt: skip
_COMMON = (
    "password", "passwort", "qwerty", "qwertz", "letmein", "iloveyou", "welcome", "admin",
    "dragon", "monkey", "secret", "qazwsx", "zxcvbn", "asdfgh", "salam", "trustno1", "princess",
    "football", "baseball", "sunshine",
)  # fmt: skip
_KNOWN, _YEAR, _TRICK = 3.0, 6.0, 1.0  # bits
_FIRST_LETTER, _NEXT_LETTER, _DIGIT, _SIGN = 4.7, 2.2, 2.7, 4.0
_GENERATOR, _NOT_QUITE = 70, 0.9
_IS_YEAR = re.compile(r"(1[3-9]|20)\d\d")
_LONG_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}")
_VOWEL = re.compile(r"[aeiouy]|[^a-z]")  # other scripts are taken for words


class Strength(IntEnum):
    """Four steps, as the bar shows them."""

    WEAK = 0
    FAIR = 1
    GOOD = 2
    STRONG = 3


def strength(password: str, name: str = "") -> Strength:
    """How strong; repetitions, well-known words and one's own name count next to nothing."""
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
    plain, found = _without_known(password.lower(), name.lower())
    plain = _once(plain)
    parts = ["".join(part) for _, part in groupby(_plain_letters(plain), key=_kind)]
    if "!" in map(_kind, "".join(parts)) and len(parts) >= max(5, len(plain) // 2):
        return _of_chance(plain)
    distinct = dict.fromkeys(parts)
    last = parts[-1] if parts else ""
    bits = sum(_of_part(part, is_last=part == last) for part in distinct)
    capitals = sum(one.isupper() for one in password[1:])
    return bits + _KNOWN * found + _TRICK * (capitals + password[:1].isupper() - (capitals > 1))


def _of_chance(plain: str) -> float:
    """Letters, digits and signs in a mix that nobody thinks of: characters of a generator."""
    return len(set(plain)) * math.log2(_GENERATOR) * _NOT_QUITE


def _without_known(plain: str, name: str) -> tuple[str, int]:
    """Without what every guesser tries first, written with or without tricks; how many there were.

    A well-known word twice is found once.
    """
    found = 0
    for word in (*_COMMON, name):
        for spelled in (plain, plain.translate(_LEET)):
            if len(word) > 2 and word in spelled:
                at = spelled.index(word)
                beside = plain[:at] + " " + plain[at + len(word) :]
                plain, found = beside.replace(word, ""), found + 1
                break
    return plain, found


def _once(plain: str) -> str:
    """What is repeated, once."""
    for size in range(1, len(plain) // 2 + 1):
        if plain == (plain[:size] * len(plain))[: len(plain)]:
            return plain[:size]
    return plain


def _plain_letters(plain: str) -> str:
    """A trick in the middle of a word is the letter that it stands for."""
    return re.sub(r"(?<=[a-z])[@4310$57!](?=[a-z])", lambda m: m[0].translate(_LEET), plain)


def _kind(char: str) -> str:
    return "a" if char.isalpha() else "9" if char.isdigit() else " " if char.isspace() else "!"


def _of_part(part: str, *, is_last: bool) -> float:
    """The bits of one run of letters, digits or signs."""
    fresh = 1 + sum(ord(two) - ord(one) not in {-1, 0, 1} for one, two in pairwise(part))
    kind = _kind(part[0])
    if kind == " ":
        return _TRICK
    if kind == "9":
        return _YEAR if _IS_YEAR.fullmatch(part) else _DIGIT * fresh
    if kind == "!":
        return _TRICK if is_last and len(part) == 1 else _SIGN * fresh
    if len(part) > 2 and _VOWEL.search(part) and not _LONG_CONSONANTS.search(part):
        return _FIRST_LETTER + _NEXT_LETTER * (fresh - 1)
    return math.log2(26) * fresh
