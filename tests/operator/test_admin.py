"""The operator's door: open to the account that runs the server, closed to everybody else."""

import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from secure_chat.errors import AdminRefused, BadHostName
from secure_chat.server import admin

posix = pytest.mark.skipif(os.name == "nt", reason="modes and Unix sockets")


def echo(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"echo": dict(facts)}


def refuse(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    raise BadHostName(host="x y")


def crash(facts: Mapping[str, Any]) -> Mapping[str, Any]:
    raise ZeroDivisionError("SECRET")


@pytest.fixture(params=["short path", "long path"])
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A running door; a path too long for a Unix socket takes the way that Windows takes."""
    folder = tmp_path / "data" if request.param == "short path" else tmp_path / ("d" * 100)
    folder.mkdir(mode=0o700)
    server = admin.AdminServer(folder, {"echo": echo, "refuse": refuse, "crash": crash})
    server.start()
    yield folder
    server.stop()


def test_a_command_is_answered(door: Path) -> None:
    """The facts arrive and the answer comes back, time after time."""
    for number in range(3):
        assert admin.ask(door, "echo", number=number) == {"echo": {"number": number}}


def test_a_long_command_holds_no_other_up(tmp_path: Path) -> None:
    """While one command takes its time, another one is answered."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(facts: Mapping[str, Any]) -> Mapping[str, Any]:
        begun.set()
        assert go_on.wait(30)
        return {}

    server = admin.AdminServer(tmp_path, {"echo": echo, "slow": slow})
    server.start()
    waiting = threading.Thread(target=admin.ask, args=(tmp_path, "slow"))
    waiting.start()
    try:
        assert begun.wait(30)
        assert admin.ask(tmp_path, "echo") == {"echo": {}}
    finally:
        go_on.set()
        waiting.join(30)
        server.stop()


def test_refusals_and_failures_are_sentences(door: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A refused, an unknown and a crashing command are said, and the door stays open."""
    caplog.set_level("DEBUG")
    for command, words in [("refuse", "neither a host"), ("x", "does not know"), ("crash", "log")]:
        with pytest.raises(AdminRefused, match=words):
            admin.ask(door, command)
    assert admin.ask(door, "echo") == {"echo": {}}
    assert "an operator's command failed: ZeroDivisionError in crash:" in caplog.text
    assert "SECRET" not in caplog.text, "its text may hold what the operator or a person wrote"


@pytest.mark.parametrize(
    "data", [b"\n", b"nonsense\n", b"[]\n", b"[" * 9000 + b"\n", b"\xff\n", b"x" * 40_000, b"{"]
)
def test_garbage_closes_no_door(door: Path, data: bytes) -> None:
    """Whatever is written into the door, the next command is answered."""
    connection, _ = admin._call(door)
    assert connection is not None
    with connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
        except OSError:
            pass  # the server closed first
    assert admin.ask(door, "echo") == {"echo": {}}


def test_nobody_answers_when_no_server_runs(tmp_path: Path) -> None:
    """Without a server, or after one was killed, the caller hears None and does it himself."""
    assert admin.ask(tmp_path, "echo") is None
    (tmp_path / "admin.json").write_text('{"port": 1, "token": "x"}')
    assert admin.ask(tmp_path, "echo") is None


def test_the_loopback_door_asks_for_the_token(tmp_path: Path) -> None:
    """Another account of the same machine reaches the port, but not the file with the token."""
    folder = tmp_path / ("d" * 100)
    folder.mkdir(mode=0o700)
    server = admin.AdminServer(folder, {"echo": echo})
    server.start()
    door = folder / "admin.json"
    if os.name != "nt":
        assert stat.S_IMODE(door.stat().st_mode) == 0o600
    door.write_text(door.read_text().replace('"token": "', '"token": "x'))
    with pytest.raises(AdminRefused, match="token is wrong"):
        admin.ask(folder, "echo")
    server.stop()
    assert not door.exists()


@posix
def test_attack_68_the_operators_door_is_the_owners_under_any_umask(tmp_path: Path) -> None:
    """The socket is 0600, although the umask would let everybody in."""
    old = os.umask(0)
    try:
        server = admin.AdminServer(tmp_path, {})
        server.start()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        server.stop()
    finally:
        os.umask(old)
    assert modes == {"admin.sock": 0o600}
