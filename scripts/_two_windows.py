"""A picture of two people who talk: real engines, over TLS, through a real server."""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.rows import BubbleRow, Delivery
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.window.app import App
from secure_chat.client.window.chat_view import ChatView
from secure_chat.protocol.addresses import UserId
from tests.support.processes import ServerProcess
from tests.window.stage import Silent

ALICE, BOB = UserId("alice"), UserId("bob")
_SIZE = "1060x640"
_KEPT: list[App] = []  # see screenshots.py


def take(out: Path) -> Path:
    """Alice and Bob side by side, as `two-windows.png` in ``out``."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "server", registration="open") as server,
    ):
        windows = {name: _window(Path(folder) / name, server, name) for name in (ALICE, BOB)}
        try:
            _talk(windows)
            pictures = [_picture(app, out / f"_{name}.png") for name, app in windows.items()]
        finally:
            for app in windows.values():
                app.close()
                app.stop_engine()
    both = out / "two-windows.png"
    beside = ["-bordercolor", "#8a94a0", "-border", "1", "+append"]
    subprocess.run(["convert", *map(str, pictures), *beside, str(both)], check=True)
    for picture in pictures:
        picture.unlink()
    return both


def _window(home: Path, server: ServerProcess, name: UserId) -> App:
    profiles = Profiles(home)
    app = App(Options(), profiles, Settings(), Silent())
    _KEPT.append(app)
    app.root.geometry(f"{_SIZE}+0+0")
    engine = profiles.create(server.link(), name, "correct horse battery", None)
    app._start_chat(engine)
    engine.start()
    return app


def _talk(windows: dict[UserId, App]) -> None:
    alice, bob = windows[ALICE], windows[BOB]
    _open(windows, alice, BOB)
    _chat(alice).send("Hello Bob, shall we compare our numbers?")
    _until(windows, lambda: _chat(bob).conversation_with(ALICE) is not None)
    _chat(bob).engine.accept_request(ALICE)
    _open(windows, bob, ALICE)
    for app, text in (
        (bob, "Yes, over the phone in five minutes. The server sees sealed bytes alone."),
        (alice, "سلام، حالت چطور است؟ (نسخهٔ ۱۴۰۵)"),
        (bob, "خوبم! فارسی و English در یک سطر."),
    ):  # fmt: skip
        before = _delivered(app)
        _chat(app).send(text)
        _until(windows, lambda: _delivered(app) > before)  # noqa: B023


def _open(windows: dict[UserId, App], app: App, other: UserId) -> None:
    _until(windows, lambda: other in [row.user_id for row in _chat(app).people])
    assert isinstance(app.screen, ChatView)
    app.screen.select(other)


def _delivered(app: App) -> int:
    done = {Delivery.DELIVERED, Delivery.READ}
    rows = _chat(app).timeline.rows
    return sum(isinstance(row, BubbleRow) and row.delivery in done for row in rows)


def _chat(app: App) -> Chat:
    assert app.chat is not None
    return app.chat


def _until(windows: dict[UserId, App], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "two people do not get to talk"
        for app in windows.values():
            app.root.update()
        time.sleep(0.01)


def _picture(app: App, path: Path) -> Path:
    app.root.lift()
    app.root.focus_force()
    for _ in range(12):
        app.root.update()
        time.sleep(0.05)
    subprocess.run(["import", "-window", str(app.root.winfo_id()), str(path)], check=True)
    return path
