"""What every demonstration needs: certificates, a folder that is deleted, a running server."""

import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from _demo.processes import PATIENCE, ROOT, DemoFailed, Process
from secure_chat.server.certificates import CertificateFiles, generate

SERVER = ("-m", "secure_chat.server")


class Stage:
    """A server on a free loopback port with an embedded database, in a folder of its own."""

    def __init__(self, *, recorded: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="secure_chat-demo-", ignore_cleanup_errors=True
        )
        self.folder = Path(self._folder.name)
        self.data = self.folder / "server"
        self.tape = self.folder / "received.bin"
        self._files = certificates()
        start = ("-m", "_demo.recorder", self.tape) if recorded else SERVER
        self.server = Process("the server", *start, "serve", "--port", "0", *self._settings())
        self.address = self._listening()

    def invite(self, label: str) -> str:
        """An invite link, made as an operator makes one."""
        command = [sys.executable, *SERVER, "invite", "--label", label, *self._settings()]
        command += ["--advertise", self.address]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        if done.returncode:
            raise DemoFailed(f"no invite was made: {done.stderr.strip()}")
        return done.stdout.strip()

    def _settings(self) -> list[str]:
        files = self._files
        named = {"--cert": files.certificate, "--key": files.key, "--data-dir": self.data}
        return [word for pair in named.items() for word in map(str, pair)]

    def _listening(self) -> str:
        line = self.server.line(time.monotonic() + PATIENCE)
        return line.removeprefix("listening on ")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.end()
        self._folder.cleanup()


def certificates() -> CertificateFiles:
    """Those of the folder certs/, made now if there are none."""
    files = CertificateFiles(ROOT / "certs")
    if not (files.certificate.exists() and files.key.exists()):
        generate(files.folder)
    return files


def password() -> str:
    """A password for a demonstration; it exists as long as that."""
    return secrets.token_urlsafe(16)
