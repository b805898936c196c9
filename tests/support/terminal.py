"""A terminal with a person before it: what it shows, what is typed. POSIX only."""

import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest

pty = pytest.importorskip("pty", reason="terminals of this kind exist on POSIX only")

_PATIENCE = 60.0


class Terminal:
    """A process on a terminal of its own, which is also its controlling one."""

    def __init__(self, command: Sequence[str], cwd: Path, env: dict[str, str] | None) -> None:
        self._terminal, inside = pty.openpty()
        name = os.ttyname(inside)
        # Opening it in a new session makes it the controlling terminal, as Ctrl-C needs.
        opener = (
            "import os,sys; os.open(sys.argv[1], os.O_RDWR); os.execv(sys.argv[2], sys.argv[2:])"
        )
        self.process = subprocess.Popen(
            [command[0], "-c", opener, name, *command],
            stdin=inside, stdout=inside, stderr=inside, start_new_session=True, cwd=cwd, env=env,
        )  # fmt: skip
        os.close(inside)
        self._shown = bytearray()
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self._terminal)

    @property
    def shown(self) -> str:
        """All that it has shown, with line ends of our kind."""
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    def expect(self, text: str) -> None:
        """Until ``text`` is shown, after what was expected before."""
        deadline = time.monotonic() + _PATIENCE
        while (found := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown[self._seen :]!r}"
            assert self._read(), f"it ended without {text!r}: {self.shown[self._seen :]!r}"
        self._seen = found + len(text)

    def type(self, text: str) -> None:
        """As a person types; the terminal itself turns \\x03 into an interrupt."""
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(30)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 1.0)
        if not ready:
            return True
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:  # Linux says the end of a terminal with EIO
            return False
        self._shown += chunk
        return bool(chunk)
