"""A real disk that is full: what everybody is told, and that it passes by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import MessageState
from secure_chat.client.profile import create_profile
from secure_chat.errors import CODES, Code
from secure_chat.protocol.messages import Accepted, Error
from tests.client.world import Client
from tests.support.processes import PASSWORD, ServerProcess
from tests.support.raw_client import RawClient, delivery_id

SIZE = "12m"
LETTER = bytes(20_000)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("this system has no mount; test_power_loss.py puts the same under SQLite")
    if done.returncode:
        pytest.skip("a small disk needs root; test_power_loss.py puts the same under SQLite")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Ballast:
    """A file that fills what is left of a disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ballast"

    def fill(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def remove(self) -> None:
        self._path.unlink()


def test_a_full_disk_is_said_to_everybody_and_passes_by_itself(
    small_disk: Path, tmp_path: Path
) -> None:
    """No false acceptance, live messages pass, words for each; with room again all goes on.

    The log lies on the same disk.
    """
    ballast = Ballast(small_disk)
    with ServerProcess(small_disk / "server") as server:
        dora = Client(
            ChatEngine(create_profile(tmp_path / "dora", server.link(), "dora", PASSWORD)),
            tmp_path / "dora",
        )
        dora.engine.start()
        dora.online()
        with (
            RawClient.register(server.port, "alice") as alice,
            RawClient.register(server.port, "bob") as bob,
        ):
            with RawClient.register(server.port, "carol") as carol:
                account, address = carol.account, carol.address
            dora.send("carol", "before")
            dora.all_are("carol", MessageState.ACCEPTED)
            live(alice, bob)
            ballast.fill()
            stored = fill_mailbox(alice, address)

            dora.send("carol", "while it is full")
            dora.wait(lambda: dora.states("carol")[-1] is MessageState.HELD)
            assert dora.lines("carol")[-1].problem == CODES[Code.STORAGE_UNAVAILABLE].message
            for _ in range(3):
                live(alice, bob)
            refused = server.command("invite")
            assert refused.code == 2
            assert "cannot write" in refused.err
            assert "Traceback" not in refused.err
            assert server.running.process.poll() is None

            ballast.remove()
            dora.all_are("carol", MessageState.ACCEPTED)  # nobody asks it to
            stored.append(alice.pm(address, LETTER))
            assert server.command("invite").code == 0
            with RawClient.login(server.port, account) as carol:
                arrived = [carol.next_delivery() for _ in range(len(stored) + 2)]
            names = [delivery.id for delivery, _ in arrived]
            assert [name for name in names if name in stored] == stored
            assert len(set(names)) == len(names)
        dora.stop()
        assert server.stop() == 0
        lines = [line for line in server.log.splitlines() if "the store " in line]
        assert any("cannot commit: SQLITE_FULL" in line for line in lines)
        assert any("works again" in line for line in lines)
        assert len(lines) < 12, lines
        assert "Traceback" not in server.log


def fill_mailbox(sender: RawClient, to: str) -> list[bytes]:
    """Write until the disk takes no more; the ids of what was accepted."""
    accepted: list[bytes] = []
    for _ in range(2_000):
        name = delivery_id()
        sender.put(to, LETTER, name)
        answer = sender.wire.receive().message
        if isinstance(answer, Error):
            assert answer.code is Code.STORAGE_UNAVAILABLE
            assert answer.retry_after
            return accepted
        assert isinstance(answer, Accepted)
        accepted.append(answer.id)
    raise AssertionError("the disk was never full")


def live(sender: RawClient, receiver: RawClient) -> None:
    """A message to somebody who is there needs no disk."""
    sender.put(receiver.address, b"live")
    delivery, body = receiver.next_delivery()
    assert body == b"live"
    receiver.ack(delivery.seq)
    sender.wire.expect(Accepted)
