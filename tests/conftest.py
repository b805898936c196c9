"""What all tests share."""

import compileall
from pathlib import Path

import pytest
from hypothesis import settings

_PRODUCT = Path(__file__).resolve().parents[1] / "secure_chat"

# A busy machine must not fail a property: time is tested where it is promised, and nowhere else.
settings.register_profile("secure_chat", deadline=None)
settings.load_profile("secure_chat")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--soak`` runs the long tests too, those marked ``soak``."""
    parser.addoption("--soak", action="store_true", help="run the long tests as well")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the product once, not in each of the hundreds of processes that tests start."""
    if not hasattr(session.config, "workerinput"):  # a worker of xdist: its controller did it
        compileall.compile_dir(_PRODUCT, quiet=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without ``--soak`` a long test is skipped."""
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(reason="a long run; ask for it with --soak")
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)
