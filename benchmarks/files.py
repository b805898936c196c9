"""What files cost: sealing them, and moving one from one client to another through the server.

    python3 benchmarks/files.py [--mib 100] [--rounds 5] [--json FILE]

Sealing is measured in this process, beside the cipher and the hash alone. The way is measured with
the real server and the real command line over TLS on loopback: from the moment that the first byte
has arrived until the last one is on the other side's disk, with the latency of other people's
messages meanwhile. Medians of the rounds.
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks._machine import cpu_seconds, description
from secure_chat.client.content import File
from secure_chat.client.files.saving import save
from secure_chat.client.files.sealing import Sealed, seal_file
from secure_chat.crypto import aead
from secure_chat.crypto.files import CHUNK, FileKey, Opener, Sealer
from tests.support.processes import Person, Running, ServerProcess
from tests.support.raw_client import RawClient

MIB = 1024 * 1024
PIECE = 256 * 1024
MESSAGES_EVERY = 0.02  # seconds
Figures = dict[str, float]


def _rate(size: int, work: Callable[[], object]) -> float:
    """MiB a second."""
    began = time.perf_counter()
    work()
    return size / MIB / (time.perf_counter() - began)


def _pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + PIECE] for at in range(0, len(data), PIECE))


def sealing(mib: int, folder: Path) -> Figures:
    """MiB a second of sealing and opening, in memory and from disk to disk, and of their parts."""
    data, key = os.urandom(MIB) * mib, FileKey(os.urandom(32))
    cipher = aead.cipher(key.raw)
    sealed: list[bytes] = []

    def chunks_alone() -> None:
        for number in range(0, len(data), CHUNK):
            cipher.encrypt(number.to_bytes(12, "big"), data[number : number + CHUNK], b"")

    def seal() -> None:
        sealer = Sealer(key, len(data))
        sealed.extend(sealer.update(piece) for piece in _pieces(data))
        sealed.append(sealer.finish())

    def unseal() -> None:
        opener = Opener(key, len(data))
        for piece in sealed:
            opener.update(piece)
        opener.finish()

    figures = {
        "ChaCha20-Poly1305 alone": _rate(len(data), chunks_alone),
        "SHA-256 alone": _rate(len(data), lambda: hashlib.sha256(data).digest()),
        "seal": _rate(len(data), seal),
        "open": _rate(len(data), unseal),
    }
    source, target = folder / "plain", folder / "files" / "sealed"
    source.write_bytes(data)
    made: list[Sealed | None] = []
    figures["seal, disk to disk"] = _rate(
        len(data), lambda: made.append(seal_file(source, len(data), key, target, lambda: True))
    )
    assert made[0] is not None
    file = File("back", len(data), "a/b", key, made[0].sha256)
    figures["open and save, disk to disk"] = _rate(
        len(data), lambda: _save_and_forget(target, file, folder)
    )
    return figures


def _save_and_forget(sealed: Path, file: File, folder: Path) -> None:
    saved = save(sealed, file, folder, "tag", lambda: True)
    assert saved is not None
    saved.unlink()


@contextmanager
def _others_talking(server: ServerProcess) -> Iterator[list[float]]:
    """Messages to somebody who is away: seconds from sending until they are on the disk."""
    taken: list[float] = []
    stop = threading.Event()
    with RawClient.register(server.port, f"reader-{os.urandom(3).hex()}") as reader:
        away = reader.address
    with RawClient.register(server.port, f"talker-{os.urandom(3).hex()}") as talker:

        def talk() -> None:
            while not stop.wait(MESSAGES_EVERY):
                began = time.perf_counter()
                talker.pm(away, bytes(400))
                taken.append(time.perf_counter() - began)

        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield taken
        finally:
            stop.set()
            thread.join()


def _started(person: Person, command: str, *arguments: str) -> Running:
    words = person._command(command, *arguments)
    return Running(words, person.folder, f"{command}-{os.urandom(3).hex()}", person.home)


def _timed(command: Running, begun: Callable[[], bool], ended: Callable[[], bool]) -> float:
    """Seconds between two things that a command does; both are looked for each millisecond."""
    while not begun():
        if command.process.poll() is not None:
            raise SystemExit(command.err)
        time.sleep(0.001)
    began = time.perf_counter()
    while not ended():
        time.sleep(0.001)
    return time.perf_counter() - began


def way(server: ServerProcess, alice: Person, bob: Person, mib: int, folder: Path) -> Figures:
    """One file, up and down."""
    source, blobs = folder / f"file-{os.urandom(3).hex()}", server.data_dir / "blobs"
    source.write_bytes(os.urandom(MIB) * mib)
    before = len(list(blobs.glob("?" * 64)))
    cpu = cpu_seconds(server.pid)
    with _others_talking(server) as latencies:
        sending = _started(alice, "send-file", "bob", str(source))
        up = _timed(
            sending,
            lambda: any(path.stat().st_size for path in blobs.glob("*.part")),
            lambda: len(list(blobs.glob("?" * 64))) > before,
        )
        sending.wait(120)
        bob.run("listen", "--count", "1", "--for", "60")
        saved = bob.folder / source.name
        saving = _started(bob, "save", "alice", "last")
        down = _timed(
            saving,
            lambda: any((bob.profile / "files").glob("*.down")),
            saved.exists,
        )
        saving.wait(120)
    used = (cpu_seconds(server.pid) or 0.0) - (cpu or 0.0)
    if saved.read_bytes() != source.read_bytes():
        raise SystemExit("what arrived is not what was sent")
    latencies.sort()
    return {
        "up, MiB/s": mib / up,
        "down and saved, MiB/s": mib / down,
        "server CPU, ms for each MiB both ways": 1000 * used / mib,
        "others' accepted, p50 ms": 1000 * statistics.median(latencies),
        "others' accepted, p99 ms": 1000 * latencies[int(len(latencies) * 0.99)],
    }


def measure(mib: int, rounds: int) -> dict[str, Figures]:
    """The medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone = [sealing(min(mib, 64), folder) for _ in range(rounds)]
        with ServerProcess(folder / "server", more=["--account-files-mib", "100000"]) as server:
            alice, bob = (Person.registered(one, folder, server) for one in ("alice", "bob"))
            bob.send("alice", "hello")
            alice.send("bob", "hello")
            bob.run("listen", "--count", "1", "--for", "60")
            ways = [way(server, alice, bob, mib, folder) for _ in range(rounds)]
    return {
        title: {what: statistics.median(one[what] for one in taken) for what in taken[0]}
        for title, taken in (("sealing, MiB/s", alone), (f"a file of {mib} MiB", ways))
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Measure what files cost.")
    parser.add_argument("--mib", type=int, default=100, help="size of the file (at most 100)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; medians are taken of them")
    parser.add_argument("--json", type=Path, help="write the medians to this file")
    arguments = parser.parse_args()
    if not 1 <= arguments.mib <= 100 or arguments.rounds < 1:
        parser.error("--mib must be 1 to 100, --rounds at least 1")
    medians = measure(arguments.mib, arguments.rounds)
    print(description())
    for title, figures in medians.items():
        print(f"\n{title}")
        for what, value in figures.items():
            print(f"  {what:40}{value:10.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(medians, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
