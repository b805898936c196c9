"""Lines of which some parts are marked, such as links: each part can be drawn and pressed alone."""

from collections.abc import Sequence
from typing import NamedTuple

from secure_chat.client.text.layout import Row, TextLayout
from secure_chat.client.text.levels import has_rtl, is_rtl


class Part(NamedTuple):
    """Characters that stand together on a line; ``mark``: which span they are of, -1: none."""

    text: str
    mark: int


class MarkedLine(NamedTuple):
    """One line ready to draw: its parts from left to right."""

    parts: tuple[Part, ...]
    rtl: bool


def marked_lines(
    layout: TextLayout, text: str, width: int, spans: Sequence[tuple[int, int]]
) -> list[MarkedLine]:
    """Wrap ``text`` as `TextLayout.wrap` does; ``spans`` are the marked ranges, in order.

    Where the toolkit orders letters by itself, a right-to-left line cannot be taken apart: it is
    one part, marked by the first span in it.
    """
    lines = []
    offset = 0
    for paragraph in text.split("\n"):
        whole = layout.toolkit_shapes and has_rtl(paragraph)
        for row in layout.rows(paragraph, width):
            logical = paragraph[row.start : row.end].rstrip()
            marks = [-1] * len(logical)
            start = offset + row.start
            for number, (first, last) in enumerate(spans):
                for at in range(max(first - start, 0), min(last - start, len(logical))):
                    marks[at] = number
            if whole:
                parts = [Part(logical, max(marks, default=-1))]
            else:
                parts = _parts(row, marks)
            lines.append(MarkedLine(tuple(parts), row.rtl))
        offset += len(paragraph) + 1
    return lines or [MarkedLine((), is_rtl(text))]


def _parts(row: Row, marks: list[int]) -> list[Part]:
    parts: list[Part] = []
    for index in row.order:
        if index >= len(marks):  # white space at the end of a row
            continue
        glyph, mark = row.glyphs[index], marks[index]
        if parts and parts[-1].mark == mark:
            parts[-1] = Part(parts[-1].text + glyph, mark)
        else:
            parts.append(Part(glyph, mark))
    return parts
