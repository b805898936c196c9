"""Joins Arabic and Persian letters: each becomes the presentation form its neighbours ask for.

The table of forms comes out of `unicodedata` (the compatibility decompositions of U+FB50-FDFF and
U+FE70-FEFF), so nothing here has to be kept up with a font or a standard by hand.
"""

import unicodedata
from typing import NamedTuple

_TATWEEL, ZWNJ, _ZWJ = "\u0640", "\u200c", "\u200d"
_LAM = "\u0644"
_CAUSES_JOINING = frozenset({_TATWEEL, _ZWJ})


class _Forms(NamedTuple):
    isolated: str = ""
    final: str = ""
    initial: str = ""
    medial: str = ""


def _read_forms() -> tuple[dict[str, _Forms], dict[str, _Forms]]:
    """Forms of single letters, and of lam with each alef (by the alef)."""
    letters: dict[str, _Forms] = {}
    lam_alef: dict[str, _Forms] = {}
    for code in (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00)):
        tag, _, rest = unicodedata.decomposition(chr(code)).partition(" ")
        tag = tag.strip("<>")
        base = "".join(chr(int(part, 16)) for part in rest.split())
        if tag not in _Forms._fields or not base.isalpha():
            continue
        if len(base) == 1:
            letters[base] = letters.get(base, _Forms())._replace(**{tag: chr(code)})
        elif len(base) == 2 and base[0] == _LAM and code >= 0xFEF5:
            lam_alef[base[1]] = lam_alef.get(base[1], _Forms())._replace(**{tag: chr(code)})
    return letters, lam_alef


_LETTERS, _LAM_ALEF = _read_forms()
_NOTHING = _Forms()
ALL_FORMS = "".join(sorted({form for forms in _LETTERS.values() for form in forms if form}))


def shape(text: str) -> list[str]:
    """One string for each character: its form, itself, or nothing where a ligature took it in.

    Zero-width joiners have done their work here and are dropped.
    """
    shaped = list(text)
    if text.isascii():
        return shaped
    visible = [i for i, char in enumerate(text) if not _is_transparent(char)]
    joined_before = False
    for at, i in enumerate(visible):
        char = text[i]
        following = text[visible[at + 1]] if at + 1 < len(visible) else ""
        forms = _LETTERS.get(char, _NOTHING)
        before = joined_before and bool(forms.final)
        after = bool(forms.initial) and _takes_from_before(following)
        if char == _LAM and following in _LAM_ALEF and visible[at + 1] == i + 1:
            ligature = _LAM_ALEF[following]
            shaped[i], shaped[i + 1] = (ligature.final if before else ligature.isolated), ""
        elif shaped[i]:
            shaped[i] = _choose(char, forms, before=before, after=after)
        joined_before = bool(forms.initial) or char in _CAUSES_JOINING
    for i, char in enumerate(text):
        if unicodedata.category(char) == "Cf":
            shaped[i] = ""
    return shaped


def _choose(char: str, forms: _Forms, *, before: bool, after: bool) -> str:
    wanted = (forms.isolated, forms.final, forms.initial, forms.medial)[before + 2 * after]
    return wanted or char


def _takes_from_before(char: str) -> bool:
    return char in _CAUSES_JOINING or bool(_LETTERS.get(char, _NOTHING).final)


def _is_transparent(char: str) -> bool:
    """Marks and invisible characters between two letters do not part them."""
    kind = unicodedata.category(char)
    return kind in {"Mn", "Me"} or (kind == "Cf" and char not in {ZWNJ, _ZWJ})
