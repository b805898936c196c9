"""A real server, started as an operator starts it: a process, an empty home, its own folder."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_chat.protocol.invite import Pin
from secure_chat.server import certificates

ROOT = Path(__file__).resolve().parents[2]


class Operator:
    """Somebody at a shell, with certificates, a data folder and an empty home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.files = certificates.CertificateFiles(folder / "certs")
        self.pin: Pin = certificates.generate(self.files.folder)
        self.running: list[Running] = []
        (folder / "home").mkdir()

    @property
    def environment(self) -> dict[str, str]:
        home = str(self.folder / "home")
        ours = {"HOME": home, "USERPROFILE": home, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
        kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_")}
        return {**kept, **ours}

    def settings(self) -> list[str]:
        """The options that every command takes."""
        named = {"--cert": self.files.certificate, "--key": self.files.key}
        return [str(w) for pair in {**named, "--data-dir": self.data}.items() for w in pair]

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run ``secure-chat-server`` with exactly these words."""
        return subprocess.run(
            [sys.executable, "-m", "secure_chat.server", *words],
            cwd=self.folder, env=self.environment, capture_output=True, encoding="utf-8",
            timeout=200, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command on this operator's server: its words, then its options."""
        options = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
        return self.command(*words[:options], *self.settings(), *words[options:])

    def invite(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Ask for an invite link."""
        return self.command("invite", *self.settings(), *words)

    def start(self, *words: str, **options: Any) -> "Running":
        """Start a server on a free port and wait until it listens."""
        process = Running(self, ["--port", "0", *self.settings(), *words], options)
        self.running.append(process)
        return process


class Running:
    """A server process; its log is collected."""

    def __init__(self, operator: Operator, words: list[str], options: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "secure_chat.server", *words],
            cwd=operator.folder, env=operator.environment, stdin=subprocess.DEVNULL,
            encoding="utf-8", stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            **{"stdout": subprocess.PIPE, **options},
        )  # fmt: skip
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()
        self.address = ""
        if self.process.stdout is not None:
            self.address = self.process.stdout.readline().strip().removeprefix("listening on ")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it, wait for its end, return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(120)
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _collect(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    """An operator whose servers end with the test."""
    somebody = Operator(tmp_path)
    yield somebody
    for running in somebody.running:
        if running.process.poll() is None:
            running.process.kill()
        running.stop()
