from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.server.core.settings import Settings
from tests.client.filing import DATA
from tests.client.sim import Sim, template
from tests.client.world import World


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    worlds: list[World] = []

    def make(settings: Settings | None = None) -> World:
        worlds.append(World(tmp_path / f"world{len(worlds)}", settings))
        return worlds[-1]

    yield make
    for world in worlds:
        world.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    """Two people on a server in memory."""
    made = template().copy(tmp_path / "sim")
    made.run()
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "report.pdf"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "downloads"
    path.mkdir()
    return path
