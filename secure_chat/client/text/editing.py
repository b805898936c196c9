"""The arithmetic of a field in which text runs both ways: where the caret is, what a click hits.

The text stays logical; only its picture is shaped and reordered. An index counts characters from
the text's beginning; index i is the place before character i. Pixels count from the field's left.

The caret stands at the far edge of the character before it, where the next letter of the same
script will appear; at the beginning of a row it stands where the row begins. Arrow keys go through
the logical text, in the direction that the paragraph has, so that every place can be reached.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from typing import NamedTuple

from secure_chat.client.text.clean import in_place
from secure_chat.client.text.layout import Row, TextLayout

_LIGATURES = range(0xFEF5, 0xFEFD)  # lam with alef: one form for two characters
_ZWJ = "\u200d"
_EMOJI_MODIFIERS = range(0x1F3FB, 0x1F400)
_ENDLESS = 1 << 30
_PARAGRAPHS_KEPT = 256


class Cell(NamedTuple):
    """A character's place in its row, from the row's left edge."""

    at: int  # the character's index
    x: int
    width: int
    rtl: bool


class EditRow:
    """A row of the field; ``last``: of its paragraph, which begins at ``offset``."""

    def __init__(self, picture: "_Picture", offset: int, *, last: bool) -> None:
        self._picture, self._offset, self.last = picture, offset, last
        self.start, self.end = picture.row.start + offset, picture.row.end + offset
        self.rtl = picture.row.rtl

    @property
    def width(self) -> int:
        """Pixels."""
        return self._picture.width

    @property
    def text(self) -> str:
        """In visual order."""
        return self._picture.text

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """From left to right."""
        return tuple(one._replace(at=one.at + self._offset) for one in self._picture.cells)


class _Picture:
    """A row as it is drawn, wherever its paragraph begins; made when somebody looks at it."""

    def __init__(self, row: Row, advance: Callable[[str], int]) -> None:
        self.row, self._advance = row, advance

    @cached_property
    def text(self) -> str:
        return "".join(self.row.glyphs[i] for i in self.row.order)

    @cached_property
    def width(self) -> int:
        return sum(cell.width for cell in self.cells)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        row, widths, x = self.row, self._widths(), 0
        cells = []
        for i in row.order:
            cells.append(Cell(row.start + i, x, widths[i], bool(row.levels[i] & 1)))
            x += widths[i]
        return tuple(cells)

    def _widths(self) -> list[int]:
        """What each character takes; lam and alef share their ligature."""
        glyphs = self.row.glyphs
        widths = [self._advance(glyph) if glyph else 0 for glyph in glyphs]
        for i, glyph in enumerate(glyphs[:-1]):
            if glyph and not glyphs[i + 1] and ord(glyph[0]) in _LIGATURES:
                widths[i + 1] = widths[i] // 2
                widths[i] -= widths[i + 1]
        return widths


class Caret(NamedTuple):
    """Where the caret is drawn; ``rtl``: the next letter there would run from the right."""

    row: int
    x: int
    rtl: bool


class EditLayout:
    """Rows of one text in a field of one width.

    ``measure`` gives a glyph's advance in pixels as the toolkit draws it. A field of a single row
    is never broken; its owner moves it sideways.
    """

    def __init__(
        self, layout: TextLayout, measure: Callable[[str], int], *, astral: bool = True
    ) -> None:
        self._layout = layout
        self._astral = astral
        self._advance = lru_cache(4096)(measure)
        self._paragraph = lru_cache(_PARAGRAPHS_KEPT)(self._laid_out)
        self._starts: list[int] = []
        self._asked: tuple[str, int, bool, bool] | None = None
        self.text = ""
        self.width = 0
        self.rows: list[EditRow] = []

    def set(self, text: str, width: int, *, single: bool = False, empty_rtl: bool = False) -> None:
        """Lay ``text`` out; paragraphs without a letter run from the right if ``empty_rtl``."""
        asked = text, max(width, 1), single, empty_rtl
        if asked == self._asked:  # a field looks at itself after each key and each click
            return
        self._asked = asked
        self.text, self.width, self.rows = text, max(width, 1), []
        start = 0
        shown = in_place(text, astral=self._astral)
        for paragraph in [shown] if single else shown.split("\n"):
            rtl = None if _has_direction(paragraph) else empty_rtl
            room = _ENDLESS if single else self.width
            pictures = self._paragraph(paragraph, room, rtl)
            self.rows += [
                EditRow(one, start, last=one.row.end == len(paragraph)) for one in pictures
            ]
            start += len(paragraph) + 1
        self._starts = [row.start for row in self.rows]

    # ------------------------------------------------------------ where things are

    def left(self, row: EditRow) -> int:
        """Where a row's left edge is drawn: rows that run from the right end at the right."""
        return self.width - row.width if row.rtl else 0

    def row_of(self, index: int) -> int:
        """The row in which the caret of ``index`` stands."""
        return max(0, bisect_right(self._starts, index) - 1)

    def caret(self, index: int) -> Caret:
        """Where the caret of ``index`` is drawn."""
        number = self.row_of(index)
        row = self.rows[number]
        x, rtl = (row.width if row.rtl else 0), row.rtl
        if index > row.start:
            before = next((cell for cell in row.cells if cell.at == index - 1), None)
            if before is not None:
                x, rtl = (before.x if before.rtl else before.x + before.width), before.rtl
        return Caret(number, self.left(row) + x, rtl)

    def index_at(self, number: int, x: int) -> int:
        """The index nearest to a click in row ``number``, which is moved to one that exists."""
        row = self.rows[min(max(number, 0), len(self.rows) - 1)]
        at = x - self.left(row)
        for cell in row.cells:
            if cell.width and cell.x <= at < cell.x + cell.width:
                first_half = at < cell.x + cell.width / 2
                return self._edge(row, cell.at, after=first_half == cell.rtl)
        return row.start if (at < 0) != row.rtl else self._row_end(row)

    def selected(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The stretches between two indices: row, left, right."""
        for number, row in enumerate(self.rows):
            if row.end < start or row.start >= end:
                continue
            left = self.left(row)
            stretch: tuple[int, int] | None = None
            for cell in row.cells:
                if not start <= cell.at < end:
                    continue
                here = (left + cell.x, left + cell.x + cell.width)
                if stretch and stretch[1] == here[0]:
                    stretch = (stretch[0], here[1])
                    continue
                if stretch:
                    yield number, *stretch
                stretch = here
            if stretch:
                yield number, *stretch

    # ------------------------------------------------------------ where keys lead

    def beside(self, index: int, *, right: bool) -> int:
        """One character to the side, as the paragraph runs."""
        forward = right != self.rows[self.row_of(index)].rtl
        return self.after(index) if forward else self.before(index)

    def word_beside(self, index: int, *, right: bool) -> int:
        """To the beginning of the next word, or of this or the last one."""
        forward = right != self.rows[self.row_of(index)].rtl
        text, end = self.text, len(self.text)
        if forward:
            while index < end and not text[index].isspace():
                index += 1
            while index < end and text[index].isspace():
                index += 1
        else:
            while index > 0 and text[index - 1].isspace():
                index -= 1
            while index > 0 and not text[index - 1].isspace():
                index -= 1
        return index

    def below(self, index: int, rows: int, x: int | None = None) -> int:
        """So many rows further down (up: negative), near ``x`` or the caret."""
        caret = self.caret(index)
        wanted = caret.row + rows
        if wanted < 0:
            return 0
        if wanted >= len(self.rows):
            return len(self.text)
        return self.index_at(wanted, caret.x if x is None else x)

    def row_start(self, index: int) -> int:
        """Where the row of ``index`` begins."""
        return self.rows[self.row_of(index)].start

    def row_end(self, index: int) -> int:
        """The last place in the row of ``index``."""
        return self._row_end(self.rows[self.row_of(index)])

    def after(self, index: int) -> int:
        """The next place that does not part a letter from its marks."""
        index = min(index + 1, len(self.text))
        while index < len(self.text) and _sticks(self.text, index):
            index += 1
        return index

    def before(self, index: int) -> int:
        """The place before this one that does not part a letter from its marks."""
        index = max(index - 1, 0)
        while index > 0 and _sticks(self.text, index):
            index -= 1
        return index

    def word_at(self, index: int) -> tuple[int, int]:
        """The word around ``index``, or the white space."""
        text = self.text
        index = min(index, len(text) - 1)
        if index < 0:
            return 0, 0
        kind = text[index].isspace()
        start = end = index
        while start > 0 and text[start - 1].isspace() == kind and text[start - 1] != "\n":
            start -= 1
        while end < len(text) and text[end].isspace() == kind and text[end] != "\n":
            end += 1
        return start, end

    # ------------------------------------------------------------ inside

    def _edge(self, row: EditRow, index: int, *, after: bool) -> int:
        """Before or after a character, with the marks that stand on it."""
        if not after:
            while index > row.start and _sticks(self.text, index):
                index -= 1
            return index
        return min(self.after(index), self._row_end(row))

    def _row_end(self, row: EditRow) -> int:
        # the place after a broken row's last character is drawn at the next row's beginning
        return row.end if row.last else max(self.before(row.end), row.start)

    def _laid_out(self, paragraph: str, width: int, rtl: bool | None) -> tuple[_Picture, ...]:
        rows = self._layout.rows(paragraph, width, rtl=rtl)
        return tuple(_Picture(row, self._advance) for row in rows)


def _sticks(text: str, index: int) -> bool:
    """Whether the character at ``index`` belongs to the one before it."""
    char = text[index]
    if char == _ZWJ or unicodedata.category(char) in {"Mn", "Me", "Mc"}:
        return text[index - 1] != "\n"
    return ord(char) in _EMOJI_MODIFIERS or (text[index - 1] == _ZWJ and ord(char) > 0x2000)


def _has_direction(paragraph: str) -> bool:
    return any(unicodedata.bidirectional(char) in {"L", "R", "AL"} for char in paragraph)
