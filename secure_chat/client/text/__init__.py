"""Text as people write it, made drawable: cleaned, wrapped, joined and put in visual order.

Tk 8.6 on Linux draws characters from left to right and one by one. This package does for it what
a shaping engine does elsewhere, on `unicodedata` alone: `clean` what a peer sent, `wrap` it by
measured width while it is still in logical order, then join Arabic letters and reorder each line
(Unicode Standard Annex 9). No module here imports tkinter: a measuring function comes from outside.
"""

from secure_chat.client.text.clean import clean, one_line
from secure_chat.client.text.fold import folded, words_of
from secure_chat.client.text.layout import Line, TextLayout
from secure_chat.client.text.levels import is_rtl
from secure_chat.client.text.marked import MarkedLine, marked_lines

__all__ = [
    "Line", "MarkedLine", "TextLayout", "clean", "folded", "is_rtl", "marked_lines", "one_line",
    "words_of",
]  # fmt: skip
