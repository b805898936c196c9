"""The README's transcripts: typed into a shell, in a fresh copy and an empty home, one by one.

What the shell answers must be what the README shows. Numbers, keys and paths differ from run to
run; ``…`` stands for anything.
"""

import os
import re
import shutil
import socket
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from .conftest import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the transcripts are of a POSIX shell")

PASSWORD = "correct horse battery staple"
PROMPT = "\x01ready\x02"
_VARIABLE = re.compile(
    r"""(?P<any> \s*…\s* ) | (?P<link> id=\S+ ) | (?P<key> [A-Za-z0-9_-]{43} )
    | (?P<time> \d{4}-\d\d-\d\d[T ][\d:.]+Z? ) | (?P<bytes> \b[0-9a-f]{2}([ ][0-9a-f]{2})+\b )
    | (?P<number> (?<![A-Za-z\d])\d[\d,]* ) | (?P<space> \s+ )""",
    re.VERBOSE,
)
_PATTERNS = {
    "link": r"\S+", "key": r"\S{43}", "time": r"[\d:.TZ -]+", "bytes": "[0-9a-f ]+",
    "number": r"[\d,]+", "any": ".*", "space": r"\s+",
}  # fmt: skip


class Step(NamedTuple):
    """A command and what the README says that it prints."""

    command: str
    shown: str


def transcripts(name: str = "README.md") -> list[list[Step]]:
    """Every console block of the README."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [
        [
            Step(*(part.partition("\n")[::2]))
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
        ]
        for block in blocks
    ]


def pattern(shown: str) -> re.Pattern[str]:
    """A pattern for what is shown, with room for what differs from run to run."""
    made, at = "", 0
    for found in _VARIABLE.finditer(shown):
        made += re.escape(shown[at : found.start()]) + _PATTERNS[found.lastgroup or "any"]
        at = found.end()
    return re.compile(made + re.escape(shown[at:]), re.DOTALL)


class Shell:
    """bash on a terminal of its own; a password is typed when one is asked for."""

    def __init__(self, folder: Path, home: Path, port: int) -> None:
        import pty

        self._port = str(port)
        pid, self._terminal = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.environ.update(LC_ALL="C.UTF-8", LANGUAGE="")  # the README shows English
            os.environ.update(HOME=str(home), PS1=PROMPT, PS2="", TERM="dumb", COLUMNS="200")
            for name in [name for name in os.environ if name.startswith(("XDG_", "VIRTUAL_ENV"))]:
                del os.environ[name]
            os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            os.environ["VIRTUAL_ENV_DISABLE_PROMPT"] = "1"
            os.execvp("bash", ["bash", "--norc", "--noprofile", "--noediting"])
        self._pid = pid
        self._until(PROMPT, 30)
        self.run("stty -echo cols 200; bind 'set enable-bracketed-paste off' 2>/dev/null")

    def run(self, command: str, seconds: float = 300) -> str:
        """Type a command; what it printed, on the README's port."""
        self._type(command.replace("7443", self._port))
        said = self._until(PROMPT, seconds)
        return said.replace(self._port, "7443").replace("\r\n", "\n")

    def status(self) -> int:
        """The exit code of the last command."""
        return int(self.run("echo $?", 30).strip())

    def close(self) -> None:
        """End it and what runs in it."""
        self._type("kill $(jobs -p) 2>/dev/null; wait; exit")
        os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def _type(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\n")

    def _until(self, end: str, seconds: float) -> str:
        said = ""
        deadline = time.monotonic() + seconds
        while end not in said:
            assert time.monotonic() < deadline, said
            said += os.read(self._terminal, 65536).decode(errors="replace")
            if re.search(r"(Password|again): $", said):
                self._type(PASSWORD)
                said += "\n"
        return said.replace(end, "")


@pytest.fixture
def copy(tmp_path: Path, environment: Path) -> Path:
    """The project as somebody gets it, except that the environment stands already."""
    folder = tmp_path / "secure_chat"
    skipped = shutil.ignore_patterns(
        ".git", ".venv", "*.pem", "*.key", ".*_cache", ".hypothesis", "__pycache__", "build"
    )
    shutil.copytree(ROOT, folder, ignore=skipped)
    (folder / ".venv").symlink_to(environment.parents[1], target_is_directory=True)
    return folder


def test_every_transcript_of_the_readme_is_true(copy: Path, home: Path) -> None:
    """Each command works in order, in an empty home, and prints what the README shows."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    shell = Shell(copy, home, port)
    try:
        for block in transcripts():
            for command, shown in block:
                said = shell.run(command)
                assert pattern(shown.strip()).fullmatch(said.strip()), (
                    f"$ {command}\n{said}\n--- the README shows:\n{shown}"
                )
                assert command.endswith("&") or shell.status() == 0, f"$ {command}\n{said}"
    finally:
        shell.close()


def test_the_readme_opens_with_a_transcript() -> None:
    """The first thing that a reader sees after the first sentences is the program at work."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 0 < text.index("```console") < text.index("\n## ")
    assert sum(map(len, transcripts())) >= 8


def test_the_persian_readme_shows_the_same_transcripts() -> None:
    """What is shown to readers of Persian is what was tried."""
    assert transcripts("README.fa.md") == transcripts()


def test_every_file_that_the_documents_name_is_there() -> None:
    """No link of a document leads nowhere."""
    for document in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8")):
            assert (ROOT / target).exists(), f"{document.name} names {target}"
