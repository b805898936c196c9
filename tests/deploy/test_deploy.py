"""The files in deploy/: what can be tried without root and without a registry is tried here."""

import configparser
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from secure_chat.client.cli.arguments import parse
from secure_chat.client.link import Endpoint, connect
from secure_chat.protocol.encoding import b64url
from secure_chat.protocol.invite import InviteLink
from secure_chat.server import config
from secure_chat.server.rotation import TlsFiles
from tests.support.processes import environment
from tests.support.raw_client import RawClient

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "secure-chat-server.service").read_text(encoding="utf-8")
CONTAINER = (DEPLOY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="systemd and containers"),
]


CAN_CONFINE = (
    sys.platform == "linux"
    and os.geteuid() == 0
    and shutil.which("setpriv") is not None
    and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
)
# ProtectSystem=strict with a StateDirectory, CapabilityBoundingSet= and NoNewPrivileges=yes
_CONFINED = """
state=$1; around=$(dirname "$1"); shift
mount --make-rprivate /
mount --bind "$around" "$around"  # perhaps of another disk than /
mount --bind "$state" "$state"
mount -o remount,bind,ro "$around"
mount -o remount,bind,ro /
if touch "$around/written" 2>/dev/null; then echo "not read-only" >&2; exit 9; fi
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""
# MemoryDenyWriteExecute=yes; older kernels than 6.3 do not know PR_SET_MDWE
_WITHOUT_NEW_CODE = """
import ctypes, runpy, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
sys.argv[0] = "secure-chat-server"
runpy.run_module("secure_chat.server", run_name="__main__")
"""


def test_a_pressed_link_opens_the_client_on_a_desktop(tmp_path: Path) -> None:
    """What the README's command installs names the scheme, and a program that takes the link."""
    entry = configparser.RawConfigParser()
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(DEPLOY / "secure-chat.desktop", encoding="utf-8")
    desktop = entry["Desktop Entry"]
    link = "securechat://host:7443/#v=1"
    program, *arguments = desktop["Exec"].replace("%u", link).split()
    assert program in entry_points()
    assert (chosen := parse(arguments)).command == "window"
    assert str(chosen.link) == link
    assert f"x-scheme-handler/{link.partition(':')[0]};" == desktop["MimeType"]
    assert desktop["StartupWMClass"] == "Secure_chat"  # Tk's spelling of the class that we ask for
    if shutil.which("desktop-file-install") is None:
        return
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (command,) = re.findall(r"`(desktop-file-install [^`]*)`", readme)
    home = {**os.environ, "HOME": str(tmp_path)}
    (tmp_path / "secure-chat/bin").mkdir(parents=True)
    (tmp_path / "secure-chat/bin/secure-chat").touch(0o755)
    subprocess.run(["sh", "-ec", command], cwd=ROOT, env=home, check=True)
    installed = tmp_path / ".local/share/applications"
    assert f"Exec={tmp_path}/secure-chat/bin/secure-chat %u" in (
        installed / "secure-chat.desktop"
    ).read_text(encoding="utf-8")
    assert "x-scheme-handler/securechat" in (installed / "mimeinfo.cache").read_text()


def entry_points() -> set[str]:
    """The programs that an installation brings."""
    made = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return set(made["project"]["scripts"])


class Machine:
    """Where the service runs: its settings, with the paths moved below a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        text = (DEPLOY / "server.toml").read_text(encoding="utf-8")
        self.state = folder / "var"
        self.file = folder / "server.toml"
        text = text.replace("/var/lib/secure-chat", str(self.state))
        self.file.write_text(text.replace('"0.0.0.0"', '"127.0.0.1"') + "port = 0\n")
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(folder / "notify"))
        self.manager.settimeout(100)
        self.environment = {
            **environment(self.home),
            config.FILE_VARIABLE: str(self.file),
            "NOTIFY_SOCKET": str(folder / "notify"),
        }

    def confined(self) -> "subprocess.Popen[str]":
        """The unit's command under what of its limits can be had without systemd."""
        self.state.mkdir(exist_ok=True)
        words = setting("ExecStart")[0].split()[1:]
        if not CAN_CONFINE:
            return self.start(*words)
        command = ["unshare", "--mount", "sh", "-euc", _CONFINED, "sh", str(self.state)]
        return self._popen([*command, sys.executable, "-c", _WITHOUT_NEW_CODE, *words])

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return self._popen([sys.executable, "-m", "secure_chat.server", *words])

    def _popen(self, command: list[str]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command,
            env=self.environment, cwd=self.home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=100)
        return process.returncode, out + err

    def told(self) -> str:
        """The next state that the service manager hears."""
        return self.manager.recv(4096).decode().partition("\n")[0]


def setting(name: str) -> list[str]:
    """The values of a key of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_the_units_command_serves_and_tells_the_manager(tmp_path: Path) -> None:
    """As the page says: make-cert, check, start, invite, reload, stop; each state is announced.

    With nothing writable but its state folder, no capability and no memory to put code in, people
    register, write, and are backed up.
    """
    machine = Machine(tmp_path)
    code, said = machine.run("make-cert", "--name", "chat.example.org")
    assert code == 0, said
    assert machine.run("stats", "--running")[0] == 2
    process = machine.confined()
    try:
        assert machine.told() == "READY=1"
        code, said = machine.run("check")
        assert code == 0, said
        assert machine.run("stats", "--running", "--json")[0] == 0
        code, said = machine.run("invite")
        link = InviteLink.parse(said.strip())
        connect(Endpoint(link.server, link.server_id, link.pins), timeout=60).close()
        with RawClient.register(link.server.port, "alice", link.invite) as alice:
            alice.pm("alice/main", b"to myself")
        code, said = machine.run("backup", str(machine.state / "chat.backup"))
        assert code == 0, said
        process.send_signal(signal.SIGHUP)
        assert [machine.told(), machine.told()] == ["RELOADING=1", "READY=1"]
        process.send_signal(signal.SIGTERM)
        assert machine.told() == "STOPPING=1"
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "reloaded: the certificate" in log
    finally:
        process.kill()
        process.communicate()
        machine.manager.close()


def test_a_first_certificate_overwrites_nothing(tmp_path: Path) -> None:
    """make-cert prints the pin; a second time it refuses, and says what is there."""
    machine = Machine(tmp_path)
    code, said = machine.run("make-cert")
    assert code == 0, said
    certs = machine.state / "certs"
    pin = TlsFiles(certs / "server.pem", certs / "server.key").pins()[0]
    assert b64url(pin) in said
    code, said = machine.run("make-cert")
    assert code == 2
    assert "exists already; rotate-cert renews" in said
    assert "--force" not in said  # an option that it does not have
    code, said = machine.run("make-cert", "--cert", str(tmp_path / "other.pem"))
    assert (code, "this command makes" in said) == (2, True)
    machine.manager.close()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """systemd-analyze finds nothing to complain of, and hardly any exposure."""
    unit = tmp_path / "secure-chat-server.service"
    unit.write_text(UNIT.replace("/opt/secure-chat/bin/secure-chat-server", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert (setting("NoNewPrivileges"), setting("ProtectSystem")) == (["yes"], ["strict"])


def test_the_container_runs_as_nobody_and_installs_by_hash() -> None:
    """No root in the image that runs, no package without a hash, no file that is not there."""
    last = CONTAINER[CONTAINER.rindex("FROM ") :]
    (user,) = re.findall(r"^USER (\d+)$", last, re.MULTILINE)
    assert int(user) > 0
    installs = re.findall(r"pip install[^\n]*", CONTAINER)
    assert installs
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINER, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored
    (health,) = re.findall(r'^\s*CMD \["secure-chat-server", (.*)\]$', CONTAINER, re.MULTILINE) or [
        re.findall(r'HEALTHCHECK.*CMD \["secure-chat-server", (.*)\]', CONTAINER)[0]
    ]
    assert health == '"stats", "--running", "--json"'


def test_the_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that both ways share loads, and unit and container find it by the same variable."""
    loaded = config.load(DEPLOY / "server.toml", {})
    assert loaded.host == "0.0.0.0"
    assert loaded.data_dir == Path("/var/lib/secure-chat/data")
    for text in (UNIT, CONTAINER):
        assert f"{config.FILE_VARIABLE}=/etc/secure-chat/server.toml" in text
