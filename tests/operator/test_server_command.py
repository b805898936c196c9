"""The command secure-chat-server, run as a process: start, invite, stop, and every wrong way."""

import contextlib
import json
import os
import re
import select
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from secure_chat import tls
from secure_chat.client.link import Endpoint, connect
from secure_chat.errors import Code, ConnectionLost
from secure_chat.protocol.invite import InviteLink, ServerAddress
from secure_chat.protocol.messages import Bye
from secure_chat.server import certificates, cli, config
from secure_chat.server.cli import main
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.registry import COMMANDS
from tests.operator.conftest import ROOT, Operator
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)  # each starts several processes; a busy machine is slow
posix = pytest.mark.skipif(os.name == "nt", reason="signals, terminals and modes of POSIX")


def link_of(text: str) -> InviteLink:
    return InviteLink.parse(text.strip())


def endpoint(link: InviteLink) -> Endpoint:
    return Endpoint(link.server, link.server_id, link.pins, None)


def test_a_client_reaches_the_server_by_its_invite(operator: Operator) -> None:
    """The link's address, server id and pin are those of the server that answers."""
    running = operator.start()
    link = link_of(operator.invite("--advertise", running.address).stdout)
    assert link.pins == (operator.pin,)
    assert link.invite is not None
    connection = connect(endpoint(link), timeout=60)
    assert connection.hello.server_id == link.server_id
    assert connection.hello.registration == "invite"
    assert connection.group == "X25519MLKEM768"
    connection.close()


def test_an_invite_is_made_with_and_without_a_running_server(operator: Operator) -> None:
    """Both ways give a link to the same server; the store knows every invite."""
    before = link_of(operator.invite("--port", "7443").stdout)
    running = operator.start()
    during = link_of(operator.invite().stdout)
    assert running.stop() == 0
    after = link_of(operator.invite("--port", "7443").stdout)
    assert before.server_id == during.server_id == after.server_id
    assert len({link.invite for link in (before, during, after)}) == 3
    assert during.server == ServerAddress.parse(running.address)


def test_advertise_sets_the_links_address(operator: Operator) -> None:
    """What clients should use stands in the link: from the option, else from the configuration."""
    operator.start("--advertise", "chat.example.org:7000")
    assert link_of(operator.invite().stdout).server == ServerAddress("chat.example.org", 7000)
    other = link_of(operator.invite("--advertise", "[2001:db8::7]:1").stdout)
    assert other.server == ServerAddress("2001:db8::7", 1)


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(operator: Operator, number: int) -> None:
    """Clients hear that it stops; it exits with 0, frees the folder and leaves no socket behind."""
    running = operator.start()
    link = link_of(operator.invite().stdout)
    connection = connect(endpoint(link), timeout=60)
    running.process.send_signal(number)
    told = []
    try:
        while True:
            told += [message for message, _ in connection.wait(20)]
    except ConnectionLost:
        pass
    connection.close()
    assert [one.code for one in told if isinstance(one, Bye)] == [Code.SHUTTING_DOWN]
    assert running.stop() == 0
    assert not (operator.data / "admin.sock").exists()
    assert operator.start().stop() == 0  # the folder is free again


def test_a_killed_server_starts_again(operator: Operator) -> None:
    """What a kill leaves behind (lock, socket, journal) is no obstacle."""
    first = operator.start()
    before = link_of(operator.invite().stdout)
    first.process.kill()
    first.stop()
    operator.start()
    assert link_of(operator.invite().stdout).server_id == before.server_id


def test_a_second_server_on_the_same_folder_is_refused(operator: Operator) -> None:
    """Two servers never write to one database; the first one goes on."""
    operator.start()
    second = operator.command("--port", "0", *operator.settings())
    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert "Traceback" not in second.stderr
    assert operator.invite().returncode == 0


def test_a_port_in_use_is_said(operator: Operator) -> None:
    """The taken port is named in one line, and the exit code is 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = operator.command("--port", str(port), *operator.settings())
    assert done.returncode == 2
    assert f":{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "70000"], "--port: '70000' is no number from 0 to 65535"),
        (["--port", "9" * 5000], "is no number from 0 to 65535"),
        (["--retention-days", "0"], "--retention-days: '0' is no number from 1 to 365"),
        (["--port", "x"], "--port"),
        (["--nonsense"], "--nonsense"),
        (["dance"], "dance"),
        (["--registration", "maybe"], "--registration"),
        (["--cert", "none.pem"], "none.pem"),
        (["--key", "none.key"], "none.key"),
        (["--key", "{cert}"], "private key"),
        (["--cert", "{key}"], "certificate"),
        (["--key", "{other}"], "is not the key of"),
        (["--config", "none.toml"], "none.toml"),
        (["--config", "{bad}"], "bad.toml"),
        (["--data-dir", "{cert}"], "server.pem"),
        (["--host", "no such host"], "no such host"),
        (["--advertise", "a/b"], "HOST:PORT"),
        (["--advertise", "chat.example.org:0"], "HOST:PORT"),
        (["--advertise", "my chat:7443"], "HOST:PORT"),
        (["invite", "dance"], "dance"),
        (["invite", "revoke"], "ID --label"),
        (["invite", "revoke", "one"], "'one' is no number"),
        (["invite", "revoke", "1"], "no server's data"),
        (["invite", "--uses", "0"], "--uses"),
        (["invite", "--expires", "soon"], "--expires"),
        (["invite", "--label", "a\nb"], "--label"),
        (["invite", "--port", "0"], "--advertise"),
    ],
)
def test_every_mistake_is_one_line(operator: Operator, words: list[str], said: str) -> None:
    """A wrong argument, file or place is named in one line without traceback; the code is 2."""
    (operator.folder / "bad.toml").write_text("port = ")
    certificates.generate(operator.folder / "other")
    names = {
        "cert": operator.files.certificate,
        "key": operator.files.key,
        "bad": operator.folder / "bad.toml",
        "other": operator.folder / "other/server.key",
    }
    words = [word.format_map(names) for word in words]
    command = []
    while words and not words[0].startswith("-"):
        command.append(words.pop(0))
    done = operator.command(*command, "--port", "0", *operator.settings(), *words)
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="modes of POSIX")
def test_an_unwritable_data_folder_is_said(operator: Operator) -> None:
    """A folder that cannot be made is one line, also below something that is no folder."""
    done = operator.command("--port", "0", *operator.settings(), "--data-dir", "/dev/null/data")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "/dev/null/data" in done.stderr


@pytest.mark.parametrize("damage", ["no database", "a page overwritten"])
def test_a_damaged_database_is_said(operator: Operator, damage: str) -> None:
    """A database that cannot be read is one line that names the folder, and is left as it is."""
    assert operator.invite().returncode == 0
    file = operator.data / "server.db"
    whole = file.read_bytes()
    noise = b"\xa5" * 8192
    damaged = noise if damage == "no database" else whole[:4096] + noise + whole[12288:]
    file.write_bytes(damaged)
    for command in ([], ["invite"]):
        done = operator.command(*command, "--port", "7443", *operator.settings())
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert str(operator.data) in done.stderr
    assert file.read_bytes() == damaged


def test_a_damaged_table_is_not_told_as_a_failing_disk(
    operator: Operator, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the database opens and a table is broken, each command says so and what to do."""
    assert main(["invite", *operator.settings()]) == 0
    file = operator.data / "server.db"
    with contextlib.closing(sqlite3.connect(file)) as database:
        roots = dict(database.execute("SELECT name, rootpage FROM sqlite_master"))
        (size,) = database.execute("PRAGMA page_size").fetchone()
    damaged = bytearray(file.read_bytes())
    for table in ("accounts", "invites"):
        damaged[(roots[table] - 1) * size : roots[table] * size] = b"\xa5" * size
    file.write_bytes(damaged)
    for words in (["users", "list"], ["invite", "list"]):  # one reads, the other one writes
        capfd.readouterr()
        assert main([*words, *operator.settings()]) == 2
        said = capfd.readouterr().err
        assert len(said.splitlines()) == 1, said
        assert "database is damaged" in said
        assert "put a backup in place" in said


@pytest.mark.parametrize("name", ["why?", "50%", "#1", "a=b&mode=ro", "خانه"])
def test_a_data_folder_may_have_any_name(operator: Operator, name: str) -> None:
    """Marks that mean something in an address mean nothing in a folder's name."""
    data = operator.folder / name
    assert operator.invite("--data-dir", str(data)).returncode == 0
    assert (data / "server.db").stat().st_size > 0
    assert [place.name for place in operator.folder.glob("why*")] in ([], ["why?"])


@posix
@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 0), ("> /dev/full", 1), ("| true", 141), ("2>&- <&-", 0)]
)
def test_a_closed_or_full_stream_is_no_traceback(
    operator: Operator, redirection: str, code: int
) -> None:
    """Whoever takes no output gets an exit code, and nobody gets a traceback."""
    if redirection == "> /dev/full" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    script = ('set -o pipefail; {0} -m secure_chat.server invite "${{@}}" ' + redirection).format(
        sys.executable
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *operator.settings()],
        cwd=operator.folder, env=operator.environment, capture_output=True, encoding="utf-8",
        timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


@posix
def test_a_server_without_standard_streams_serves(operator: Operator) -> None:
    """A service manager may start it with every standard stream closed."""
    door = operator.data / "admin.sock"
    command = '"$@" <&- >&- 2>&-'
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}", "bash", sys.executable, "-m", "secure_chat.server",
         "--port", "0", *operator.settings()],
        cwd=operator.folder, env=operator.environment,
    )  # fmt: skip
    try:
        wait_for(lambda: door.exists() or process.poll() is not None, 100, "it has started")
        assert operator.invite("--advertise", "here:1").returncode == 0
    finally:
        process.terminate()
        assert process.wait(60) == 0


def test_the_file_does_what_the_options_do(operator: Operator) -> None:
    """A TOML file with every setting starts the same server; the command line wins over it."""
    file = operator.folder / "server.toml"
    file.write_text(
        'host = "127.0.0.1"\nport = 1\nadvertise = "chat.example.org:7000"\n'
        'cert = "certs/server.pem"\nkey = "certs/server.key"\ndata_dir = "elsewhere"\n'
        'registration = "open"\ndirectory = "by-name"\nretention_days = 3\n'
        "max_file_mib = 5\naccount_files_mib = 9\naccount_messages = 7\nconnections = 100\n"
        'metrics = "127.0.0.1:9090"\nmetrics_anywhere = false\nlog_addresses = true\n'
        'log_format = "json"\nlog_level = "debug"\n'
    )
    words = ["--config", str(file)]
    done = operator.command("invite", *words)
    assert done.returncode == 0, done.stderr
    assert link_of(done.stdout).server == ServerAddress("chat.example.org", 7000)
    assert (operator.folder / "elsewhere").is_dir()
    names = re.findall(r"^(\w+) =", file.read_text(), re.MULTILINE)
    assert names == [setting.name for setting in config.settings()]


@pytest.mark.parametrize("form", ["text", "json"])
def test_attack_76_the_log_holds_no_link_and_no_address(operator: Operator, form: str) -> None:
    """At its most talkative the log shows that an invite was made, never the link or a peer."""
    running = operator.start("--log-level", "debug", "--log-format", form)
    made = operator.invite("--label", "for somebody")
    link = link_of(made.stdout)
    connect(endpoint(link), timeout=60).close()
    with socket.create_connection(("127.0.0.1", running.port)) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        stranger.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            stranger.recv(100)
    assert running.stop() == 0
    log = "\n".join(running.log)
    assert "an invite was made" in log
    assert "stopped" in log
    for secret in ("securechat:", made.stdout.strip()[-20:], "127.0.0.1", "Traceback"):
        assert secret not in log
    if form == "json":
        assert all(json.loads(line)["level"] for line in running.log)


@posix
def test_attack_68_what_the_server_stores_is_the_owners(operator: Operator) -> None:
    """Folder 0700 and files 0600, whatever the umask."""
    old = os.umask(0)
    try:
        operator.start()
    finally:
        os.umask(old)
    assert stat.S_IMODE(operator.data.stat().st_mode) == 0o700
    for path in operator.data.rglob("*"):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def on_a_terminal(operator: Operator, *words: str) -> str:
    """Start a server on a pseudo-terminal; all that it shows until its last line of greeting."""
    import pty

    ours, theirs = pty.openpty()
    running = operator.start(*words, stdout=theirs)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 100
    while b"Ctrl+C" not in shown and b"only existing" not in shown:
        assert select.select([ours], [], [], max(0, deadline - time.monotonic()))[0], shown
        shown += os.read(ours, 65536)
    assert running.stop() == 0
    os.close(ours)
    return shown.decode()


@posix
def test_on_a_terminal_it_shows_a_link_and_its_qr_code(operator: Operator) -> None:
    """The person who starts it can invite the first friend without another command."""
    shown = on_a_terminal(operator, "--advertise", "chat.example.org:7443")
    found = re.search(r"securechat://\S+", shown)
    assert found is not None
    link = link_of(found[0])
    assert link.invite is not None
    assert link.pins == (operator.pin,)
    assert link.server == ServerAddress("chat.example.org", 7443)
    blocks = [
        line for line in shown.splitlines() if set(line.strip()) <= set("█▀▄ ") and line.strip()
    ]
    assert len(blocks) > 20


@posix
def test_on_a_terminal_without_invites(operator: Operator) -> None:
    """An open server shows a link without a token, a closed one that nobody can register."""
    found = re.search(r"securechat://\S+", on_a_terminal(operator, "--registration", "open"))
    assert found is not None
    assert link_of(found[0]).invite is None
    assert "securechat://" not in on_a_terminal(operator, "--registration", "closed")


def test_not_on_a_terminal_it_shows_no_link(operator: Operator) -> None:
    """Where output goes to a file or a journal, no secret goes with it."""
    running = operator.start()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.stdout is not None
    rest = running.process.stdout.read()
    running.stop()
    assert "securechat:" not in rest + "\n".join(running.log)


def test_a_closed_server_makes_no_invites(operator: Operator) -> None:
    """Nobody gets a link that cannot work."""
    operator.start("--registration", "closed")
    done = operator.invite()
    assert done.returncode == 2
    assert "closed" in done.stderr


def every_command(
    commands: tuple[Command, ...] = COMMANDS, above: tuple[str, ...] = ()
) -> dict[tuple[str, ...], Command]:
    """The commands and their parts, by the words that call them."""
    found = {}
    for command in commands:
        words = (*above, command.name)
        found[words] = command
        found.update(every_command(command.parts, words))
    return found


@pytest.mark.parametrize("words", [(), *every_command()])
def test_help_names_every_command_and_option(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command and each part has help that names what may follow, with examples that work."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    parts = every_command()[words].parts if words else COMMANDS
    for part in parts:
        assert part.name in shown
        assert part.help in " ".join(shown.split())
    if parts:
        return
    for setting in config.settings():
        assert setting.flag in shown
    command = every_command()[words]
    assert command.examples
    for typed, meaning in command.examples:
        assert f"  secure-chat-server {typed}\n      {meaning}\n" in shown
        parsed = cli._completed(shlex.split(typed.partition(" > ")[0]))
        cli._parser().parse_args(parsed)  # no word of it is refused
        assert tuple(parsed[: len(words)]) == words


def test_the_version_is_the_packages(operator: Operator) -> None:
    """--version says which one runs."""
    done = operator.command("--version")
    assert done.stdout.split() == ["secure-chat-server", "0.1.0"]


def test_the_readme_shows_every_setting() -> None:
    """The table of settings in the README is the one made from the code."""
    assert config.reference() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_certificate_is_the_one_that_the_pin_names(operator: Operator) -> None:
    """The pin that is printed, stored in links and presented in TLS is one and the same."""
    loaded = tls.load_certificates(Path(operator.files.certificate))[0]
    assert tls.spki_pin(loaded) == operator.pin
