from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transport.support import Authority, Identity, Running, serving


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def identity(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return authority.issue(tmp_path_factory.mktemp("server"))


@pytest.fixture
def ca_file(authority: Authority, tmp_path: Path) -> Path:
    return authority.write(tmp_path)


@pytest.fixture
def running(identity: Identity) -> Iterator[Running]:
    with serving(identity) as server:
        yield server
