"""From logical text to lines that can be drawn from left to right.

The order matters: wrapping happens on the logical text (reordering first would put the lines of a
paragraph bottom up), by the width of the joined forms (they are narrower than isolated letters).
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from secure_chat.client.text.levels import (
    MIRRORS,
    has_rtl,
    is_rtl,
    levels,
    line_levels,
    visual_order,
)
from secure_chat.client.text.shape import shape

_WORDS = re.compile(r"\S+\s*|\s+")
_CACHED_WORDS = 4096


class Line(NamedTuple):
    """One line ready to draw: in visual order, with its paragraph's direction."""

    text: str
    rtl: bool
    width: int  # as measured, without trailing spaces


class Row:
    """A row of an edited paragraph, shaped when somebody looks at it: few of a long text are seen.

    ``start`` and ``end`` count within the paragraph, ``rtl`` is its direction, ``of_paragraph``
    its levels. All other indices count from the row's start.
    """

    def __init__(
        self, paragraph: str, start: int, end: int, of_paragraph: list[int], *, rtl: bool
    ) -> None:
        self.start, self.end, self.rtl = start, end, rtl
        self._paragraph, self._of_paragraph = paragraph, of_paragraph

    @property
    def _text(self) -> str:
        return self._paragraph[self.start : self.end]

    @cached_property
    def levels(self) -> list[int]:
        """The level of each character."""
        part = self._of_paragraph[self.start : self.end]
        return line_levels(self._text, part, rtl=self.rtl)

    @cached_property
    def glyphs(self) -> list[str]:
        """What is drawn for each character; "" for what has no form of its own."""
        return _mirrored(shape(self._text), self._text, self.levels)

    @cached_property
    def order(self) -> list[int]:
        """Characters from left to right."""
        return visual_order(self._text, self.levels, rtl=self.rtl)


class TextLayout:
    """Wraps, joins and reorders for one font.

    ``measure`` gives the width of a string as the toolkit draws it; ``toolkit_shapes`` says that
    the toolkit joins and reorders by itself (macOS), so that lines stay in logical order.
    """

    def __init__(self, measure: Callable[[str], int], *, toolkit_shapes: bool = False) -> None:
        self._measure = measure
        self.toolkit_shapes = toolkit_shapes
        self._word_width = lru_cache(_CACHED_WORDS)(self._joined_width)

    def forget(self) -> None:
        """Keep no word of what was laid out."""
        self._word_width.cache_clear()

    def line(self, text: str, *, rtl: bool | None = None) -> str:
        """One line in visual order; its direction from its first strong letter unless given."""
        return self._visual(text, None, rtl=is_rtl(text) if rtl is None else rtl)

    def wrap(self, text: str, width: int, *, rtl: bool | None = None) -> list[Line]:
        """All lines of ``text`` at most ``width`` wide (one character at least a line).

        Each paragraph's direction comes from its first strong letter unless given.
        """
        lines: list[Line] = []
        for paragraph in text.split("\n"):
            direction = is_rtl(paragraph) if rtl is None else rtl
            lines += self._paragraph(paragraph, width, rtl=direction)
        return lines

    def rows(self, paragraph: str, width: int, *, rtl: bool | None = None) -> list["Row"]:
        """The same breaks for an editor: every character has its row and its glyph.

        ``paragraph`` has no line break. White space at the end of a row belongs to it.
        """
        direction = is_rtl(paragraph) if rtl is None else rtl
        of_paragraph = levels(paragraph, rtl=direction)
        return [
            Row(paragraph, start, end, of_paragraph, rtl=direction)
            for start, end in self._breaks(paragraph, max(width, 1))
        ]

    def _paragraph(self, text: str, width: int, *, rtl: bool) -> Iterator[Line]:
        of_paragraph: list[int] | None = None
        if not self.toolkit_shapes and (rtl or has_rtl(text)):
            of_paragraph = levels(text, rtl=rtl)
        for start, end in self._breaks(text, max(width, 1)):
            logical = text[start:end].rstrip()
            part = of_paragraph[start : start + len(logical)] if of_paragraph else None
            visual = self._visual(logical, part, rtl=rtl)
            yield Line(visual, rtl, self._measure(visual))

    def _visual(self, text: str, text_levels: list[int] | None, *, rtl: bool) -> str:
        if self.toolkit_shapes:
            return text
        if not rtl and (text.isascii() or not has_rtl(text)):
            return text if text.isascii() else "".join(shape(text))
        if text_levels is None:
            text_levels = levels(text, rtl=rtl)
        shaped = _mirrored(shape(text), text, text_levels)
        # L3 is left out on purpose: fonts draw right-to-left marks over what comes next, so in
        # a turned run a mark belongs before its letter, where the turning has put it.
        return "".join(shaped[i] for i in visual_order(text, text_levels, rtl=rtl))

    def _joined_width(self, word: str) -> int:
        return self._measure(word if self.toolkit_shapes else "".join(shape(word)))

    def _breaks(self, text: str, width: int) -> Iterator[tuple[int, int]]:
        """Where lines start and end, in logical order: between words, or in long ones."""
        start = at = used = 0
        for match in _WORDS.finditer(text):
            word = match.group()
            bare = self._word_width(word.rstrip())
            if used and used + bare > width:
                yield start, at
                start, used = at, 0
            if bare > width:
                for cut in self._cuts(word, width):
                    yield start, at + cut
                    start = at + cut
                used = self._joined_width(text[start : match.end()])
            else:
                used += self._word_width(word)
            at = match.end()
        yield start, len(text)

    def _cuts(self, word: str, width: int) -> Iterator[int]:
        """Positions at which an over-long word is cut; never between a letter and its marks."""
        widths = [self._word_width(form) for form in shape(word)]
        start = used = 0
        for at, glyph in enumerate(widths):
            used += glyph
            if used <= width or at == start:
                continue
            # The forms at a cut may be wider than those inside the word: check, and step back.
            cut = at
            while cut > start + 1 and self._joined_width(word[start:cut]) > width:
                cut -= 1
            start = _before_marks(word, cut, start)
            used = sum(widths[start : at + 1])
            yield start


def _mirrored(shaped: list[str], text: str, text_levels: list[int]) -> list[str]:
    """L4: brackets of what runs from the right open to the right."""
    for i, char in enumerate(text):
        if text_levels[i] & 1 and char in MIRRORS:
            shaped[i] = MIRRORS[char]
    return shaped


def _before_marks(word: str, cut: int, start: int) -> int:
    """``cut`` moved so that it does not part a letter from its marks, but makes progress."""
    moved = cut
    while moved < len(word) and moved > start and unicodedata.combining(word[moved]):
        moved -= 1
    if moved > start:
        return moved
    while cut < len(word) and unicodedata.combining(word[cut]):
        cut += 1
    return cut
