"""``secure-chat-server users``: real commands, a real server, real connections."""

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from secure_chat.errors import Code
from secure_chat.protocol.held import decode_rows
from secure_chat.protocol.messages import Accepted, Delivery, Error, HeldData, MyData
from tests.operator.conftest import Operator
from tests.support.accounts import Account
from tests.support.processes import Person, ServerProcess
from tests.support.raw_client import RawClient, blob_hash
from tests.support.waiting import wait_for
from tests.support.wire import ClosedByServer, Wire

pytestmark = pytest.mark.timeout(400)


def users(operator: Operator) -> dict[str, dict[str, Any]]:
    done = operator.run("users", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {line["user_id"]: line for line in json.loads(done.stdout)}


def do(operator: Operator, *words: str) -> str:
    done = operator.run("users", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_disk(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["table"] != "memory"]


def in_memory(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The rows of the memory by what they are of; what they count goes on counting."""
    values = [row["values"] for row in rows if row["table"] == "memory"]
    return {row.get("rate", next(iter(row))): row for row in values}


def refused_login(port: int, account: Account) -> Code | None:
    with Wire(port) as wire:
        wire.send(account.login(wire))
        return wire.expect_closed()


def refused_registration(port: int, name: str) -> Code:
    with Wire(port) as wire:
        wire.send(Account.new(name, wire.hello.server_id).register(wire))
        return wire.expect(Error).code


def test_attack_21_a_kick_is_immediate_under_load(operator: Operator) -> None:
    """While a client sends as fast as it can: after the command has returned nothing acts.

    Its last word is the reason, the recipient gets nothing sent later, and no login helps.
    """
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "bob") as bob:
        flooder = RawClient.register(running.port, "mallory")
        kicked = threading.Event()

        def flood() -> None:
            """Twenty messages at a time, so that no limit ends it before the operator does."""
            with contextlib.suppress(ClosedByServer, OSError, AssertionError):
                while True:
                    for _ in range(20):
                        flooder.put("bob/main", b"after" if kicked.is_set() else b"before")
                    for _ in range(20):
                        flooder.wire.expect(Accepted)

        thread = threading.Thread(target=flood)
        thread.start()
        bob.next_delivery()
        assert "mallory is disabled" in do(operator, "disable", "mallory")
        kicked.set()
        thread.join(60)
        assert not thread.is_alive(), "the connection was not closed"
        assert flooder.wire.expect_closed() is Code.ACCOUNT_DISABLED
        flooder.wire.close()
        assert refused_login(running.port, flooder.account) is Code.ACCOUNT_DISABLED
        bodies = [one.body for one in bob.wire.all_now() if isinstance(one.message, Delivery)]
        assert b"after" not in bodies
        assert users(operator)["mallory"]["state"] == "disabled"
        bob.put("mallory/main", b"x")
        bob.wire.expect_error(Code.UNKNOWN_USER)
        do(operator, "enable", "mallory")
        RawClient.login(running.port, flooder.account).wire.close()


def test_an_account_ends_while_the_server_runs(operator: Operator) -> None:
    """Deleted: told and closed, gone with its mail; reserved; freed; somebody else registers."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "gone") as gone:
        gone.publish()
        with RawClient.register(running.port, "friend") as friend:
            away = friend.account
        gone.pm("friend/main", b"not fetched")
        done = operator.run("users", "delete", "gone")
        assert done.returncode == 2
        assert "--yes" in done.stderr
        said = do(operator, "delete", "gone", "--yes")
        assert "0 messages for it, 1 message of it to others and 0 files" in said
        assert gone.wire.expect_closed() is Code.ACCOUNT_DELETED
    with RawClient.login(running.port, away) as friend:
        assert not any(isinstance(one.message, Delivery) for one in friend.wire.all_now())
    assert refused_login(running.port, gone.account) is Code.LOGIN_REFUSED
    assert refused_registration(running.port, "gone") is Code.NAME_TAKEN
    assert users(operator)["gone"]["state"] == "deleted"
    assert "Anybody may register gone" in do(operator, "free", "gone")
    with RawClient.register(running.port, "gone"):
        pass


def test_everything_works_without_a_running_server(operator: Operator) -> None:
    """Under the lock of the folder, with the same effect at the next start."""
    running = operator.start("--registration", "open")
    people = {}
    for name in ("one", "two", "three"):
        with RawClient.register(running.port, name) as client:
            people[name] = client.account
            client.put_blob(b"the same of all")
            client.put_blob(b"of " + name.encode())
            client.put_blob(b"begun by " + name.encode(), until=3)
    running.stop()
    files = operator.data / "blobs"
    assert len(list(files.iterdir())) == 7
    do(operator, "disable", "one")
    assert "and 3 files that it had brought" in do(operator, "delete", "two", "--yes")
    do(operator, "delete", "three", "--yes", "--json")
    do(operator, "free", "three")
    left = sorted(path.name[-64:] for path in files.iterdir() if path.suffix != ".part")
    assert left == sorted(blob_hash(b).hex() for b in (b"the same of all", b"of one"))
    assert len(list(files.iterdir())) == 3
    states = {name: line["state"] for name, line in users(operator).items()}
    assert states == {"one": "disabled", "two": "deleted"}
    shown = do(operator, "list")
    assert [line.split()[:2] for line in shown.splitlines()] == [
        ["NAME", "STATE"], ["one", "disabled"], ["two", "deleted"],
    ]  # fmt: skip
    running = operator.start("--registration", "open")
    assert refused_login(running.port, people["one"]) is Code.ACCOUNT_DISABLED
    assert refused_login(running.port, people["two"]) is Code.LOGIN_REFUSED
    assert refused_registration(running.port, "two") is Code.NAME_TAKEN
    with RawClient.register(running.port, "three"):
        pass


def test_the_operator_sees_what_the_account_sees(operator: Operator) -> None:
    """`users show` and `my_data` are the same rows, but for the network address."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "alice") as alice:
        alice.publish()
        alice.put("alice/main", b"to myself")
        alice.wire.all_now()
        own = []
        asked: str | None = ""
        while asked is not None:
            alice.wire.send(MyData(1, asked))
            answer, body = alice.wire.expect_frame(HeldData)
            own += [{"table": row.table, "values": row.values} for row in decode_rows(body)]
            asked = answer.next or None
        shown = json.loads(do(operator, "show", "alice", "--json"))
        assert on_disk(shown) == on_disk(own)
        told, seen = in_memory(own), in_memory(shown)
        assert told["connection"].pop("network") == "127.0.0.1"
        assert set(told["connection"]) == set(seen["connection"])
        assert {name for name in told if "network" not in told[name]} == set(seen)
        text = do(operator, "show", "Alice")
        assert "127.0.0.1" not in text
        assert "    user_id                   alice\n" in text
    wait_for(lambda: "connection" not in do(operator, "show", "alice"), 30, "alice has left")


@pytest.mark.parametrize("command", ["show", "disable", "enable", "delete", "free"])
def test_a_name_that_is_not_there_is_one_line(operator: Operator, command: str) -> None:
    """Nobody of that name: said in words, with exit code 2, and nothing is done."""
    operator.start().stop()  # so that there is a folder to look in
    more = ["--yes"] if command == "delete" else []
    done = operator.run("users", command, "nobody", *more)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "nobody" in done.stderr
    wrong = operator.run("users", command, "no body")
    assert wrong.returncode == 2
    assert "no name of an account" in wrong.stderr


def test_a_name_in_use_is_not_freed(operator: Operator) -> None:
    """Freeing is for names of deleted accounts; an account that exists stays."""
    running = operator.start("--registration", "open")
    with RawClient.register(running.port, "alice"):
        done = operator.run("users", "free", "alice")
        assert done.returncode == 2
        assert "no reserved name" in done.stderr
        assert users(operator)["alice"]["state"] == "active"


def test_who_takes_a_freed_name_is_seen_as_another(tmp_path: Path) -> None:
    """The operator frees a name, somebody takes it: the next message of a contact stops, and why.

    The one who has the name now need not have written anything, and gets nothing.
    """
    with ServerProcess(tmp_path / "server") as server:
        alice = Person.registered("alice", tmp_path, server)
        Person.registered("bob", tmp_path, server)
        assert alice.send("bob", "hello").code == 0
        for words in (["delete", "bob", "--yes"], ["free", "bob"]):
            assert server.command("users", *words).code == 0
        other = Person("other", tmp_path)
        assert other.run("register", "--link", str(server.link()), "--name", "bob").code == 0
        stopped = alice.send("bob", "is it you?")
        assert stopped.code != 0
        assert "key of bob is another one than before" in stopped.err
        said = alice.run("fingerprint", "bob").out
        assert "Trust: CHANGED" in said
        assert other.run("fingerprint").out.strip() in said
