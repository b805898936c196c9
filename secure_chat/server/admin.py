"""The operator's door to a running server, for the account that runs it alone.

A Unix socket (0600, in the data folder, which is 0700). Where there is none (Windows, or a folder
whose path is too long for one) it is a loopback port whose number and token stand in a file (0600)
in the data folder. One request, one answer, each a line of JSON::

    {"command": "invite.create", "token": "...", "label": "...", "uses": 1, "seconds": 60}
    {"answer": {...}}  or  {"error": "sentence"}
"""

import contextlib
import hmac
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from secure_chat.errors import AdminRefused, SecureChatError
from secure_chat.server.bugs import note_bug

Command = Callable[[Mapping[str, Any]], Mapping[str, Any]]

_SOCKET = "admin.sock"
_DOOR = "admin.json"
_MAX_PATH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux
_MAX_LINE = 16 * 1024
_MAX_ANSWER = 64 * 1024 * 1024  # a list of everybody, from a server that this account runs
_TIMEOUT = 10.0


class AdminServer:
    """Answers the operator's commands, each on a thread of its own: a backup holds no other up."""

    def __init__(self, folder: Path, commands: Mapping[str, Command]) -> None:
        """Open the door in ``folder``; raises OSError."""
        self._commands = dict(commands)
        self._token = ""
        self._files: list[Path] = []
        self._talks: list[threading.Thread] = []
        self._listener = self._open(folder)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="admin", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Close the door and wait for the answer under way."""
        self._stopping.set()
        with contextlib.suppress(OSError):  # wakes accept(), which closing alone does not
            _connect(self._listener.getsockname(), self._listener.family).close()
        deadline = time.monotonic() + _TIMEOUT
        for thread in (self._thread, *self._talks):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._listener.close()
        for path in self._files:
            path.unlink(missing_ok=True)

    def _open(self, folder: Path) -> socket.socket:
        unix, door = folder / _SOCKET, folder / _DOOR
        for old in (unix, door):  # of a server that was killed; the folder's lock is ours
            old.unlink(missing_ok=True)
        if _has_unix_socket(unix):
            self._files = [unix]
            return _listen_unix(unix)
        listener = socket.create_server(("127.0.0.1", 0))
        self._token = secrets.token_urlsafe(32)
        self._files = [door]
        facts = {"port": listener.getsockname()[1], "token": self._token}
        handle = os.open(door, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(facts, file)
        return listener

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            if not self._stopping.is_set():
                self._talks = [talk for talk in self._talks if talk.is_alive()]
                talk = threading.Thread(target=self._converse, args=(peer,), name="admin-talk")
                self._talks.append(talk)
                talk.daemon = True
                talk.start()
            else:
                peer.close()

    def _converse(self, peer: socket.socket) -> None:
        # the caller went away, or is none
        with peer, contextlib.suppress(OSError, ValueError, RecursionError):
            peer.settimeout(_TIMEOUT)
            request = json.loads(_read_line(peer))
            peer.sendall(json.dumps(self._answer(request)).encode() + b"\n")

    def _answer(self, request: object) -> Mapping[str, Any]:
        if not isinstance(request, dict):
            return {"error": "the request is malformed"}
        if not hmac.compare_digest(
            str(request.pop("token", "")).encode(errors="replace"), self._token.encode()
        ):
            return {"error": "the token is wrong"}
        command = self._commands.get(str(request.pop("command", "")))
        if command is None:
            return {"error": "this server does not know the command; it may be an older version"}
        try:
            return {"answer": command(request)}
        except SecureChatError as refused:
            return {"error": str(refused).rstrip(".")}
        except Exception as bug:
            note_bug(bug, "an operator's command failed")
            return {"error": "the command failed; the server's log says more"}


def ask(
    folder: Path, command: str, seconds: float = _TIMEOUT, /, **facts: object
) -> dict[str, Any] | None:
    """Ask the server that runs on ``folder``; None when none is running.

    Waits at most ``seconds`` for the answer. Raises `AdminRefused` with the server's reason.
    """
    connection, token = _call(folder)
    if connection is None:
        return None
    with connection:
        try:
            request = {"command": command, "token": token, **facts}
            connection.sendall(json.dumps(request).encode() + b"\n")
            connection.settimeout(seconds)
            reply = json.loads(_read_line(connection, _MAX_ANSWER))
        except TimeoutError:
            raise AdminRefused(reason=f"nothing within {seconds:g} seconds") from None
        except (OSError, ValueError):
            raise AdminRefused(reason="nothing, it closed the connection") from None
    if "error" in reply:
        raise AdminRefused(reason=reply["error"])
    return dict(reply["answer"])


def _call(folder: Path) -> tuple[socket.socket | None, str]:
    unix, door = folder / _SOCKET, folder / _DOOR
    with contextlib.suppress(OSError, ValueError, LookupError):
        if unix.exists():
            return _connect(str(unix), getattr(socket, "AF_UNIX", None)), ""
        facts = json.loads(door.read_text(encoding="utf-8"))
        return _connect(("127.0.0.1", facts["port"]), socket.AF_INET), facts["token"]
    return None, ""


def _connect(address: Any, family: int | None) -> socket.socket:
    connection = socket.socket(socket.AF_INET if family is None else family)
    try:
        connection.settimeout(_TIMEOUT)
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _has_unix_socket(path: Path) -> bool:
    return hasattr(socket, "AF_UNIX") and os.name != "nt" and len(os.fsencode(path)) <= _MAX_PATH


def _listen_unix(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))  # in a folder of mode 0700: nobody can come in before chmod
        path.chmod(0o600)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _read_line(connection: socket.socket, limit: int = _MAX_LINE) -> bytes:
    """A line with its end; raises ValueError when it is too long or never ends."""
    data = bytearray()
    while not data.endswith(b"\n"):
        more = connection.recv(65536)
        if not more or len(data) > limit:
            raise ValueError
        data += more
    return bytes(data)
