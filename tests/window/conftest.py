"""One virtual screen for all window tests of a process."""

from collections.abc import Iterator

import pytest

pytest.importorskip("tkinter", reason="tkinter is missing (Debian: python3-tk)")

from tests.window import stage as stages


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    """The display's name. Skips, loudly, where there is no Xvfb, xdotool or tkinter."""
    if missing := stages.missing_programs():
        pytest.skip(f"missing: {', '.join(missing)} (Debian: apt install xvfb xdotool)")
    with stages.virtual_screen() as display:
        yield display


@pytest.fixture
def stage(screen: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[stages.Stage]:
    """Windows on the virtual screen, closed at the end."""
    monkeypatch.setenv("DISPLAY", screen)
    made = stages.Stage()
    try:
        yield made
    finally:
        made.close_all()
