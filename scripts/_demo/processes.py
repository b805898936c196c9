"""The processes of a demonstration: a server and clients, started, awaited and ended here."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds until a wait is a failure. A slow machine needs some for the password's Argon2."""

_HERE = Path(__file__).resolve().parent
_END_SECONDS = 15.0
_WINDOWS = sys.platform == "win32"


class DemoFailed(Exception):
    """Something did not happen that should have; the text says what."""


class Process:
    """A Python process whose lines of output wait in a queue."""

    def __init__(self, name: str, *words: str | Path) -> None:
        self.name = name
        paths = [str(ROOT), str(_HERE.parent), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.complaints: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._readers = [
            _reader(self.process.stdout, self._lines.put, at_end=lambda: self._lines.put(None)),
            _reader(self.process.stderr, self.complaints.append),
        ]

    def write(self, line: str) -> None:
        """A line for its standard input."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            raise self._died() from None

    def line(self, deadline: float) -> str:
        """Its next line; raises `DemoFailed` when it ends or stays silent."""
        try:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise DemoFailed(f"{self.name} did not answer within {PATIENCE:.0f} s") from None
        if line is None:
            self._lines.put(None)
            raise self._died()
        return line

    def end(self) -> int:
        """Ask it to stop, wait, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(
                signal.CTRL_BREAK_EVENT if _WINDOWS else signal.SIGTERM  # type: ignore[attr-defined,unused-ignore]
            )
        return self.wait()

    def wait(self) -> int:
        """Close its input, let it finish by itself, and return its exit code."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has gone already
            self.process.stdin.close()
        try:
            code = self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self._readers:
            reader.join(_END_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _died(self) -> DemoFailed:
        code = self.process.wait(_END_SECONDS)
        said = "\n  ".join(self.complaints[-8:]) or "nothing"
        return DemoFailed(f"{self.name} ended with code {code}; it said:\n  {said}")


class Client(Process):
    """A person's client (`_demo.client`), spoken to in lines of JSON."""

    def __init__(self, name: str, user_id: str, folder: Path, password: str, link: str) -> None:
        super().__init__(name, "-m", "_demo.client")
        self.user_id = user_id
        self._seen: list[dict[str, Any]] = []
        self.do(folder=str(folder), user_id=user_id, password=password, link=link)

    def do(self, **wish: str) -> None:
        """Ask for something."""
        self.write(json.dumps(wish))

    def event(
        self, what: str, fits: Callable[[dict[str, Any]], bool] | None = None
    ) -> dict[str, Any]:
        """The first event of this kind that ``fits`` and was not taken before."""
        deadline = time.monotonic() + PATIENCE
        at = 0
        while True:
            while at < len(self._seen):
                event = self._seen[at]
                if event["event"] == what and (fits is None or fits(event)):
                    return self._seen.pop(at)
                at += 1
            try:
                self._seen.append(json.loads(self.line(deadline)))
            except DemoFailed as failed:
                troubles = [e["text"] for e in self._seen if e["event"] == "problem"]
                raise DemoFailed(
                    "\n  ".join([f"waited for {what!r}: {failed}", *troubles])
                ) from None

    def problems(self) -> list[str]:
        """What went wrong so far, in its words."""
        return [event["text"] for event in self._seen if event["event"] == "problem"]

    def stop(self) -> None:
        """Let it finish what it does, and end it."""
        self.do(do="stop")
        if code := self.wait():
            raise DemoFailed(f"{self.name} ended with code {code}")


def _reader(
    stream: IO[str], take: Callable[[str], None], at_end: Callable[[], None] = lambda: None
) -> threading.Thread:
    def read() -> None:
        for line in stream:
            take(line.rstrip("\r\n"))
        at_end()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
