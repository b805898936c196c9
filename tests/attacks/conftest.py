"""Real servers for the attacks. A module shares one: attacks must not wear it out."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ServerProcess


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Open registration, everything logged. Must end in order, without a traceback in its log."""
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder, log_level="debug") as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log
        assert "exception=" not in running.log


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where people of one test live."""
    return tmp_path
