"""Runs the project's commands as a person does: from a shell, in an empty home folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests may have to make the environment, which takes a minute or two."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def environment() -> Path:
    """The interpreter of ``.venv``, with all that the scripts need."""
    from _bootstrap import environment as bootstrap

    bootstrap.ensure("test")
    return bootstrap.python()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def run(home: Path) -> Run:
    """Run a Python script of the project; the environment is the caller's with another home."""

    def call(
        *words: str | Path, python: str | Path = sys.executable, cwd: Path = ROOT, **extra: str
    ) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), **extra}
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "PYTHONPATH"):
            environment.pop(name, None)
        return subprocess.run(
            [str(python), *map(str, words)],
            cwd=cwd, env=environment, capture_output=True, text=True, encoding="utf-8",
            timeout=300, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    return call
