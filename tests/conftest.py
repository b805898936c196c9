"""What all tests share."""

import compileall
import signal
from pathlib import Path

import pytest
from hypothesis import settings

_PRODUCT = Path(__file__).resolve().parents[1] / "secure_chat"
_LONG = ("window", "operator", "dialogues", "scripts", "attacks", "client", "content")
"""Folders whose files take long: first, so that no worker has one left when the others are done."""

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


def pytest_configure() -> None:
    """Let the processes that tests start hear Ctrl+C, though a shell began this one with ``&``."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long comes first; without ``--soak`` what takes very long is skipped."""
    items.sort(key=lambda item: item.path.parent.name not in _LONG)
    if config.getoption("--soak"):
        return
    skip = pytest.mark.skip(reason="a long run; ask for it with --soak")
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(skip)
