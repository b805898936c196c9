"""Implicit embedding levels and visual order: Unicode Standard Annex 9 without explicit controls.

`clean` has removed the controls, so a paragraph is one isolating run sequence at its base level
and of the rules only P2-P3, W1-W7, N0-N2, I1-I2, L1-L2 are left. Characters of class BN (the
zero-width non-joiner among them) take no part and get the level of what stands before them.
"""

from collections.abc import Iterable
from itertools import chain
from unicodedata import bidirectional, category, mirrored, normalize

_RTL = frozenset({"R", "AL"})
_STRONG = frozenset({"L", "R", "AL"})
_NUMBERS = frozenset({"EN", "AN"})
_NEUTRAL = frozenset({"B", "S", "WS", "ON"})
_IGNORED = frozenset({"BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
_BLANK = frozenset({"WS"}) | _IGNORED
_DEEPEST_BRACKETS = 63  # BD16
BRACKET_BLOCKS = (  # all that Unicode has below U+10000; looking through the rest takes long
    range(0x28, 0x80), range(0xF3A, 0xF3E), range(0x169B, 0x169D), range(0x2045, 0x2090),
    range(0x2308, 0x232B), range(0x2768, 0x2776), range(0x27C5, 0x2A00), range(0x2E20, 0x2E60),
    range(0x3008, 0x301C), range(0xFE59, 0xFF64),
)  # fmt: skip
_FAR_PAIRS = {"[": "]", "{": "}", "⦍": "⦐", "⦏": "⦎"}


def bracket_pairs(blocks: Iterable[range]) -> dict[str, str]:
    """Opening to closing bracket. Nearly all pairs are neighbours in the code charts."""
    pairs = dict(_FAR_PAIRS)
    for code in chain.from_iterable(blocks):
        opening, closing = chr(code), chr(code + 1)
        if opening in pairs or category(opening) != "Ps" or not mirrored(opening):
            continue
        if category(closing) == "Pe" and mirrored(closing):
            pairs[opening] = closing
    return pairs


_CLOSING = bracket_pairs(BRACKET_BLOCKS)
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}
_OTHER_MIRRORS = dict(zip("<«‹≤≪≺⊂⊆∈≮≰⊏", ">»›≥≫≻⊃⊇∋≯≱⊐", strict=True))
MIRRORS: dict[str, str] = {
    **_CLOSING,
    **_OPENING,
    **_OTHER_MIRRORS,
    **{b: a for a, b in _OTHER_MIRRORS.items()},
}
"""What a mirrored character is replaced with at an odd level (L4)."""


def has_rtl(text: str) -> bool:
    """Whether anything in ``text`` can make it run from right to left."""
    return not text.isascii() and any(bidirectional(c) in {"R", "AL", "AN"} for c in text)


def is_rtl(text: str) -> bool:
    """P2, P3: whether the first strong character is a right-to-left one."""
    if text.isascii():
        return False
    return next((kind in _RTL for c in text if (kind := bidirectional(c)) in _STRONG), False)


def levels(text: str, *, rtl: bool) -> list[int]:
    """The embedding level of each character of one paragraph, before L1."""
    kinds = [bidirectional(c) or "L" for c in text]
    kept = [i for i, kind in enumerate(kinds) if kind not in _IGNORED]
    run = [kinds[i] for i in kept]
    base = "R" if rtl else "L"
    _resolve_weak(run, base)
    _resolve_brackets([text[i] for i in kept], [kinds[i] for i in kept], run, base)
    _resolve_neutral(run, base)
    result = [int(rtl)] * len(text)
    for i, kind in zip(kept, run, strict=True):
        result[i] = _implicit(kind, rtl=rtl)
    for i in range(1, len(text)):
        if kinds[i] in _IGNORED:
            result[i] = result[i - 1]
    return result


def _implicit(kind: str, *, rtl: bool) -> int:
    """I1, I2."""
    if rtl:
        return 1 if kind == "R" else 2
    return {"R": 1, "L": 0}.get(kind, 2)


def visual_order(text: str, of_line: list[int], *, rtl: bool) -> list[int]:
    """L1, L2 for one line: indices of ``text`` from left to right."""
    resolved = line_levels(text, of_line, rtl=rtl)
    order = list(range(len(text)))
    if not resolved:
        return order
    for level in range(max(resolved), 0, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and resolved[order[end]] >= level:
                end += 1
            if end - start > 1:
                order[start:end] = reversed(order[start:end])
            start = end + 1
    return order


def line_levels(text: str, of_line: list[int], *, rtl: bool) -> list[int]:
    """L1: separators, and white space before them or at the line's end, go to the base level."""
    resolved = list(of_line)
    reset = True
    for i in range(len(text) - 1, -1, -1):
        kind = bidirectional(text[i])
        if kind in {"S", "B"}:
            reset = True
        elif kind not in _BLANK:
            reset = False
        if reset:
            resolved[i] = int(rtl)
    return resolved


def _resolve_weak(run: list[str], base: str) -> None:
    """W1 to W7, in place."""
    previous, strong = base, base
    for i, kind in enumerate(run):
        if kind == "NSM":  # W1
            kind = run[i] = previous
        previous = kind
        if kind in _STRONG:
            strong = kind
        elif kind == "EN" and strong == "AL":  # W2
            run[i] = "AN"
    # W2 must see AL where W1 copied it, and W1 must not see what W2 made: marks are done above.
    for i, kind in enumerate(run):
        if kind == "AL":  # W3
            run[i] = "R"
    _resolve_separators(run)
    strong = base
    for i, kind in enumerate(run):
        if kind in {"ES", "ET", "CS"}:  # W6
            run[i] = "ON"
        elif kind in _STRONG:
            strong = kind
        elif kind == "EN" and strong == "L":  # W7
            run[i] = "L"


def _resolve_separators(run: list[str]) -> None:
    """W4 and W5, in place."""
    for i in range(1, len(run) - 1):
        before, after = run[i - 1], run[i + 1]
        if before == after and (
            (run[i] == "ES" and before == "EN") or (run[i] == "CS" and before in _NUMBERS)
        ):
            run[i] = before
    start = 0
    while start < len(run):
        end = start
        while end < len(run) and run[end] == "ET":
            end += 1
        touches = (start > 0 and run[start - 1] == "EN") or (end < len(run) and run[end] == "EN")
        if end > start and touches:
            run[start:end] = ["EN"] * (end - start)
        start = end + 1


def _resolve_brackets(text: list[str], original: list[str], run: list[str], base: str) -> None:
    """N0, in place."""
    opposite = "L" if base == "R" else "R"
    for opening, closing in sorted(_find_pairs(text, run)):
        inside = {_direction(kind) for kind in run[opening + 1 : closing]}
        if base in inside:
            direction = base
        elif opposite in inside:
            before = (d for i in range(opening - 1, -1, -1) if (d := _direction(run[i])))
            direction = opposite if next(before, base) == opposite else base
        else:
            continue
        for at in (opening, closing):
            run[at] = direction
            for mark in range(at + 1, len(run)):
                if original[mark] != "NSM":
                    break
                run[mark] = direction


def _find_pairs(text: list[str], run: list[str]) -> list[tuple[int, int]]:
    """BD16: positions of matching brackets."""
    waiting: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for i, char in enumerate(text):
        if run[i] != "ON":
            continue
        char = normalize("NFC", char)  # U+2329 pairs with U+3009
        if char in _CLOSING:
            if len(waiting) == _DEEPEST_BRACKETS:
                return []
            waiting.append((_CLOSING[char], i))
        elif char in _OPENING:
            for depth in range(len(waiting) - 1, -1, -1):
                if waiting[depth][0] == char:
                    pairs.append((waiting[depth][1], i))
                    del waiting[depth:]
                    break
    return pairs


def _direction(kind: str) -> str:
    """L, or R for everything that N0 and N1 count as such, or nothing."""
    return "L" if kind == "L" else "R" if kind == "R" or kind in _NUMBERS else ""


def _resolve_neutral(run: list[str], base: str) -> None:
    """N1 and N2, in place."""
    before = base
    start = 0
    while start < len(run):
        end = start
        while end < len(run) and run[end] in _NEUTRAL:
            end += 1
        if end > start:
            after = _direction(run[end]) if end < len(run) else base
            run[start:end] = [before if before == after else base] * (end - start)
        if end < len(run):
            before = _direction(run[end]) or before
        start = end + 1
