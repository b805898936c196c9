"""What a peer writes reaches a terminal as text and as nothing else."""

import io
import json
import sys
import textwrap
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.client.cli import output
from tests.support.fake_engine import BOB, text_from
from tests.support.processes import REPOSITORY
from tests.support.terminal import Terminal

ATTACKS = [
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b]52;c;cm0gLXJmIH4=\x07",  # OSC 52: write the clipboard
    "\x1b]0;title\x07",
    "\x9b31m",  # CSI as one C1 character
    "\x90+q544e\x9c",  # DCS
    "\r\x1b[Kmallory: forged",
    "a\x08\x08\x08b",
    "\u202egnp.exe\u202c",  # right-to-left override
    "\u2066x\u2069\u200f\u061c",
    "\x07\x00\x7f",
]
_DANGEROUS = {"Cc", "Cs"}


def is_inert(text: str) -> bool:
    """No control character but the line end, no bidi control."""
    return all(
        character == "\n"
        or (
            unicodedata.category(character) not in _DANGEROUS
            and character not in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
            and not "\u2066" <= character <= "\u2069"
        )
        for character in text
    )


@given(st.text(st.characters(codec=None)))
def test_inert_text_has_no_controls_whatever_came(text: str) -> None:
    """No text gets a control or a bidi control through, and a second pass changes nothing."""
    clean = output.inert(text)
    assert is_inert(clean)
    assert output.inert(clean) == clean


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"])))
def test_letters_of_every_script_pass_unchanged(text: str) -> None:
    """What people write is not touched."""
    assert output.inert(text) == text


def test_persian_spelling_is_kept() -> None:
    """The zero-width non-joiner is part of Persian spelling, not a formatting trick."""
    assert output.inert("می\u200cخواهم") == "می\u200cخواهم"


@given(st.text(st.characters()))
def test_a_json_line_is_one_inert_line_and_exact(text: str) -> None:
    """Scripts get exactly what was written, terminals get nothing that they obey."""
    line = output.message_json(text_from(BOB, text, 1))
    assert "\n" not in line
    assert output.inert(line) == line
    assert line.encode().decode() == line
    assert json.loads(line)["text"] == text


def test_a_json_line_can_be_read_by_people() -> None:
    """Persian and emoji stay what they are; only what a terminal might obey is escaped."""
    line = output.message_json(text_from(BOB, "می\u200cخواهم 👩\u200d💻 \u202e\x1b[31m\x9b", 1))
    assert '"می\u200cخواهم 👩\u200d💻 \\u202e\\u001b[31m\\u009b"' in line


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
@pytest.mark.parametrize("text", ["سلام", "é 👩", "\ud800"])
def test_json_lines_survive_every_stream(
    encoding: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever standard output can carry, a reader of UTF-8 gets exact JSON."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    output.say_json(output.json_line(text=text))
    assert json.loads(raw.getvalue().decode("utf-8"))["text"] == text


def test_a_second_line_cannot_pass_for_another_message() -> None:
    """What follows the first line of a text is indented."""
    lines = output.message_text(text_from(BOB, "hi\n2026-11-22 12:00  carol: hi", 1)).split("\n")
    assert not lines[0].startswith(" ")
    assert lines[1].startswith("    ")


_LISTENER = textwrap.dedent("""
    import json, sys
    from pathlib import Path
    from secure_chat.client.cli.program import run
    from secure_chat.client.events import MessageAdded
    from secure_chat.errors import NotDone
    from secure_chat.client.events import ConnectionChanged, ConnectionState
    from tests.support.fake_engine import BOB, ONLINE, FakeEngine, backend_on, text_from

    root, password, *attacks = sys.argv[1:]
    attacks = json.loads(attacks[0])
    engine = FakeEngine()
    said = ConnectionChanged(ConnectionState.OFFLINE, NotDone(what="".join(attacks)))
    texts = [MessageAdded(text_from(BOB, text, n)) for n, text in enumerate(attacks, 1)]
    engine.on_start = [said, ONLINE, *texts]
    arguments = ["listen", "--password-file", password, "--count", str(len(attacks))]
    sys.exit(run(arguments, backend_on(engine, Path(root))))
""")


def test_attack_70_terminal_escapes_are_stripped_under_a_pty(tmp_path: Path) -> None:
    """On a real terminal `listen` writes no ESC, C1, OSC 52 or bidi control of a peer or server."""
    (tmp_path / "profiles" / "alice").mkdir(parents=True)
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    arguments = [str(tmp_path / "profiles"), str(password), json.dumps(ATTACKS)]
    command = [sys.executable, "-c", _LISTENER, *arguments]
    with Terminal(command, REPOSITORY, None) as terminal:
        assert terminal.end() == 0, terminal.shown
        assert terminal.shown.count("bob: ") == len(ATTACKS)
        assert is_inert(terminal.shown)
