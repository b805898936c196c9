"""The documents name tests and columns: each of them exists, and none is left out."""

import re
from pathlib import Path

from sqlalchemy import Column

from secure_chat.server.store.schema import metadata

ROOT = Path(__file__).resolve().parent.parent.parent


def test_every_promise_has_its_test() -> None:
    """Every test that SECURITY.md names, by attack row or by name, is a test of this suite."""
    named = _named("SECURITY.md")
    assert len(named) > 20
    assert not sorted(named - _written()), "promised in SECURITY.md, tested nowhere"


def test_every_attack_that_is_tried_is_promised_against() -> None:
    """Each attack with a test stands in SECURITY.md: the table has every promise that is shown."""
    tried = {name for name in _written() if re.fullmatch(r"attack_\d+", name)}
    assert len(tried) > 60
    assert not sorted(tried - _named("SECURITY.md")), "tested, and promised nowhere"


def test_what_the_protocol_says_is_shown_is_shown() -> None:
    """Every test and file of tests that PROTOCOL.md names exists."""
    text = (ROOT / "PROTOCOL.md").read_text("utf-8")
    named = _named("PROTOCOL.md") - {path.stem.removeprefix("test_") for path in _files()}
    assert len(named) > 20
    assert not sorted(named - _written())
    files = {path.name for path in _files()}
    assert set(re.findall(r"\btest_\w+\.py\b", text)) <= files


def _files() -> list[Path]:
    return list((ROOT / "tests").rglob("test_*.py"))


def _named(document: str) -> set[str]:
    """The tests that a document names, without their ``test_``; ``attack_7`` for any of its row."""
    found = re.findall(
        r"\btest_(attack_\d+|[a-z]\w*[a-z0-9]\b)", (ROOT / document).read_text("utf-8")
    )
    return set(found)


def _written() -> set[str]:
    """The tests that there are, and the attacks that have one."""
    written = {
        name
        for file in _files()
        for name in re.findall(r"^ *def test_(\w+)\(", file.read_text("utf-8"), re.MULTILINE)
    }
    return written | {found[0] for name in written if (found := re.match(r"attack_\d+(?=_)", name))}


def test_every_column_is_accounted_for() -> None:
    """SECURITY.md lists each column that the server stores, and none that it does not."""
    section = (ROOT / "SECURITY.md").read_text("utf-8").split("## What the server stores")[1]
    section = section.split("\n## ")[0]
    listed = {
        f"{table}.{column.strip()}"
        for table, columns in re.findall(r"^\| (\w+) \| ([^|]+) \|", section, re.MULTILINE)
        for column in columns.split(",")
        if table != "table"
    }
    assert listed == {f"{column.table.name}.{column.name}" for column in _columns()}


def _columns() -> list[Column[object]]:
    return [column for table in metadata.sorted_tables for column in table.columns]
