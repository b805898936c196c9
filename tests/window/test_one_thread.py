"""Only one thread touches widgets: what Tk does for another one may come late, or never."""

import ast
import gc
import threading
import tkinter as tk
from pathlib import Path

import pytest

import secure_chat.client
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window.page_host import Kind
from secure_chat.protocol.addresses import UserId
from tests.window.fakes import FakeEngine
from tests.window.scenes import talking_to_bob
from tests.window.stage import Stage, chat_view

BOB = UserId("bob")
CLIENT = Path(secure_chat.client.__file__).parent
STARTS_THREADS = {
    "window/desktop.py",  # speaks to the session bus, and knows no widget
    "presenter/jobs.py",  # one call a thread; its outcome is polled
}


class Guarded:
    """The Tcl interpreter, which remembers who but the thread that made it asked for something."""

    def __init__(self, interpreter: object, strangers: list[str]) -> None:
        self._interpreter, self._strangers = interpreter, strangers
        self._owner = threading.current_thread()

    def __getattr__(self, name: str) -> object:
        if threading.current_thread() is not self._owner:
            self._strangers.append(f"{threading.current_thread().name}: {name}")
        return getattr(self._interpreter, name)


@pytest.mark.window
def test_only_the_threads_own_window_asks_tk_for_anything(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing in, a message from another thread, a password that is changed, the lock: none of the
    threads beside the window's calls Tk, and garbage that they collect does not either."""
    strangers: list[str] = []
    made = tk.Tk.__init__

    def guarded(root: tk.Tk, *arguments: object, **options: object) -> None:
        made(root, *arguments, **options)  # type: ignore[arg-type]
        root.tk = Guarded(root.tk, strangers)  # type: ignore[assignment]

    monkeypatch.setattr(tk.Tk, "__init__", guarded)
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine, Settings())
    sender = threading.Thread(target=lambda: engine.say(BOB, "from another thread"))
    sender.start()
    sender.join()
    assert app.chat is not None
    chat = app.chat
    stage.until(lambda: len(chat.timeline.rows) == 4, "it is shown: a day, unread, two messages")
    for kind in (Kind.CARD, Kind.HELD, Kind.SETTINGS):
        app.pages.open(kind)
        stage.pump()
    app.pages.leave()
    chat_view(app).conversation.deeds.details(1)
    app.lock()
    stage.pump()
    collector = threading.Thread(target=gc.collect)
    collector.start()
    collector.join()
    assert strangers == []
    meddler = threading.Thread(target=lambda: app.root.tk.call, name="meddler")
    meddler.start()
    meddler.join()
    assert strangers == ["meddler: call"], "the guard would have seen it"


def test_threads_are_started_where_no_widget_is_known() -> None:
    """Under the window only these start any, and what of them is in the window imports no Tk."""
    found = {
        f"{part}/{path.relative_to(CLIENT / part)}"
        for part in ("window", "presenter")
        for path in (CLIENT / part).rglob("*.py")
        if "threading" in imported(path) or "concurrent.futures" in imported(path)
    }
    assert found == STARTS_THREADS
    assert "tkinter" not in imported(CLIENT / "window" / "desktop.py")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
