"""The command line over a scripted engine: what is printed, and how each command ends."""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_chat.client.cli import commands, listen, output, session
from secure_chat.client.cli.arguments import parse
from secure_chat.client.cli.program import run
from secure_chat.client.events import (
    AccountDeletion,
    ConnectionChanged,
    ConnectionState,
    KeyChanged,
    Message,
    MessageAdded,
    MessageState,
    Person,
    Problem,
    ServersData,
    Trust,
)
from secure_chat.client.i18n import Words
from secure_chat.errors import (
    BadEncoding,
    Code,
    ConnectFailed,
    NotDone,
    Refused,
    TextTooLong,
    Unreadable,
)
from secure_chat.protocol.held import held_row
from tests.support.fake_engine import (
    ALICE,
    BOB,
    NUMBER,
    ONLINE,
    FakeEngine,
    backend_on,
    everybody,
    safety_with,
    stopped_by,
    text_from,
)
from tests.support.processes import environment

Result = tuple[int, str, str]
Command = Callable[..., Result]


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "profiles"


@pytest.fixture
def command(
    engine: FakeEngine, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command of the profile ``alice``; gives exit code, output and errors."""
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    (root / "alice").mkdir(parents=True)

    def execute(name: str, *arguments: str) -> Result:
        locked = () if name == "profiles" else ("--password-file", str(password))
        code = run([name, *locked, *arguments], backend_on(engine, root))
        written = capsys.readouterr()
        return code, written.out, written.err

    return execute


def test_send_says_that_the_server_accepted(command: Command, engine: FakeEngine) -> None:
    """Accepted is said as accepted, and never as delivered."""
    code, out, err = command("send", "Bob", "hello", "there")
    assert (code, err) == (0, "")
    assert out == "Accepted: the message is safe at the server for bob.\n"
    assert engine.sent == [(BOB, "hello there")]
    assert engine.stopped


def test_send_waits_for_the_device_when_asked(command: Command, engine: FakeEngine) -> None:
    """--wait delivered ends only when the other device said so."""
    engine.on_send = [(MessageState.ACCEPTED, ""), (MessageState.DELIVERED, "")]
    assert command("send", "bob", "hello", "--wait", "delivered") == (
        0, "Delivered: bob's device has the message.\n", "",
    )  # fmt: skip


def test_send_tells_accepted_from_delivered_when_time_is_up(
    command: Command, engine: FakeEngine
) -> None:
    """An accepted message whose delivery was not seen is a failure that says how far it came."""
    code, out, err = command("send", "bob", "x", "--wait", "delivered", "--timeout", "0.1")
    assert (code, out) == (1, "")
    assert err.startswith("secure-chat: Accepted but not delivered within 0.1 s")
    assert err.count("\n") == 1


def test_send_without_a_connection_says_why_and_where_the_message_is(
    command: Command, engine: FakeEngine
) -> None:
    """The outbox keeps the message; the words say so, with the reason of the failure."""
    engine.on_send = []
    engine.on_start = [ConnectionChanged(ConnectionState.OFFLINE, NotDone(what="Nobody answers."))]
    code, out, err = command("send", "bob", "x", "--timeout", "0.1")
    assert (code, out) == (1, "")
    assert "no connection: Nobody answers." in err
    assert "stays in the outbox" in err


def test_send_that_is_held_fails_with_the_reason(command: Command, engine: FakeEngine) -> None:
    """A held message is a failure of the command, in the engine's words."""
    engine.on_send = [(MessageState.HELD, "The key of bob has changed.")]
    code, _out, err = command("send", "bob", "x")
    assert code == 1
    assert err == (
        "secure-chat: Held: the message to bob was not sent and stays in the outbox. "
        "The key of bob has changed.\n"
    )


def test_a_refusal_that_stops_the_engine_ends_the_command(
    command: Command, engine: FakeEngine
) -> None:
    """A command does not wait for a connection that will not come back."""
    engine.on_send = []
    engine.on_start = [stopped_by(Refused(Code.ACCOUNT_DISABLED))]
    code, out, err = command("send", "bob", "x")
    assert (code, out) == (1, "")
    assert err.endswith("stays in the outbox. The operator has disabled this account.\n")
    assert command("users")[2] == "secure-chat: The operator has disabled this account.\n"


def test_send_refuses_an_oversized_text_in_words(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's own refusals become one line."""

    def refuse(user_id: str, text: str, *, reply_to: int | None = None) -> bytes:
        raise TextTooLong(size=20000, limit=16384)

    monkeypatch.setattr(engine, "send_text", refuse)
    code, _out, err = command("send", "bob", "x")
    assert code == 1
    assert err == (
        "secure-chat: The text has 20000 bytes; a message takes at most 16384. Send it as a file.\n"
    )
    assert engine.stopped


def test_a_changed_key_is_never_silent(command: Command, engine: FakeEngine) -> None:
    """Whatever the command is, a changed key is told on standard error."""
    engine.on_start = [ONLINE, KeyChanged(BOB, was_verified=True)]
    _code, _out, err = command("send", "bob", "x")
    assert "WARNING: the key of bob is another one than before." in err


def test_listen_prints_unread_messages_first_and_once(command: Command, engine: FakeEngine) -> None:
    """What came while nobody listened is printed before what comes now, each marked as read."""
    engine.lines = {BOB: [text_from(BOB, f"old {n}", n) for n in range(1, 4)]}
    engine.unread = {BOB: 2}
    engine.on_start = [ONLINE, MessageAdded(text_from(BOB, "new", 4))]
    code, out, err = command("listen", "--json", "--count", "3")
    assert code == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["old 2", "old 3", "new"]
    assert engine.read[-1] == (BOB, 4)
    assert err == "online (X25519MLKEM768)\n"


def test_listen_with_a_count_reads_no_further(command: Command, engine: FakeEngine) -> None:
    """A message that was not printed stays unread."""
    engine.on_start = [ONLINE, *(MessageAdded(text_from(BOB, str(n), n)) for n in (1, 2, 3))]
    code, out, _err = command("listen", "--json", "--count", "2")
    assert (code, len(out.splitlines())) == (0, 2)
    assert engine.read[-1] == (BOB, 2)


def test_what_was_printed_is_marked_even_when_interrupted(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after a line: that line is read, the next is not; a failed write marks nothing."""
    engine.on_start = [ONLINE, *(MessageAdded(text_from(BOB, str(n), n)) for n in (1, 2, 3))]
    say = output.say

    def interrupted(line: str) -> None:
        if '"text": "2"' in line:
            raise KeyboardInterrupt
        say(line)

    monkeypatch.setattr(output, "say", interrupted)
    code, out, _err = command("listen", "--json")
    assert (code, out.count("\n")) == (130, 1)
    assert engine.read == [(BOB, 1)]


def test_listen_counts_only_what_was_asked_for(command: Command, engine: FakeEngine) -> None:
    """Own messages, other senders and notices do not count; notices are shown."""
    ours = Message(b"o" * 16, 1, BOB, True, "mine", 0, MessageState.ACCEPTED)  # noqa: FBT003
    notice = text_from(BOB, "", 2, is_notice=True, problem="A message was unreadable.")
    others = [text_from(ALICE, "not this", 1), ours, notice, text_from(BOB, "this", 3)]
    engine.on_start = [ONLINE, *map(MessageAdded, others)]
    code, out, _err = command("listen", "--from", "bob", "--count", "1")
    assert code == 0
    notice_line, message_line = out.splitlines()
    assert notice_line.endswith("* bob: A message was unreadable.")
    assert message_line.endswith("bob: this")


def test_listen_for_a_time_ends_well_and_a_missed_count_does_not(command: Command) -> None:
    """--for alone ends with 0; with --count it fails when fewer messages came."""
    assert command("listen", "--for", "0.1")[0] == 0
    code, _out, err = command("listen", "--for", "0.1", "--count", "2")
    assert code == 1
    assert err.endswith("secure-chat: Only 0 of 2 messages came within 0.1 s.\n")


def test_users_are_listed_with_presence_and_trust(command: Command, engine: FakeEngine) -> None:
    """One line a person, as text and as JSON."""
    engine.people_there = [Person(ALICE, online=False), Person(BOB, online=True, trust=Trust.NEW)]
    engine.on_start = [ONLINE, everybody()]
    _code, out, _err = command("users")
    assert [line.split() for line in out.splitlines()] == [
        ["alice", "offline"], ["bob", "online", "new"],
    ]  # fmt: skip
    _code, out, _err = command("users", "--json", "--online")
    assert json.loads(out) == {"user": "bob", "online": True, "trust": "new"}


def test_fingerprint_and_safety_number(command: Command, engine: FakeEngine) -> None:
    """Our fingerprint needs no connection; a contact's number may have to be fetched."""
    assert command("fingerprint")[:2] == (0, "aaaa bbbb\n")
    engine.on_start = []

    def fetched(user_id: str) -> None:
        engine.known[BOB] = safety_with(BOB)
        engine.events.put(ONLINE)

    engine.on_open = fetched
    code, out, _err = command("fingerprint", "bob", "--json")
    assert code == 0
    assert json.loads(out)["safety_number"] == " ".join(NUMBER)


def test_keys_that_do_not_exist_are_a_failure_in_words(
    command: Command, engine: FakeEngine
) -> None:
    """The server's refusal about a name reaches the person."""
    engine.on_open = lambda user_id: engine.events.put(Problem(Refused(Code.UNKNOWN_USER), user_id))
    code, _out, err = command("fingerprint", "bob")
    assert (code, err) == (1, "secure-chat: There is no such account or device here.\n")


def test_verify_takes_only_the_right_number(command: Command, engine: FakeEngine) -> None:
    """The number of another conversation marks nobody as verified."""
    engine.known[BOB] = safety_with(BOB)
    code, _out, err = command("verify", "bob", *reversed(NUMBER))
    assert code == 1
    assert "not the safety number" in err
    assert engine.verified == []
    assert command("verify", "bob", *NUMBER)[0] == 0
    assert engine.verified == [BOB]


def test_verify_without_number_needs_somebody_to_ask(command: Command, engine: FakeEngine) -> None:
    """A script cannot verify by saying nothing."""
    engine.known[BOB] = safety_with(BOB)
    code, _out, err = command("verify", "bob")
    assert code == 2
    assert "no terminal to ask on" in err
    assert engine.verified == []


def test_a_changed_key_is_accepted_only_by_a_decision(command: Command, engine: FakeEngine) -> None:
    """accept-key refuses where nothing changed, asks, and takes --yes from a script."""
    engine.known[BOB] = safety_with(BOB)
    assert command("accept-key", "bob", "--yes")[0] == 1
    engine.known[BOB] = safety_with(BOB, Trust.CHANGED)
    assert command("accept-key", "bob")[0] == 2
    assert engine.accepted_keys == []
    assert command("accept-key", "bob", "--yes")[0] == 0
    assert engine.accepted_keys == [BOB]


def test_export_gives_every_message_once_in_order(
    command: Command, engine: FakeEngine, tmp_path: Path
) -> None:
    """Across pages nothing is lost or doubled; the file is private and never overwritten."""
    engine.lines = {BOB: [text_from(BOB, f"line {n}\nسلام", n) for n in range(1, 1202)]}
    code, out, _err = command("export")
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["number"] for line in lines] == list(range(1, 1202))
    assert lines[-1]["text"] == "line 1201\nسلام"
    target = tmp_path / "history.txt"
    assert command("export", "bob", "--format", "text", "--output", str(target))[0] == 0
    assert target.read_text(encoding="utf-8").count("\n    سلام\n") == 1201
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    code, _out, err = command("export", "bob", "--output", str(target))
    assert (code, "exists already" in err) == (1, True)


def test_register_prints_where_the_profile_is(
    command: Command, engine: FakeEngine, root: Path
) -> None:
    """The folder is named after the account unless --profile says otherwise."""
    code, out, _err = command("register", "--server", "localhost:7443", "--name", "Carol")
    assert code == 0
    assert out.splitlines() == [
        "Registered carol at localhost:7443.",
        f"Profile: {root / 'carol'}",
        "Fingerprint: aaaa bbbb",
    ]


def test_a_refused_registration_leaves_no_profile(
    command: Command, engine: FakeEngine, root: Path
) -> None:
    """A name that is taken can be tried again under another at once."""
    engine.on_start = [stopped_by(Refused(Code.NAME_TAKEN))]
    code, _out, err = command("register", "--server", "localhost", "--name", "carol")
    assert (code, err) == (1, "secure-chat: This name is taken; choose another.\n")
    assert not (root / "carol").exists()


def test_an_unanswered_registration_keeps_its_profile(
    command: Command, engine: FakeEngine, root: Path
) -> None:
    """The server may have stored the account: its keys must not be thrown away."""
    engine.on_start = []
    code, _out, err = command(
        "register", "--server", "localhost", "--name", "carol", "--timeout", "0.1"
    )
    assert code == 1
    assert "The profile is kept" in err
    assert (root / "carol").exists()


def test_profiles_are_listed_and_one_must_be_named_among_several(
    command: Command, root: Path
) -> None:
    """With one profile it is meant; with two a command asks which."""
    (root / "bob").mkdir()
    code, out, _err = command("profiles")
    assert (code, out) == (0, "alice\nbob\n")
    code, _out, err = command("send", "carol", "x")
    assert code == 2
    assert "--profile NAME, one of alice, bob" in err
    assert command("send", "carol", "x", "--profile", "bob")[0] == 0
    code, _out, err = command("send", "carol", "x", "--profile", "nobody")
    assert code == 1
    assert "There is no profile" in err


def test_a_mistake_of_the_program_is_one_line_too(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even what nobody foresaw shows no traceback and no value."""

    def fail(user_id: str, text: str, *, reply_to: int | None = None) -> bytes:
        raise KeyError("secret value")

    monkeypatch.setattr(engine, "send_text", fail)
    code, out, err = command("send", "bob", "x")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "KeyError at test_commands.py" in err
    assert "secret value" not in err


# ---------------------------------------------------------------- our own account


def test_my_data_shows_tables_and_columns(command: Command, engine: FakeEngine) -> None:
    """Each table under a heading, each column with its value; long values say how long they are."""
    rows = (
        held_row("accounts", {"id": 1, "user_id": "alice", "disabled": False, "note": None}),
        held_row("one_time_kem_keys", {"key": b"k" * 1568}),
        held_row("a_later\x1b[2J", {"col\x1bumn": "evil \x1b]0;title"}),
    )
    engine.servers_data = ServersData(rows)
    code, out, err = command("my-data")
    assert (code, err) == (0, "")
    assert "Your account\n" in out
    assert "    user_id                   alice\n" in out
    assert "    note                      -\n" in out
    assert "(2091 characters)" in out
    assert "\x1b" not in out
    assert "server's word" in out


def test_my_data_as_json_is_complete(command: Command, engine: FakeEngine) -> None:
    """One object a row, values whole."""
    engine.servers_data = ServersData((held_row("bodies", {"id": 3, "body": b"b" * 1600}),))
    code, out, _ = command("my-data", "--json")
    assert code == 0
    line = json.loads(out)
    assert line["table"] == "bodies"
    assert len(line["values"]["body"]) == 2134


def test_my_data_that_does_not_come_is_a_failure(command: Command, engine: FakeEngine) -> None:
    """A refusal is the command's failure, in one line."""
    engine.servers_data = ServersData(problem=Refused(Code.STORAGE_UNAVAILABLE))
    assert command("my-data") == (1, "", "secure-chat: The server cannot write to its disk.\n")


def test_delete_account_wants_its_name(command: Command, engine: FakeEngine, root: Path) -> None:
    """Without a terminal the name has to be given; a wrong one deletes nothing."""
    code, _, err = command("delete-account")
    assert code == 2
    assert "--confirm NAME" in err
    code, _, err = command("delete-account", "--confirm", "bob")
    assert code == 1
    assert "nothing was deleted" in err
    assert engine.deletions == 0
    assert (root / "alice").exists()


@pytest.mark.parametrize("fate", ["--keep-profile", "--remove-profile"])
def test_delete_account_and_the_profiles_fate(
    command: Command, engine: FakeEngine, root: Path, fate: str
) -> None:
    """Deleted at the server; what becomes of the profile is what was asked for, and is said."""
    code, out, err = command("delete-account", "--confirm", "Alice", fate)
    assert (code, err) == (0, "")
    assert engine.deletions == 1
    assert "The account alice is deleted at the server.\n" in out
    assert (root / "alice").exists() is (fate == "--keep-profile")
    assert str(root / "alice") in out


def test_delete_account_that_fails_keeps_the_profile(
    command: Command, engine: FakeEngine, root: Path
) -> None:
    """A refusal by the server is said, and nothing is removed here."""
    engine.deletion = AccountDeletion(Refused(Code.STORAGE_UNAVAILABLE))
    code, out, err = command("delete-account", "--confirm", "alice", "--remove-profile")
    assert (code, out) == (1, "")
    assert err == "secure-chat: The server cannot write to its disk.\n"
    assert (root / "alice").exists()


def test_the_command_line_speaks_persian_where_the_system_does(tmp_path: Path) -> None:
    """Help and refusals are in the system's language, on the right stream, as UTF-8."""
    persian = environment(tmp_path) | {"LANG": "fa_IR.UTF-8"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "secure_chat.client", *words]
        return subprocess.run(command, env=persian, capture_output=True, encoding="utf-8")

    assert "فرستادن پیام" in run("--help").stdout
    refused = run("send", "bob", "hello")
    assert "هنوز نمایه‌ای نیست" in refused.stderr
    assert refused.returncode == 1


def test_the_end_of_a_connection_is_told_in_persian_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's farewell and the next failure, whole, and not half in English."""
    monkeypatch.setattr(session, "words", Words("fa"))
    problems = (
        Refused(Code.SHUTTING_DOWN),
        ConnectFailed(server="127.0.0.1:7443", reason="nothing listens there"),
    )
    for problem in problems:
        change = ConnectionChanged(ConnectionState.OFFLINE, problem, 2.0)
        told = session.connection_words(change).replace("127.0.0.1:7443", "")
        assert "تلاش بعدی" in told
        assert not re.search("[A-Za-z]", told), told


def test_what_goes_wrong_while_listening_is_told_in_persian_too(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole sentence, with what it is about; only the person's name stays as it is."""
    monkeypatch.setattr(listen, "words", Words("fa"))
    wrong = Unreadable(sender=BOB, reason=BadEncoding(what="message header"))
    engine.on_start = [ONLINE, Problem(wrong, BOB)]
    _code, _out, err = command("listen", "--for", "0.1")
    [said] = [line for line in err.splitlines() if line.startswith("bob: ")]
    assert not re.search("[A-Za-z]", said.replace("bob", "")), said


@pytest.mark.parametrize("wait", ["accepted", "delivered"])
def test_a_late_message_is_told_in_persian_too(
    command: Command, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, wait: str
) -> None:
    """What was waited for is no English word within the sentence."""
    engine.on_send = []
    monkeypatch.setattr(commands, "words", Words("fa"))
    monkeypatch.setattr(session, "words", Words("fa"))
    _code, _out, err = command("send", "bob", "x", "--timeout", "0.1", "--wait", wait)
    assert not re.search("[A-Za-z]", err.splitlines()[-1].removeprefix("secure-chat: ")), err


@pytest.mark.parametrize(
    "link",
    [
        "securechat://host:7443/#v=1",
        "SECURECHAT://host/#v=1&id=" + "A" * 22 + "&contact=bob&key=" + "A" * 43,
    ],
)
def test_a_link_alone_opens_the_window_with_it(link: str) -> None:
    """What the system passes on when a link of either kind is pressed."""
    chosen = parse([link])
    assert chosen.command == "window"
    assert str(chosen.link).startswith("securechat://host:7443/#v=1")
