"""Every way to call ``secure-chat`` wrongly ends with 2 and one line of words."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from secure_chat.client.cli.arguments import parse
from secure_chat.client.cli.commands import COMMANDS
from secure_chat.client.cli.program import run
from secure_chat.errors import WrongArguments
from tests.support.processes import REPOSITORY, environment

LONGEST_NAME = "a" * 33
WRONG: list[Sequence[str]] = [
    ["nonsense"],
    ["--profile"],
    ["--password-file"],
    ["--password", "x", "listen"],
    ["--password-file", "a", "--password-stdin", "listen"],
    ["--password-file", "a", "listen", "--password-stdin"],
    ["register"],
    ["register", "--name", "alice"],
    ["register", "--link", "https://example.org/"],
    ["register", "--link", "securechat://localhost/#v=2"],
    ["register", "--server", "a b", "--name", "alice"],
    ["register", "--server", "localhost:99999", "--name", "alice"],
    ["register", "--server", "x", "--link", "securechat://localhost/#v=1", "--name", "alice"],
    ["register", "--server", "localhost", "--name", "me"],
    ["register", "--server", "localhost", "--name", LONGEST_NAME],
    ["register", "--server", "localhost", "--name", "علی"],
    ["register", "--server", "localhost", "--name", "alice", "--timeout", "0"],
    ["register", "--server", "localhost", "--password-stdin"],
    ["send"],
    ["send", "a b", "text"],
    ["send", "bob", "text", "--wait", "read"],
    ["send", "bob", "text", "--timeout", "soon"],
    ["send", "bob", "text", "--timeout", "inf"],
    ["send", "bob", "--", "\udcff"],
    ["send-file"],
    ["send-file", "bob"],
    ["send-file", "a b", "x"],
    ["send-file", "bob", "x", "y"],
    ["send-file", "bob", "x", "--wait", "read"],
    ["save"],
    ["save", "bob"],
    ["save", "bob", "first"],
    ["save", "bob", "1", "--to"],
    ["listen", "extra"],
    ["listen", "--count", "-1"],
    ["listen", "--count", "٣"],
    ["listen", "--for", "-5"],
    ["listen", "--from", "../bob"],
    ["users", "--everything"],
    ["users", "--timeout", "nan"],
    ["fingerprint", "not/a/name"],
    ["fingerprint", "bob", "carol"],
    ["verify"],
    ["verify", "9bob"],
    ["accept-key"],
    ["accept-key", "bob", "--force"],
    ["export", "--format", "xml"],
    ["export", "bob", "carol"],
    ["my-data", "bob"],
    ["my-data", "--timeout", "0"],
    ["delete-account", "--confirm", "a"],
    ["delete-account", "--keep-profile", "--remove-profile"],
    ["delete-account", "bob"],
    ["profiles", "extra"],
    ["profiles", "--password-stdin"],
    ["edit", "bob", "0", "text"],
    ["edit", "bob", "first", "text"],
    ["delete", "bob"],
    ["delete", "bob", "٣"],
    ["react", "bob", "1", "👍", "extra"],
    ["timer", "bob", "soon"],
    ["timer", "bob", "0s"],
    ["profile", "extra"],
    ["profile", "--typing", "everybody"],
    ["send", "bob", "--reply", "-1", "text"],
    ["window", "extra"],
    ["window", "--password"],
    ["window", "--language", "xx"],
    ["window", "--link", "http://x"],
    ["window", "--link", "securechat://x/#v=1&contact=bob"],
    ["securechat://x/#v=9"],
    ["requests", "bob"],
    ["accept"],
    ["block", "no/name"],
    ["unblock"],
    ["strangers", "maybe"],
    ["contact-link", "securechat://x/#v=1"],
    ["password", "--new-password", "x"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_arguments_are_one_line_and_exit_2(
    arguments: Sequence[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Nothing is printed but one line that begins with the program's name."""
    monkeypatch.setenv("SECURE_CHAT_HOME", str(tmp_path))
    (tmp_path / "alice").mkdir()
    assert run(arguments) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("secure-chat: ")
    assert written.err.count("\n") == 1
    assert list(tmp_path.rglob("*")) == [tmp_path / "alice"]


def test_wrong_arguments_are_said_in_the_language_of_the_system(tmp_path: Path) -> None:
    """All of them, what argparse says by itself and the reasons of links and names included; so
    are the headings of the help."""
    script = (
        "import contextlib, io, json, sys\n"
        "from secure_chat.client.cli.program import run\n"
        "calls = json.loads(sys.argv[1])\n"
        "said = []\n"
        "for call in [*calls, ['send', '--help']]:\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as err:\n"
        "        with contextlib.redirect_stdout(err):\n"
        "            run(call)\n"
        "    said.append(err.getvalue())\n"
        "print(json.dumps(said))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(WRONG)],
        env=environment(tmp_path) | {"LANG": "fa_IR.UTF-8"}, capture_output=True, encoding="utf-8",
    )  # fmt: skip
    for line in json.loads(done.stdout):
        for english in (
            "argument", "unrecognized", "required", "invalid", "expected", "usage", "positional",
            "cannot", "is no ", "options:",
        ):  # fmt: skip
            assert english not in line.replace("--", ""), line


def test_every_command_is_in_that_list() -> None:
    """A new subcommand needs its wrong calls here."""
    assert {words[0] for words in WRONG} >= set(COMMANDS)


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """--help works for each of them and ends with 0."""
    for command in COMMANDS:
        assert run([command, "--help"]) == 0
        assert f"usage: secure-chat {command}" in capsys.readouterr().out


def test_no_option_takes_a_password_itself() -> None:
    """A password on the command line could be read by everybody on the machine."""
    for command in COMMANDS:
        with pytest.raises(WrongArguments):
            parse([command, "--password", "secret"])


def test_a_process_with_wrong_arguments_shows_no_traceback(tmp_path: Path) -> None:
    """The same through ``python -m``, with nothing else installed in the home folder."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_chat.client", "send"],
        capture_output=True,
        text=True,
        env=environment(tmp_path),
        cwd=tmp_path,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.skipif(os.name == "nt", reason="redirections of a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_mistake(closed: str, tmp_path: Path) -> None:
    """A command whose standard streams are closed does its work."""
    script = f'"$0" -m secure_chat.client profiles {closed}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        cwd=REPOSITORY, env=environment(tmp_path), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
