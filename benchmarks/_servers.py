"""The servers to measure, each started on loopback with TLS and a folder of its own."""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from secure_chat.server.certificates import CertificateFiles, generate
from tests.support.processes import ServerProcess

_START_SECONDS = 30


class Started(ABC):
    """A running server."""

    name: str
    port: int

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp())

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its one process."""

    def restart(self) -> None:
        """Stop and start again over the same data, so that memory begins anew."""
        self.stop()
        self.start()

    @abstractmethod
    def kill(self) -> None:
        """SIGKILL: no chance to finish anything."""

    @abstractmethod
    def start(self) -> None:
        """Start again over the same data."""

    @abstractmethod
    def stop(self) -> None:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class SecureChat(Started):
    """The server of this repository with its default store."""

    name = "secure_chat"

    def __init__(self) -> None:
        super().__init__()
        self._server = ServerProcess(self.folder, more=["--account-messages", "1000000"])
        self.port = self._server.port

    @property
    def pid(self) -> int:
        return self._server.pid

    def kill(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()


class _Peer(Started):
    """A server from a package, with a configuration made here."""

    program: str

    def __init__(self, names: int) -> None:
        super().__init__()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # The same kind of certificate that secure_chat gets.
        self.certs = CertificateFiles(self.folder / "certs")
        generate(self.certs.folder)
        (self.folder / "data").mkdir()
        self.config = self.folder / "config.lua"  # Prosody goes by the ending
        self.config.write_text(self.configure(names), encoding="utf-8")
        self.start()

    @abstractmethod
    def configure(self, names: int) -> str:
        """The text of its configuration file; make accounts where it needs them."""

    @abstractmethod
    def command(self) -> list[str]:
        """How it is started."""

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log)
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "log").read_text(errors="replace")
                raise SystemExit(f"{self.name} did not start: {said[-1000:]}")
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(_START_SECONDS)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(_START_SECONDS)


class Mosquitto(_Peer):
    """MQTT in C; QoS 1 without fsync; anybody may log in, without a password."""

    name = "mosquitto"
    program = "mosquitto"

    def configure(self, names: int) -> str:
        del names
        return (
            f"listener {self.port} 127.0.0.1\n"
            f"certfile {self.certs.certificate}\nkeyfile {self.certs.key}\n"
            "allow_anonymous true\nuser root\nset_tcp_nodelay true\n"
            f"persistence true\npersistence_location {self.folder}/data/\n"
            "max_inflight_messages 256\nmax_queued_messages 0\nlog_type error\n"
        )

    def command(self) -> list[str]:
        return [self.program, "-c", str(self.config)]


class Prosody(_Peer):
    """XMPP in Lua; file store without fsync; passwords by SASL PLAIN."""

    name = "Prosody"
    program = "prosody"

    def configure(self, names: int) -> str:
        accounts = self.folder / "data" / "localhost" / "accounts"
        accounts.mkdir(parents=True)
        people = [f"{kind}{n:04d}" for kind in "sr" for n in range(100)] + ["flood"]
        for person in people + [f"i{n:05d}" for n in range(names)]:
            (accounts / f"{person}.dat").write_text('return { ["password"] = "password" };\n')
        return (
            "run_as_root = true\ndaemonize = false\n"
            f'pidfile = "{self.folder}/pid"\ndata_path = "{self.folder}/data"\n'
            'interfaces = { "127.0.0.1" }\nc2s_ports = {}\ns2s_ports = {}\n'
            f"c2s_direct_tls_ports = {{ {self.port} }}\n"
            'modules_enabled = { "roster", "saslauth", "tls", "smacks", "offline" }\n'
            'modules_disabled = { "s2s" }\nauthentication = "internal_plain"\n'
            'storage = "internal"\nlog = { error = "*console" }\n'
            f'ssl = {{ certificate = "{self.certs.certificate}", key = "{self.certs.key}" }}\n'
            'VirtualHost "localhost"\n'
        )

    def command(self) -> list[str]:
        return [self.program, "-F", "--config", str(self.config)]


def installed_peers() -> list[type[Mosquitto] | type[Prosody]]:
    """Those that are here; a loud sentence for each that is not."""
    found: list[type[Mosquitto | Prosody]] = []
    for peer in (Mosquitto, Prosody):
        if shutil.which(peer.program):
            found.append(peer)
        else:
            print(
                f"NOT MEASURED: {peer.name} is not installed (apt-get install {peer.program}).",
                file=sys.stderr,
            )
    return found
