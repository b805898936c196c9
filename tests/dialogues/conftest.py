"""A real server for the dialogues of real clients."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Shared by a module's tests, which use names of their own."""
    with ServerProcess(tmp_path_factory.mktemp("server")) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """For a test that stops, kills or restarts it."""
    with ServerProcess(tmp_path / "server") as running:
        yield running
