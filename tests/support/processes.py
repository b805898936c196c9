"""Real processes: the server and `secure-chat`, each with a home of its own and captured output.

Output goes to files, so that no process ever waits for a test to read.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.wiretypes import InviteToken, ServerId
from secure_chat.server.certificates import CertificateFiles, generate
from tests.support.waiting import wait_for
from tests.support.wire import Wire

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"
_PORT = re.compile(r"listening on port (\d+)")
_COMMAND_SECONDS = 90


def environment(home: Path) -> dict[str, str]:
    """An environment with an empty home folder that finds this repository's code."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "COVERAGE_PROCESS_START")
        if name in os.environ
    }
    return kept | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "LOCALAPPDATA": str(home / "AppData"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
    }


class Running:
    """A process whose output goes to two files."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        name: str,
        home: Path,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.out_path, self.err_path = folder / f"{name}.out", folder / f"{name}.err"
        with self.out_path.open("ab") as out, self.err_path.open("ab") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment(home) | dict(variables or {}),
            )

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self.out_path.read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self.err_path.read_text(encoding="utf-8")

    def wait(self, seconds: float = 30.0) -> int:
        """The exit code; kills it when it does not end in time."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def interrupt(self) -> int:
        """Ctrl-C, and the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.wait()

    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""
        self.process.kill()
        self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class ServerProcess:
    """``python -m secure_chat.server`` on loopback, with a data folder that outlives a restart."""

    def __init__(
        self,
        folder: Path,
        *,
        registration: str = "open",
        log_level: str = "info",
        more: Sequence[str] = (),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.registration = registration
        self.log_level = log_level
        self._more = more
        self._variables = variables  # of its environment
        self.port = 0
        folder.mkdir(parents=True, exist_ok=True)
        self._certs = CertificateFiles(folder / "certs")
        self.pin: Pin = generate(self._certs.folder)
        self._running: Running | None = None
        self.start()

    def _program(self) -> list[str]:
        return [sys.executable, "-m", "secure_chat.server"]

    def _place(self) -> list[str]:
        return [
            "--host", "127.0.0.1", "--port", str(self.port),
            "--cert", str(self._certs.certificate), "--data-dir", str(self.data_dir),
        ]  # fmt: skip

    def _command(self) -> list[str]:
        return [
            *self._program(), "serve", *self._place(), "--key", str(self._certs.key),
            "--registration", self.registration, "--log-level", self.log_level, *self._more,
        ]  # fmt: skip

    def start(self) -> None:
        """Start, on the port of the first time; returns once it listens."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        log = self.folder / "server.err"
        seen = len(_PORT.findall(log.read_text(encoding="utf-8"))) if log.exists() else 0
        running = self._running = Running(
            self._command(), self.folder, "server", home, self._variables
        )

        def listening() -> bool:
            assert running.process.poll() is None, f"the server ended: {running.err[-2000:]}"
            return len(_PORT.findall(running.err)) > seen

        wait_for(listening, 30, "the server listens")
        self.port = int(_PORT.findall(running.err)[-1])

    @property
    def running(self) -> Running:
        """The process of now."""
        assert self._running is not None
        return self._running

    @property
    def pid(self) -> int:
        return self.running.process.pid

    @property
    def log(self) -> str:
        """All that it has logged, over all its starts."""
        return self.running.err

    @property
    def ca_file(self) -> Path:
        """The authority that signed its certificate."""
        return self._certs.authority

    def link(self, invite: InviteToken | None = None) -> InviteLink:
        """A link that pins the server's key and names its id."""
        with Wire(self.port) as wire:
            server_id: ServerId = wire.hello.server_id
        return InviteLink(ServerAddress("127.0.0.1", self.port), server_id, (self.pin,), invite)

    def new_invite(self) -> InviteToken:
        """What ``secure-chat-server invite`` prints, without the rest of the link."""
        done = self.command("invite")
        assert done.code == 0, done
        invite = InviteLink.parse(done.out).invite
        assert invite is not None
        return invite

    def command(self, *words: str) -> "Finished":
        """Run an operator's command on this server's data, whether it runs or not."""
        options = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
        done = subprocess.run(
            [*self._program(), *words[:options], *self._place(), *words[options:]],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_SECONDS,
            cwd=self.folder,
            env=environment(self.folder / "home"),
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.running.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self.running.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.running.__exit__()


class ChangedServer(ServerProcess):
    """A server with something changed before it starts: ``change`` is a statement of Python."""

    change: str

    def _program(self) -> list[str]:
        program = (
            f"import sys; from secure_chat.server import cli; {self.change}; sys.exit(cli.main())"
        )
        return [sys.executable, "-c", program]


class Finished(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Person:
    """Somebody with a home folder, a password file and a profile of their own."""

    def __init__(self, name: str, folder: Path, password: str = PASSWORD) -> None:
        self.name = name
        self.folder = folder / name
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.password_file = self.folder / "password"
        self.password_file.write_text(password + "\n", encoding="utf-8")
        self.profile = self.folder / "profile"
        self._started = 0

    @classmethod
    def registered(cls, name: str, folder: Path, server: ServerProcess) -> "Person":
        """A person with an account on a server."""
        person = cls(name, folder)
        done = person.run("register", "--link", str(server.link()), "--name", name)
        assert done.code == 0, done
        # Most dialogues are between people who know each other.
        assert person.run("strangers", "admit").code == 0
        return person

    def _command(self, command: str, *arguments: str) -> list[str]:
        unlocked = ["--profile", str(self.profile), "--password-file", str(self.password_file)]
        return [sys.executable, "-m", "secure_chat.client", command, *unlocked, *arguments]

    def run(self, command: str, *arguments: str, text: str | None = None) -> Finished:
        """Run a command to its end; ``text`` is its standard input."""
        done = subprocess.run(
            self._command(command, *arguments),
            input="" if text is None else text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_SECONDS,
            cwd=self.folder,
            env=environment(self.home),
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def send(self, to: str, text: str, *more: str) -> Finished:
        """``secure-chat send``; the text goes over standard input."""
        return self.run("send", *more, to, text=text)

    def listen(self, *arguments: str) -> "Listener":
        """``secure-chat listen --json``, running; online when this returns."""
        self._started += 1
        listener = Listener(
            self._command("listen", "--json", *arguments),
            self.folder,
            f"listen-{self._started}",
            self.home,
        )
        listener.wait_online()
        return listener

    def history(self, *arguments: str) -> list[dict[str, Any]]:
        """``secure-chat export``, parsed."""
        done = self.run("export", *arguments)
        assert done.code == 0, done
        return [json.loads(line) for line in done.out.splitlines()]


class Listener(Running):
    """A running ``secure-chat listen --json``."""

    def wait_online(self, times: int = 1) -> None:
        """Until it has said "online" so often."""

        def online() -> bool:
            said = self.err
            assert self.process.poll() is None, f"listen ended: {said}"
            return said.count("online (") >= times

        wait_for(online, 40, "listen is online")

    def messages(self) -> list[dict[str, Any]]:
        """Whole lines so far."""
        lines = self.out.split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def texts(self) -> list[str]:
        """The texts so far."""
        return [line["text"] for line in self.messages() if line["type"] == "message"]

    def wait_texts(self, count: int, seconds: float = 40.0) -> list[str]:
        """Until so many texts have come."""
        wait_for(lambda: len(self.texts()) >= count, seconds, f"{count} messages of {self.err}")
        return self.texts()
