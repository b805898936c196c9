"""scripts/test.py, the one command that runs everything."""

import os
import shutil
from pathlib import Path

import pytest

from .conftest import Run

pytestmark = pytest.mark.usefixtures("environment")
BAR = "NOT EVERYTHING WAS TESTED"


def test_arguments_go_to_pytest_and_its_summary_is_shown(run: Run) -> None:
    """A part of the suite can be chosen; the last lines say what happened."""
    done = run("scripts/test.py", "tests/protocol/test_frames.py", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed in " in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("passed in ")


def test_a_failure_is_the_exit_code(run: Run, tmp_path: Path) -> None:
    """A failing test fails the command."""
    broken = tmp_path / "test_broken.py"
    broken.write_text("def test_broken():\n    assert 1 == 2\n")
    done = run("scripts/test.py", broken, "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1
    assert "1 failed" in done.stdout
    assert done.stdout.rstrip().splitlines()[-1].startswith("FAILED in ")


@pytest.mark.skipif(os.name == "nt", reason="Xvfb is a program of Linux")
def test_what_cannot_be_tested_here_is_said_loudly(run: Run, tmp_path: Path) -> None:
    """Without a virtual screen the command says so at the end, and which package brings it."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "env", "git"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    done = run("scripts/test.py", "tests/protocol/test_frames.py", "-q", PATH=str(tools))
    assert done.returncode == 0, done.stdout + done.stderr
    assert BAR in done.stdout
    for words in ("no Xvfb", "apt install xvfb", "no xdotool", "apt install xdotool"):
        assert words in done.stdout
