"""Two people and a server, each a real process: what they write is what the other reads."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.processes import Person, ServerProcess, environment
from tests.support.waiting import wait_for

LINES = [
    "Hello, Bob.",
    "سلام باب، می\u200cخواهی فردا هم\u200cدیگر را ببینیم؟",
    "mixed: قیمت 25 دلار (USD) است",
    "two\nlines\n\n  and an indent",
    "emoji 👩\u200d👩\u200d👧 and combining é",
    '"quotes" \\ {braces} %s $HOME `x`',
    "a" * 16_384,
]


class Pair(NamedTuple):
    """Two people who are registered with one server."""

    alice: Person
    bob: Person


@pytest.fixture(scope="module")
def pair(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("people")
    return Pair(*(Person.registered(name, folder, server) for name in ("alice", "bob")))


def test_what_is_written_is_read_while_both_are_online(pair: Pair) -> None:
    """Every line arrives exactly as it was, in order, once, from the one who wrote it."""
    with pair.bob.listen("--count", str(len(LINES))) as bob:
        for line in LINES:
            done = pair.alice.send("bob", line, "--wait", "delivered")
            assert (done.code, done.out) == (0, "Delivered: bob's device has the message.\n"), done
        assert bob.wait_texts(len(LINES)) == LINES
        assert {message["from"] for message in bob.messages()} == {"alice"}
        assert bob.wait() == 0


def test_what_is_written_waits_for_who_is_offline(pair: Pair) -> None:
    """The server keeps messages while nobody listens; the next `listen` prints each once."""
    texts = [f"while you were away {n}" for n in range(5)]
    for text in texts:
        done = pair.bob.send("alice", text)
        assert (done.code, done.out) == (
            0, "Accepted: the message is safe at the server for alice.\n",
        ), done  # fmt: skip
    listened = pair.alice.run("listen", "--json", "--count", "5", "--for", "60")
    assert listened.code == 0, listened
    assert [json.loads(line)["text"] for line in listened.out.splitlines()] == texts
    again = pair.alice.run("listen", "--json", "--for", "1.5")
    assert (again.code, again.out) == (0, "")


def test_the_history_of_both_ends_agrees(pair: Pair) -> None:
    """`export` gives the same conversation on both sides, as JSON and as text.

    That Bob has read it Alice does not learn: he has not verified her.
    """
    ours = [(line["ours"], line["text"]) for line in pair.alice.history("bob")]
    theirs = [(not line["ours"], line["text"]) for line in pair.bob.history("alice")]
    assert sorted(ours) == sorted(theirs)
    assert [text for mine, text in ours if mine] == LINES
    target = pair.alice.folder / "history.txt"
    done = pair.alice.run("export", "--format", "text", "--output", str(target))
    assert (done.code, done.out) == (0, ""), done
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "you to bob: Hello, Bob.  [delivered]" in target.read_text(encoding="utf-8")


def test_both_see_the_same_safety_number_and_can_verify(pair: Pair) -> None:
    """The number is the same on both sides, is 60 digits, and the wrong one verifies nobody."""
    ours = json.loads(pair.alice.run("fingerprint", "bob", "--json").out)
    theirs = json.loads(pair.bob.run("fingerprint", "alice", "--json").out)
    assert ours["safety_number"] == theirs["safety_number"]
    digits = ours["safety_number"].replace(" ", "")
    assert len(digits) == 60
    assert digits.isdecimal()
    assert ours["their_fingerprint"] == pair.bob.run("fingerprint").out.strip()
    wrong = pair.alice.run("verify", "bob", *reversed(ours["safety_number"].split()))
    assert (wrong.code, wrong.out) == (1, "")
    right = pair.alice.run("verify", "bob", *ours["safety_number"].split())
    assert (right.code, right.out) == (0, "bob is verified.\n"), right
    assert json.loads(pair.alice.run("fingerprint", "bob", "--json").out)["trust"] == "verified"
    assert json.loads(pair.bob.run("fingerprint", "alice", "--json").out)["trust"] == "new"


def test_users_shows_who_is_there(pair: Pair) -> None:
    """Presence is that of now; our own account is not among the others."""
    with pair.bob.listen():
        done = pair.alice.run("users", "--json")
        people = {line["user"]: line for line in map(json.loads, done.out.splitlines())}
        assert people["bob"]["online"] is True
    gone = pair.alice.run("users", "--json", "--online")
    assert "bob" not in {json.loads(line)["user"] for line in gone.out.splitlines()}


def test_mistakes_about_people_and_passwords_are_one_line(pair: Pair, tmp_path: Path) -> None:
    """No such person, a wrong password, a taken name, no such profile: words, and exit code 1."""
    unknown = pair.alice.run("send", "nobody-there", "hello", "--timeout", "20")
    assert unknown.code == 1
    assert "There is no such account" in unknown.err
    pair.alice.password_file.write_text("wrong password\n")
    try:
        wrong = pair.alice.run("send", "bob", "hello")
    finally:
        pair.alice.password_file.write_text("correct horse battery staple\n")
    assert (wrong.code, wrong.out) == (1, "")
    assert "password" in wrong.err.lower()
    for done in (unknown, wrong):
        assert done.err.startswith("secure-chat: ")
        assert done.err.count("\n") == 1
        assert "Traceback" not in done.err


def test_a_taken_name_can_be_followed_by_another(
    server: ServerProcess, pair: Pair, tmp_path: Path
) -> None:
    """Case makes no other name; the refused attempt leaves nothing behind."""
    person = Person("second-alice", tmp_path)
    link = str(server.link())
    refused = person.run("register", "--link", link, "--name", "ALICE")
    assert (refused.code, refused.out) == (1, "")
    assert "taken" in refused.err
    assert not person.profile.exists()
    done = person.run("register", "--link", link, "--name", "Alice-2")
    assert done.code == 0, done
    assert done.out.startswith("Registered alice-2 at 127.0.0.1:")


def test_registration_by_authority_instead_of_pin(server: ServerProcess, tmp_path: Path) -> None:
    """--server with --ca-file checks name and chain; without the CA nothing is sent."""
    person = Person("by-authority", tmp_path)
    place = f"localhost:{server.port}"
    refused = person.run("register", "--server", place, "--name", "by-authority")
    assert refused.code == 1
    assert "certificate" in refused.err
    assert not person.profile.exists()
    done = person.run(
        "register", "--server", place, "--ca-file", str(server.ca_file), "--name", "by-authority"
    )
    assert done.code == 0, done


def test_a_profile_in_use_is_said_so(pair: Pair) -> None:
    """A second process on the same profile gets words, not a broken vault."""
    with pair.alice.listen():
        second = pair.alice.run("send", "bob", "hello")
        assert second.code == 1
        assert second.err.count("\n") == 1
        assert "open in another program" in second.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_listen_ends_cleanly(pair: Pair, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM end `listen` with the customary code and no word of complaint."""
    with pair.alice.listen() as alice:
        os.kill(alice.process.pid, number)
        assert alice.wait() == code
        assert "Traceback" not in alice.err
        # What waits for somebody who does not exist is said at each connection.
        said = [line for line in alice.err.splitlines() if not line.startswith("nobody-there: ")]
        assert len(said) == 1  # that it was online


def test_a_closed_pipe_ends_cleanly(pair: Pair) -> None:
    """`export | head -1` ends without a complaint."""
    command = pair.alice._command("export")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(pair.alice.home), cwd=pair.alice.folder,
    ) as export:  # fmt: skip
        assert export.stdout is not None
        assert export.stderr is not None
        export.stdout.close()
        assert export.wait(60) in {0, 141}
        assert export.stderr.read() == b""


def test_the_text_may_stand_on_the_command_line(pair: Pair) -> None:
    """TEXT, several words, and a first word that begins with a dash after --."""
    assert pair.alice.run("send", "bob", "several", "words").code == 0
    assert pair.alice.run("send", "bob", "--", "-v is an option").code == 0
    texts = [line["text"] for line in pair.alice.history("bob")]
    assert texts[-2:] == ["several words", "-v is an option"]


def test_the_password_may_come_over_standard_input(pair: Pair) -> None:
    """The first line of standard input unlocks; the rest is the message."""
    command = [
        sys.executable, "-m", "secure_chat.client", "--password-stdin",
        "--profile", str(pair.alice.profile), "send", "bob",
    ]  # fmt: skip
    done = subprocess.run(
        command, input="correct horse battery staple\nover standard input\n",
        capture_output=True, text=True, timeout=60, env=environment(pair.alice.home),
    )  # fmt: skip
    assert done.returncode == 0, done
    assert pair.alice.history("bob")[-1]["text"] == "over standard input"


@pytest.fixture
def own_pair(own_server: ServerProcess, tmp_path: Path) -> Pair:
    return Pair(*(Person.registered(name, tmp_path, own_server) for name in ("alice", "bob")))


def test_a_conversation_survives_restarts_of_everybody(
    own_server: ServerProcess, own_pair: Pair
) -> None:
    """Server and clients stop and start between messages; order and contents hold."""
    alice, bob = own_pair
    with bob.listen() as listener:
        assert alice.send("bob", "before").code == 0
        assert listener.wait_texts(1) == ["before"]
        assert own_server.stop() == 0
        own_server.start()
        listener.wait_online(times=2)  # it comes back by itself
        assert alice.send("bob", "after the server came back").code == 0
        listener.wait_texts(2)
        listener.kill()
    assert alice.send("bob", "while bob was gone").code == 0
    own_server.kill()
    own_server.start()
    with bob.listen("--count", "1") as listener:
        assert listener.wait_texts(1) == ["while bob was gone"]
        assert listener.wait() == 0
    assert [line["text"] for line in bob.history("alice")] == [
        "before", "after the server came back", "while bob was gone",
    ]  # fmt: skip


def test_a_message_written_without_a_connection_goes_out_later(
    own_server: ServerProcess, own_pair: Pair
) -> None:
    """The outbox keeps what could not be sent, says so, and empties itself once."""
    alice, bob = own_pair
    assert alice.send("bob", "first").code == 0
    own_server.stop()
    failed = alice.send("bob", "in the dark", "--timeout", "3")
    assert failed.code == 1
    assert "stays in the outbox" in failed.err
    own_server.start()
    with alice.listen(), bob.listen() as listener:
        assert listener.wait_texts(2) == ["first", "in the dark"]
        listener.kill()  # whatever it had still to say, it says at its next start
    with bob.listen():
        assert alice.send("bob", "third", "--wait", "delivered").code == 0
    assert {line["state"] for line in alice.history("bob")} <= {"delivered", "read"}


def test_a_registration_without_a_server_is_made_up_for(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    """The profile is kept, with words that say so, and registers with its next connection."""
    link = str(own_server.link())
    own_server.stop()
    person = Person("patient", tmp_path)
    late = person.run("register", "--link", link, "--name", "patient", "--timeout", "3")
    assert late.code == 1
    assert "The profile is kept" in late.err
    again = person.run("register", "--link", link, "--name", "patient")
    assert (again.code, again.err.count("\n")) == (1, 1)
    own_server.start()
    assert person.run("users").code == 0
    other = Person("other", tmp_path)
    assert other.run("register", "--link", link, "--name", "patient").code == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is always a screen")
def test_the_window_without_a_screen_is_explained(tmp_path: Path) -> None:
    """`secure-chat` alone opens the window; where it cannot, the commands are pointed at."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_chat.client"],
        capture_output=True, text=True, timeout=60, env=environment(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "secure-chat --help" in done.stderr


def test_an_invite_lets_one_newcomer_in(tmp_path: Path) -> None:
    """The link that the server prints works once; the second newcomer is told why not."""
    with ServerProcess(tmp_path / "server", registration="invite") as server:
        link = server.link(server.new_invite())
        link_file = tmp_path / "link"
        link_file.write_text(f"{link}\n")
        one, two = Person("one", tmp_path), Person("two", tmp_path)
        done = one.run("register", "--link-file", str(link_file), "--name", "first-one")
        assert done.code == 0, done
        refused = two.run("register", "--link-file", str(link_file), "--name", "second-one")
        assert refused.code == 1
        assert "invite" in refused.err
        wait_for(lambda: "second-one" not in one.run("users").out, 30)
