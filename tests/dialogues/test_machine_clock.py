"""A real server whose machine's clock is set ten years forward and back (libfaketime)."""

import contextlib
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from secure_chat.protocol.messages import Accepted, Delivery, Hello
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient
from tests.support.waiting import wait_for
from tests.support.wire import Wire

LOOK_SECONDS = 120  # a server looks for what is too old a minute after its start
YEAR_MS = 365 * 86_400_000


class Clock:
    """The time that a process under libfaketime sees."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.set("+0")

    def set(self, offset: str) -> None:
        self._file.write_text(offset + "\n", "ascii")

    def variables(self, library: Path) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # the clock of the wall is set, not the machine's
        }


def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if sys.platform != "linux" or not found:
        pytest.skip("libfaketime is not installed (Debian: apt install faketime)")
    return found[0]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_machines_clock_set_by_ten_years_deletes_nothing(tmp_path: Path) -> None:
    """Forward and back, running and restarted: every message waits on, and people get in."""
    clock = Clock(tmp_path / "offset")
    with ServerProcess(tmp_path / "server", variables=clock.variables(library())) as server:
        with RawClient.register(server.port, "alice") as alice:
            writer = alice.account
        with RawClient.register(server.port, "bob") as bob:
            reader, address = bob.account, bob.address
        written: list[bytes] = []
        for number, (offset, restart) in enumerate(
            (("+3650d", False), ("+3650d", True), ("-3650d", False), ("-3650d", True), ("+0", True))
        ):
            with RawClient.login(server.port, writer) as alice:
                written.append(b"before %d" % number)
                alice.pm(address, written[-1])
                clock.set(offset)
                if restart:
                    assert server.stop() == 0
                    server.start()
                else:
                    written.append(b"after %d" % number)
                    alice.pm(address, written[-1])
            assert abs(server_time(server) - time.time() * 1000 - jump(offset)) < YEAR_MS / 12
            with RawClient.register(server.port, f"newcomer{number}") as newcomer:
                newcomer.put(newcomer.address, b"hello")
                assert {type(newcomer.wire.receive().message) for _ in range(2)} <= {
                    Accepted, Delivery,
                }  # fmt: skip
            if restart:
                begun = saved_clock(server)
                wait_for(lambda: saved_clock(server) != begun, LOOK_SECONDS, "it has looked")  # noqa: B023
        with RawClient.login(server.port, reader) as bob:
            assert [bob.next_delivery()[1] for _ in written] == written
        assert server.stop() == 0
        assert "deliveries expired" not in server.log  # the certificate of ten years ago has


def saved_clock(server: ServerProcess) -> bytes:
    """The count of time on the disk, kept at the start and when old messages are looked for."""
    with contextlib.closing(sqlite3.connect(server.data_dir / "server.db")) as database:
        (value,) = database.execute("SELECT value FROM facts WHERE name = 'clock'").fetchone()
    return bytes(value)


def jump(offset: str) -> int:
    return {"+": 10, "-": -10}[offset[0]] * YEAR_MS if offset != "+0" else 0


def server_time(server: ServerProcess) -> int:
    with Wire(server.port) as wire:
        hello: Hello = wire.hello
        return hello.time
