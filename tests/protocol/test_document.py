"""PROTOCOL.md says what the code does: its tables are the code's."""

from protocol_tables import PROTOCOL, rewritten
from secure_chat.protocol.signing import Label, PrekeyKind


def test_the_tables_are_those_of_the_code() -> None:
    """Messages, codes and limits in the document are generated and up to date."""
    text = PROTOCOL.read_text(encoding="utf-8")
    assert rewritten(text) == text, "run python3 scripts/protocol_tables.py"


def test_every_label_stands_in_the_document() -> None:
    """Each purpose of a signature and each kind of prekey is written down."""
    text = PROTOCOL.read_text(encoding="utf-8")
    for value in [*(label.value for label in Label), *(kind.value for kind in PrekeyKind)]:
        assert f"`{value.decode()}`" in text
