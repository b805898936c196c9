"""SIGHUP: a running server follows its file, and a bad file changes nothing."""

import os
import re
import signal
import subprocess
import sys

import pytest

from secure_chat.client.link import Endpoint, connect
from secure_chat.protocol.invite import InviteLink
from secure_chat.server import certificates, config
from tests.operator.conftest import ROOT, Operator, Running
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP"),
]


def written(operator: Operator, text: str) -> list[str]:
    """A file of settings; the words that name it."""
    file = operator.folder / "server.toml"
    file.write_text(
        f'cert = "certs/server.pem"\nkey = "certs/server.key"\ndata_dir = "data"\nport = 0\n{text}'
    )
    return ["--config", str(file)]


def started(operator: Operator, words: list[str]) -> Running:
    running = Running(operator, words, {})
    operator.running.append(running)
    return running


def reload(running: Running, said: str) -> str:
    """Send SIGHUP; the new line of the log that says what came of it."""
    seen = len(running.log)
    running.process.send_signal(signal.SIGHUP)

    def line() -> str | None:
        return next((one for one in running.log[seen:] if said in one), None)

    found = wait_for(line, 60, f"{said!r} in the log")
    assert found is not None
    return found


def registration(running: Running, operator: Operator) -> str:
    """What a new connection is told."""
    (pin,) = {operator.pin}
    link = InviteLink.parse(f"securechat://{running.address}/#v=1")
    connection = connect(Endpoint(link.server, None, (pin,)), timeout=60)
    connection.close()
    return connection.hello.registration


def test_new_settings_are_followed(operator: Operator) -> None:
    """Registration, log level and retention change at once; the port waits, and that is said."""
    words = written(operator, 'registration = "open"\n')
    running = started(operator, words)
    assert registration(running, operator) == "open"
    written(
        operator, 'registration = "closed"\nretention_days = 3\nlog_level = "debug"\nhost = "::1"\n'
    )
    line = reload(running, "reloaded:")
    assert re.search(r"the certificate, registration, retention_days, log_level$", line)
    assert registration(running, operator) == "closed"
    reload(running, "after a restart: host")
    assert running.stop() == 0


def test_a_bad_file_is_refused_in_words(operator: Operator) -> None:
    """No setting of a file with a mistake is taken, and a certificate that does not fit neither."""
    words = written(operator, 'registration = "open"\n')
    running = started(operator, words)
    written(operator, 'registration = "closed"\nretention_days = 0\n')
    assert "retention_days: it takes a whole number from 1 to 365" in reload(
        running, "nothing was reloaded"
    )
    written(operator, "port = ")
    assert "it is no TOML" in reload(running, "nothing was reloaded")
    written(operator, 'registration = "closed"\n')
    key = operator.files.key.read_bytes()
    certificates.generate(operator.folder / "other")
    operator.files.key.write_bytes((operator.folder / "other/server.key").read_bytes())
    assert "is not the key of" in reload(running, "nothing was reloaded")
    assert registration(running, operator) == "open"
    operator.files.key.write_bytes(key)
    reload(running, "reloaded: the certificate, registration")
    assert registration(running, operator) == "closed"
    assert running.stop() == 0


def test_the_command_line_still_wins_after_a_reload(operator: Operator) -> None:
    """What an option says is not changed by the file."""
    words = written(operator, "")
    running = started(operator, [*words, "--registration", "open"])
    written(operator, 'registration = "closed"\n')
    assert reload(running, "reloaded:").endswith("reloaded: the certificate")
    assert registration(running, operator) == "open"
    assert running.stop() == 0


def test_each_setting_says_whether_a_reload_follows_it() -> None:
    """Where the server listens and where its data lie can only change by a restart."""
    assert {one.name for one in config.settings() if not one.reload} >= {"host", "port", "data_dir"}
    assert {"cert", "key", "registration"} <= {one.name for one in config.settings() if one.reload}
    assert "| on reload |" in (ROOT / "README.md").read_text(encoding="utf-8")


_HAMMERED = """
import os, signal, threading
from secure_chat.server.commands import serve

def hammer():
    for _ in range(5_000):
        os.kill(os.getpid(), signal.SIGHUP)
    os.kill(os.getpid(), signal.SIGTERM)

signals = serve._Signals()
threading.Thread(target=hammer).start()
while signals.wait(0.0) is not serve._Asked.STOP:
    pass
"""


def test_no_signal_meets_the_main_thread_at_a_bad_moment(operator: Operator) -> None:
    """Whenever they come, also between two steps of the wait for them: the last one stops it.

    A server that is told to stop as soon as it serves is just there.
    """
    command = [sys.executable, "-c", _HAMMERED]
    done = subprocess.run(command, env=operator.environment, timeout=60, check=False)
    assert done.returncode == 0
