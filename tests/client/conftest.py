from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.server.core.settings import Settings
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
