"""The attacks that a release must withstand each have a test named after them."""

import re
from collections import defaultdict
from pathlib import Path

_TESTS = Path(__file__).parents[1]
_NAMED = re.compile(r"^\s*(?:async )?def (test_attack_(\d+)_\w+)\(", re.MULTILINE)
DEMANDED = (*range(1, 52), *range(56, 66), *range(67, 77), 78)


def rows() -> dict[int, list[str]]:
    """The tests of each row, over the whole tree."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(_TESTS.rglob("test_*.py")):
        for name, row in _NAMED.findall(path.read_text(encoding="utf-8")):
            found[int(row)].append(f"{path.relative_to(_TESTS)}::{name}")
    return found


def test_every_demanded_attack_has_a_test() -> None:
    """A row that nobody tests any more fails here, by its number."""
    tested = rows()
    assert [row for row in DEMANDED if not tested[row]] == []


def test_rows_are_named_with_words() -> None:
    """``test_attack_<row>_<words>``: a row, and words that say what holds."""
    for tests in rows().values():
        for test in tests:
            assert re.search(r"test_attack_\d+_[a-z]\w{3,}$", test), test
