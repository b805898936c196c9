"""The field in which text runs both ways: caret, clicks, selection and arrow keys agree."""

from itertools import pairwise
from unicodedata import category

from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.text import TextLayout
from secure_chat.client.text.editing import EditLayout

_LETTER = 10  # pixels
_PIECES = st.sampled_from(
    ["سلام", "می‌شود", "لا", "الله", "Hello", "a", " ", "  ", "(", ")", "123", "۴۵", "\n", "é",
     "\u0651", "\u064e", "\t", "\x00", "\u202e", "\u2067", "😀", "👩\u200d💻", "،", ".", "«", "»"]
)  # fmt: skip
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)
_WIDTHS = st.integers(30, 400)


def measure(text: str) -> int:
    """As a fixed font would: marks have no width."""
    return sum(_LETTER for char in text if category(char) not in {"Mn", "Me", "Cf"})


def field(text: str, width: int = 10_000, *, single: bool = False) -> EditLayout:
    layout = EditLayout(TextLayout(measure), measure)
    layout.set(text, width, single=single)
    return layout


@given(_TEXTS, _WIDTHS)
def test_every_character_is_drawn_once_and_rows_cover_the_text(text: str, width: int) -> None:
    """No character is lost or drawn twice, whatever is pasted; rows follow one another."""
    layout = field(text, width)
    drawn = sorted(cell.at for row in layout.rows for cell in row.cells)
    assert drawn == [i for i, char in enumerate(text) if char != "\n"]
    for earlier, later in pairwise(layout.rows):
        assert later.start == earlier.end + (text[earlier.end : earlier.end + 1] == "\n")
        assert earlier.last == (later.start > earlier.end)
    for row in layout.rows:
        assert row.width == sum(cell.width for cell in row.cells)
        assert "\n" not in row.text
        assert "\u202e" not in row.text


@given(_TEXTS, _WIDTHS)
def test_the_caret_of_every_index_is_inside_its_row(text: str, width: int) -> None:
    """A caret stands at an edge of its row, and the row is the one that holds the index."""
    layout = field(text, width)
    for index in range(len(text) + 1):
        caret = layout.caret(index)
        row = layout.rows[caret.row]
        assert row.start <= index <= row.end
        assert 0 <= caret.x - layout.left(row) <= row.width


@given(_TEXTS, _WIDTHS, st.integers(-5, 30), st.integers(-50, 500))
def test_a_click_anywhere_gives_a_place_in_the_row_that_was_hit(
    text: str, width: int, number: int, x: int
) -> None:
    """A click puts the caret into the clicked row, or into the nearest one there is."""
    layout = field(text, width)
    index = layout.index_at(number, x)
    wanted = min(max(number, 0), len(layout.rows) - 1)
    row = layout.rows[wanted]
    assert row.start <= index <= row.end
    if row.end - row.start > 1 and not any(category(char)[0] in "MC" for char in text):
        assert layout.row_of(index) == wanted


@given(_TEXTS, _WIDTHS)
def test_arrow_keys_reach_every_letter_and_come_back(text: str, width: int) -> None:
    """From the beginning, steps forward reach the end; steps back take the same places."""
    layout = field(text, width)
    there, index = [0], 0
    while index < len(text):
        after = layout.after(index)
        assert after > index
        there.append(index := after)
    back, index = [len(text)], len(text)
    while index > 0:
        index = layout.before(index)
        back.append(index)
    assert back == there[::-1]


@given(_TEXTS, _WIDTHS, st.data())
def test_what_is_selected_is_drawn_selected(text: str, width: int, data: st.DataObject) -> None:
    """The drawn stretches are as wide as the selected characters, and do not overlap."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    layout = field(text, width)
    stretches = list(layout.selected(start, end))
    cells = [cell for row in layout.rows for cell in row.cells if start <= cell.at < end]
    assert sum(right - left for _, left, right in stretches) == sum(cell.width for cell in cells)
    for (row, _, right), (next_row, left, _) in pairwise(stretches):
        assert row < next_row or right < left


@given(_TEXTS, _WIDTHS, st.integers(-3, 3))
def test_up_and_down_stay_in_the_text(text: str, width: int, rows: int) -> None:
    """Going up and down ends at the text's two ends, never outside."""
    layout = field(text, width)
    for index in range(len(text) + 1):
        assert 0 <= layout.below(index, rows) <= len(text)


def test_the_caret_follows_what_is_typed() -> None:
    """In a Persian line the caret goes to the left; a Latin word inside opens to the right."""
    text = "درود Tk"
    layout = field(text)
    at = [layout.caret(index).x for index in range(len(text) + 1)]
    right = layout.width
    assert at[0] == right
    assert at[:6] == [right - _LETTER * i for i in range(6)]
    assert at[6] == right - 5 * _LETTER - _LETTER  # after T, which stands left of k
    assert at[7] == right - 5 * _LETTER
    assert [layout.caret(i).rtl for i in (1, 6, 7)] == [True, False, False]


def test_a_click_on_either_half_of_a_letter_goes_to_its_side() -> None:
    """The right half of a Persian letter is before it, the left half after it."""
    layout = field("سلم", 100)
    assert layout.index_at(0, 99) == 0
    assert layout.index_at(0, 91) == 1
    assert layout.index_at(0, 75) == 2
    assert layout.index_at(0, 2) == 3
    assert field("abc").index_at(0, 4) == 0
    assert field("abc").index_at(0, 6) == 1


def test_lam_and_alef_share_their_form() -> None:
    """The caret stands in the middle of the ligature between its two letters."""
    layout = field("لا", 100)
    assert [layout.caret(i).x for i in range(3)] == [100, 95, 90]


def test_arrows_follow_the_direction_of_the_paragraph() -> None:
    """The left arrow goes on in a Persian paragraph and back in a Latin one; words likewise."""
    persian, latin = field("سلام دنیا"), field("hello world")
    assert persian.beside(0, right=False) == 1
    assert persian.beside(2, right=True) == 1
    assert latin.beside(2, right=False) == 1
    assert persian.word_beside(0, right=False) == 5
    assert persian.word_beside(9, right=True) == 5
    assert latin.word_beside(0, right=True) == 6
    assert latin.word_beside(11, right=False) == 6


def test_marks_and_joined_emoji_are_one_step() -> None:
    """A letter with its marks, and an emoji made of several, are passed in one step."""
    assert field("بَّا").after(0) == 3
    assert field("e\u0301x").after(0) == 2
    assert field("👩\u200d💻x").after(0) == 3


def test_a_single_row_never_breaks() -> None:
    """An entry stays one row, however long its text is."""
    layout = field("سلام " * 50, 100, single=True)
    assert len(layout.rows) == 1
    assert layout.left(layout.rows[0]) < 0


def test_an_empty_line_starts_where_the_interface_does() -> None:
    """Digits or nothing at all stand at the side where the interface begins."""
    layout = EditLayout(TextLayout(measure), measure)
    layout.set("", 100, empty_rtl=True)
    assert layout.caret(0).x == 100
    layout.set("12", 100, empty_rtl=True)
    assert layout.rows[0].rtl
    layout.set("12", 100)
    assert not layout.rows[0].rtl


def test_a_word_is_found_under_a_double_click() -> None:
    """The word, or the white space, around the click."""
    layout = field("سلام دنیا")
    assert layout.word_at(2) == (0, 4)
    assert layout.word_at(4) == (4, 5)
    assert layout.word_at(9) == (5, 9)
    assert field("").word_at(0) == (0, 0)


def test_of_a_long_text_only_what_is_looked_at_is_shaped() -> None:
    """16,000 characters are pasted in the time of the rows in view."""
    asked: list[str] = []

    def measure(glyph: str) -> int:
        asked.append(glyph)
        return 7

    layout = EditLayout(TextLayout(lambda text: 7 * len(text)), measure)
    layout.set("سلام (دنیا) " * 1_300, 400)
    assert len(layout.rows) > 100
    assert not asked
    assert layout.caret(15_000).row > 100
    assert asked
    before, asked[:] = layout.rows, []
    layout.set("سلام (دنیا) " * 1_300, 400)
    assert layout.rows is before
