"""Keys and certificates are replaced by processes that are killed at every step of it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat import tls
from secure_chat.client.link import Endpoint, connect
from secure_chat.protocol.invite import ServerAddress
from secure_chat.server import config, health
from secure_chat.server.cli import main
from secure_chat.server.rotation import TlsFiles
from tests.operator.conftest import Operator
from tests.operator.test_check import NOW

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.name != "posix", reason="forks, and kills with SIGKILL"),
]

_KILLED_AT_EACH_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from secure_chat.server import cli

before, place, words = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
CHANGES = {"os.rename", "os.remove", "os.chmod", "os.chown", "os.mkdir"}

def kill_before(step):
    left = step
    def look(event, arguments):
        nonlocal left
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if not (opened or event in CHANGES) or str(place) not in str(arguments[0]):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(look)

step = 0
while True:
    after = place.with_name(f"{place.name}-{step}")
    shutil.copytree(before, place)
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        kill_before(step)
        os._exit(cli.main(words))
    _, status = os.waitpid(child, 0)
    place.rename(after)
    if not os.WIFSIGNALED(status):
        print(step, os.waitstatus_to_exitcode(status))
        break
    step += 1
"""


class Cut(Operator):
    """An operator whose command is killed before each change that it makes to the certificates."""

    @property
    def place(self) -> config.Config:
        return config.Config(
            cert=self.files.certificate, key=self.files.key, data_dir=self.folder / "data"
        )

    @property
    def tls(self) -> TlsFiles:
        return TlsFiles(self.files.certificate, self.files.key)

    def killed(self, *words: str) -> Iterator[int]:
        """After each step: what the killed one left lies in the place of the certificates."""
        before, place = self.folder / "before", self.folder / "cut"
        self.files.folder.rename(before)
        named = ["--cert", str(place / "server.pem"), "--key", str(place / "server.key")]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED_AT_EACH_STEP, str(before), str(place), *words, *named],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=200,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        steps, code = map(int, done.stdout.split())
        assert code == 0
        for step in range(steps + 1):
            shutil.rmtree(self.files.folder, ignore_errors=True)
            self.folder.joinpath(f"cut-{step}").rename(self.files.folder)
            yield step

    def left(self) -> list[Path]:
        """What waits for a place."""
        return list(self.files.folder.glob("*.new"))

    def serves(self) -> bool:
        """Whether the certificate is that of the key, and the authority that of its own."""
        pairs = (
            (self.files.certificate, self.files.key),
            (
                self.files.authority,
                self.files.authority_key,
            ),
        )
        return all(_public(one) == tls.load_key(key).public_key() for one, key in pairs)


def _public(path: Path) -> object:
    return tls.load_certificates(path)[0].public_key()


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Cut]:
    somebody = Cut(tmp_path)
    yield somebody
    for running in somebody.running:
        running.stop(signal.SIGKILL)


@pytest.mark.parametrize("how", ["--new-key", "--use-spare", "--days=9"])
def test_a_killed_rotation_loses_no_key(
    operator: Cut, capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """Killed at any step: the next command leaves a pair that serves, and the old key is kept."""
    settings, sure = operator.settings(), ["--yes"] if how == "--new-key" else []
    if how == "--use-spare":
        assert main(["rotate-cert", *settings, "--spare"]) == 0
    old = _public(operator.files.certificate)
    half_way = changed = 0
    for step in operator.killed("rotate-cert", how, *sure):
        half = not operator.serves()
        said = next(iter(health.certificate(operator.place, NOW)))
        assert ("was cut off" in said.what) is (half or bool(operator.left())), said
        capfd.readouterr()
        assert main(["rotate-cert", *settings]) == 0
        assert operator.serves()
        assert ("was cut off" in capfd.readouterr().out) is half, step
        half_way += half
        assert not operator.left()
        if _public(operator.files.certificate) != old:
            changed += 1
            kept = operator.files.key.with_name("server.key.old")
            assert tls.load_key(kept).public_key() == old
            assert len(operator.tls.pins()) == 1  # a spare that is in use is none any more
        elif how == "--use-spare":
            assert len(operator.tls.pins()) == 2
    assert step >= 3
    assert (half_way, changed >= 2) == ((0, False) if how == "--days=9" else (1, True))


def test_a_server_starts_after_a_killed_rotation(operator: Cut) -> None:
    """Half of a pair is in place: the start puts the other half there, says so, and serves."""
    for _ in operator.killed("rotate-cert", "--new-key", "--yes"):
        if not operator.serves():
            running = operator.start("--registration", "open")
            assert running.address
            assert operator.serves()
            assert any("replaced only half-way" in line for line in running.log)
            server = ServerAddress("127.0.0.1", running.port)
            connect(Endpoint(server, None, operator.tls.pins()), timeout=60).close()
            return
    pytest.fail("no step left a half")


def test_a_killed_make_cert_is_begun_anew_or_finished(operator: Cut) -> None:
    """At any step: the next one makes all four files, or puts those that wait in their places."""
    shutil.rmtree(operator.files.folder)
    operator.files.folder.mkdir()
    codes = []
    for _ in operator.killed("make-cert"):
        codes.append(main(["make-cert", *operator.settings()]))
        assert operator.serves()
        assert not operator.left()
    assert codes == [0] * (len(codes) - 1) + [2]  # the last one was not killed: all was there
    assert len(codes) > 8
