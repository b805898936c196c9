"""``check`` and ``config``: what is wrong is found and said, what is right stays untouched."""

import contextlib
import datetime as dt
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.errors import Code
from secure_chat.protocol.messages import Bye
from secure_chat.server import certificates, config, health, rights
from secure_chat.server.cli import main
from secure_chat.server.commands import check
from secure_chat.server.findings import Finding
from secure_chat.server.net.settings import EdgeSettings, fitted
from tests.operator.conftest import Operator
from tests.support.waiting import wait_for
from tests.support.wire import Wire

pytestmark = pytest.mark.timeout(400)
posix = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
NOW = dt.datetime.now(dt.UTC)


def checked(operator: Operator, *words: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each finding with its level."""
    done = operator.run("check", "--json", *words)
    assert done.stderr == ""
    return done.returncode, {one["what"]: one["level"] for one in json.loads(done.stdout)}


def level(found: dict[str, str], words: str) -> str:
    """The level of the finding that says these words."""
    (said,) = [what for what in found if words in what]
    return found[said]


def settings(operator: Operator) -> config.Config:
    return config.Config(
        cert=operator.files.certificate, key=operator.files.key, data_dir=operator.data
    )


def test_all_is_well_with_and_without_a_server(operator: Operator) -> None:
    """A fresh server has no errors, running or not; nothing is made where there is nothing."""
    code, found = checked(operator, "--port", "0")
    assert (code, level(found, "no data in")) == (0, "warning")
    assert not operator.data.exists()
    operator.start()
    code, found = checked(operator)
    assert code == 0
    assert set(found.values()) == {"ok"}
    assert level(found, "a server runs") == "ok"
    assert level(found, "the database is whole") == "ok"


def test_what_is_wrong_is_an_error_with_advice(operator: Operator) -> None:
    """A taken port, a database with a broken page: exit code 1, and each line says what to do."""
    running = operator.start()
    port = str(running.port)
    other = operator.folder / "other"
    code, found = checked(operator, "--port", port, "--data-dir", str(other))
    assert (code, level(found, "Cannot listen")) == (1, "error")
    running.stop()
    file = operator.data / "server.db"
    whole = file.read_bytes()
    damaged = whole[:8192] + b"\xa5" * 4096 + whole[12288:]
    file.write_bytes(damaged)
    done = operator.run("check", "--port", "0")
    assert done.returncode == 1
    assert "database" in done.stdout
    assert "→ stop the server, keep a copy" in done.stdout
    assert file.read_bytes() == damaged


_AS_NOBODY = """
import os, sys
from secure_chat.server import cli
if os.geteuid() == 0:
    os.setuid(65534)
sys.exit(cli.main(sys.argv[1:]))
"""


@posix
def test_who_may_not_look_is_told_so(operator: Operator) -> None:
    """Another account does not hear that there is no data; it hears whose it has to be."""
    assert operator.invite().returncode == 0
    operator.data.chmod(0)
    try:
        for words in (["check"], ["stats"], ["users", "list"], ["invite", "list"]):
            done = subprocess.run(
                [sys.executable, "-c", _AS_NOBODY, *words, *operator.settings()],
                cwd=operator.folder, env=operator.environment, capture_output=True,
                encoding="utf-8", timeout=60, check=False,
            )  # fmt: skip
            said = done.stdout + done.stderr
            assert "run as the server's account" in said, (words, said)
            assert "no server's data" not in said
            assert done.returncode in {1, 2}
    finally:
        operator.data.chmod(0o700)


def test_a_newer_and_an_older_schema_are_told_apart(tmp_path: Path) -> None:
    """A newer one is an error, an older one will be brought up to date: neither is touched."""
    with sqlite3.connect(tmp_path / "x") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("CREATE TABLE deliveries (time)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        levels = [one.level for one in health.inside(connection, NOW)]
        assert levels == ["ok", "warning"]
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        ahead = (NOW + dt.timedelta(days=3650)).timestamp() * 1000
        connection.execute("INSERT INTO deliveries VALUES (?)", (ahead,))
        levels = [one.level for one in health.inside(connection, NOW)]
        assert levels == ["ok", "error", "warning"]
    connection.close()


@pytest.mark.parametrize(
    ("days", "found"),
    [(-2, "error"), (0, "ok"), (380, "warning"), (400, "error")],
)
def test_the_dates_of_the_certificate(operator: Operator, days: int, found: str) -> None:
    """Not yet valid, valid, soon over, over."""
    now = NOW + dt.timedelta(days=days)
    said = list(health.certificate(settings(operator), now))
    assert said[1].level == found
    assert bool(said[1].advice) == (found != "ok")


@posix
@pytest.mark.parametrize(("mode", "found"), [(0o600, "ok"), (0o640, "warning"), (0o644, "error")])
def test_attack_68_a_key_that_others_may_read_is_found(
    operator: Operator, mode: int, found: str
) -> None:
    """The private key's bits decide."""
    operator.files.key.chmod(mode)
    said = list(health.certificate(settings(operator), NOW))
    assert said[3].level == found
    operator.files.folder.chmod(0o777)
    said = list(health.certificate(settings(operator), NOW))
    assert any("may put another key in the place" in one.what for one in said)


@posix
def test_attack_68_a_data_folder_that_others_may_read_is_found(operator: Operator) -> None:
    """Any file in it counts."""
    operator.invite()
    assert next(health.folder(settings(operator))).level == "ok"
    (operator.data / "server.db").chmod(0o604)
    found = next(health.folder(settings(operator)))
    assert found.level == "error"
    assert "server.db" in found.what


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="root sees the account's view")
def test_what_the_servers_account_cannot_open_is_found(operator: Operator) -> None:
    """Root may read all of it; the owner of the folder is who has to."""
    assert main(["invite", *operator.settings()]) == 0
    config, account = settings(operator), 65534
    os.chown(operator.data, account, account)
    (found,) = (one for one in health.folder(config) if one.level == "error")
    assert "cannot read and write" in found.what
    assert "server.db" in found.what
    assert f": {operator.data}" in found.advice
    assert "runs as root on the data of" in rights.of_the_process(operator.data).what
    for path in operator.data.iterdir():
        os.chown(path, account, account)
    assert next(health.folder(config)).level == "ok"
    (operator.data / "server.db").chmod(0o400)
    assert "server.db" in next(health.folder(config)).what
    with tempfile.TemporaryDirectory() as public:  # pytest's own folder is closed to others
        Path(public).chmod(0o755)
        paths = [shutil.copy(path, public) for path in operator.files.all()[1::2]]
        said = list(rights.of_the_account(map(Path, paths), operator.data))
        assert [paths[0] in one.what for one in said] == [True]  # the certificate is everybody's
        os.chown(paths[0], account, account)
        assert not list(rights.of_the_account(map(Path, paths), operator.data))
        Path(public).chmod(0o700)
        assert len(list(rights.of_the_account(map(Path, paths), operator.data))) == 2


def test_a_clock_that_is_behind_what_happened_is_found(operator: Operator) -> None:
    """Files of today cannot have been written after now."""
    (found,) = health.clock(settings(operator), NOW - dt.timedelta(days=3650))
    assert found.level == "error"
    (found,) = health.clock(settings(operator), NOW + dt.timedelta(days=1))
    assert found.level == "ok"


def test_a_certificate_for_another_key_or_name(operator: Operator) -> None:
    """The wrong key is an error, a name that is missing a warning."""
    certificates.generate(operator.folder / "other")
    wrong = config.Config(cert=operator.files.certificate, key=operator.folder / "other/server.key")
    (found,) = health.certificate(wrong, NOW)
    assert (found.level, "is not the key of" in found.what) == ("error", True)
    named = config.Config(
        cert=operator.files.certificate, key=operator.files.key, advertise="chat.example.org:1"
    )
    said: list[Finding] = list(health.certificate(named, NOW))
    assert said[2].level == "warning"
    assert "rotate-cert --add-name chat.example.org" in said[2].advice


@given(
    st.integers(1, 1_000_000),
    st.integers(0, 10_000_000) | st.none(),
)
def test_what_is_permitted_fits_into_the_limit_on_open_files(most: int, limit: int | None) -> None:
    """Connections and handshakes together never ask for more files than there may be."""
    chosen = fitted(most, limit)
    assert 0 < chosen.connections <= most
    assert 0 < chosen.handshakes <= EdgeSettings().handshakes
    if limit is None or limit > most + 5_000:
        assert chosen.connections == most
    elif limit > 300:
        assert chosen.connections + chosen.handshakes < limit


@posix
def test_a_low_limit_on_open_files_is_said_and_kept(operator: Operator) -> None:
    """At the start and by check; who comes when it is full is told, and nobody is kept waiting."""
    resource = pytest.importorskip("resource")

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))

    running = operator.start("--registration", "open", preexec_fn=few)
    room = 39  # 300 less 256 for other files and 5 for handshakes
    said = f"has room for {room} of the 10,000 connections"
    wait_for(lambda: any(said in line for line in running.log), 30, "it warns")
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(Wire(running.port)) for _ in range(room)]
        late = stack.enter_context(Wire(running.port, greet=False))
        assert late.expect(Bye).code is Code.OVERLOADED
        assert inside[-1].hello.server_id == inside[0].hello.server_id
        code, found = checked(operator)
    assert (code, level(found, said)) == (0, "warning")


@posix
def test_check_sees_what_the_running_server_does(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which name its links carry, whether it shows the certificate that lies there, and a hang."""
    running = operator.start("--advertise", "chat.example.org:7443")
    certificates.generate(operator.files.folder, ("chat.example.org",), force=True)
    file = operator.folder / "server.toml"
    file.write_text("")
    code, found = checked(operator, "--config", str(file))
    assert code == 0
    assert level(found, f"the settings of {file} are valid") == "ok"
    assert level(found, "names chat.example.org, as invite links do") == "ok"
    assert level(found, "with another certificate than") == "warning"
    os.kill(running.process.pid, signal.SIGSTOP)
    try:
        patient = msgspec.structs.replace(check._INSIDE, seconds=0.2)
        monkeypatch.setattr(check, "_INSIDE", patient)
        assert main(["check", *operator.settings()]) == 1
        assert "nothing within 0.2 seconds" in capsys.readouterr().out
    finally:
        os.kill(running.process.pid, signal.SIGCONT)


# ---------------------------------------------------------------- config


def test_the_example_file_says_what_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ``config`` prints is a file that starts the same server; its notes are the defaults."""
    given = ["--host", "::", "--advertise", "chat.example.org:7000", "--registration", "open"]
    assert main(["config", *given, "--data-dir", 'a "folder" \\ خانه']) == 0
    text = capsys.readouterr().out
    file = tmp_path / "server.toml"
    file.write_text(text, encoding="utf-8")
    loaded = config.load(file, {})
    assert (loaded.host, loaded.advertise) == ("::", "chat.example.org:7000")
    assert (loaded.registration, loaded.port) == ("open", 7443)
    assert loaded.data_dir == Path('a "folder" \\ خانه').absolute()
    notes = [line[2:] for line in text.splitlines() if line.startswith("# ") and " = " in line]
    file.write_text("\n".join(notes), encoding="utf-8")
    assert config.load(file, {}).retention_days == config.Config().retention_days
    names = {setting.name for setting in config.settings()}
    assert {line.removeprefix("# ").partition(" = ")[0] for line in text.splitlines()} >= names
