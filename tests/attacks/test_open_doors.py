"""No door but the ones that are documented, and nothing readable behind them (row 74)."""

import sys
from pathlib import Path

import pytest

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import MessageState
from secure_chat.client.profile import create_profile
from secure_chat.errors import Code
from tests.client.world import OPEN, Client
from tests.support.processes import PASSWORD, ServerProcess
from tests.support.raw_client import RawClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CANARY = "the canary sings at noon behind the old bakery"
_LISTENING = "0A"


def listening(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        target = str(fd.readlink())
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENING and fields[9] in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def memory(pid: int) -> bytes:
    """All that a process may write to, one piece after the other."""
    pieces = []
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as mem:
        for line in Path(f"/proc/{pid}/maps").read_text("utf-8").splitlines():
            place, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            first, last = (int(part, 16) for part in place.split("-"))
            mem.seek(first)
            try:
                pieces.append(mem.read(last - first))
            except OSError:
                continue  # [vvar] and its like
    return b"".join(pieces)


def test_attack_74_one_port_and_no_verb_for_the_curious(server: ServerProcess) -> None:
    """The server listens where it says and nowhere else; nobody logs in to a debugger."""
    assert listening(server.pid) == {server.port}
    words = ("debug", "admin", "eval", "dump", "stats", "metrics", "archive", "invite", "shutdown")
    with RawClient.register(server.port, "curious") as curious:
        for word in words:
            curious.wire.send_header(b'{"type":"%b"}' % word.encode())
            curious.wire.expect_error(Code.UNKNOWN_TYPE)


def test_attack_74_the_servers_memory_holds_no_words(server: ServerProcess, tmp_path: Path) -> None:
    """While two people talk, all of the server's memory: their names, and not a word of theirs."""
    people = {}
    for name in ("canaryalice", "canarybob"):
        engine = ChatEngine(create_profile(tmp_path / name, server.link(), name, PASSWORD))
        engine.set_privacy(OPEN)
        people[name] = Client(engine, tmp_path / name)
        engine.start()
        people[name].online()
    alice, bob = people.values()
    try:
        for number in range(5):
            alice.send("canarybob", f"{CANARY} {number}")
        bob.has("canaryalice", *(f"{CANARY} {number}" for number in range(5)))
        bob.send("canaryalice", CANARY)
        bob.all_are("canaryalice", MessageState.DELIVERED, MessageState.READ)
        try:
            held = memory(server.pid)
        except PermissionError:
            pytest.skip("this system lets nobody look into another process")
        assert b"canaryalice" in held, "the search would find nothing anywhere"
        for form in (CANARY.encode(), CANARY.encode("utf-16-le"), CANARY.encode("utf-32-le")):
            assert form not in held
        assert PASSWORD.encode() not in held
    finally:
        for person in people.values():
            person.stop()
