"""Files over real processes: what is killed goes on, what arrives is what was sent."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.test_canaries import assert_absent, contents
from tests.support.processes import Person, Running, ServerProcess
from tests.support.waiting import wait_for

MIB = 1024 * 1024


def started(person: Person, command: str, *arguments: str) -> Running:
    """A command that goes on in the background."""
    words = person._command(command, *arguments)
    return Running(words, person.folder, f"{command}-{os.urandom(2).hex()}", person.home)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def coming(server: ServerProcess, size: int) -> bool:
    """Whether a blob is on its way: some of it is there, and not all."""
    parts = list((server.data_dir / "blobs").glob("*.part"))
    return any(MIB < part.stat().st_size < size for part in parts)


def fetched(person: Person, size: int) -> bool:
    """Whether a download is under way."""
    parts = list((person.profile / "files").glob("*.down"))
    return any(MIB < part.stat().st_size < size for part in parts)


def number_of_file(person: Person, other: str) -> str:
    """The number of the newest message with a file."""
    lines = [line for line in person.history(other) if line.get("file")]
    return str(lines[-1]["number"])


@pytest.fixture
def two(own_server: ServerProcess, tmp_path: Path) -> tuple[Person, Person]:
    alice, bob = (Person.registered(name, tmp_path, own_server) for name in ("alice", "bob"))
    assert bob.send("alice", "hello").code == 0  # so that nobody is a stranger to the other
    assert alice.send("bob", "hello").code == 0
    return alice, bob


def test_a_file_survives_a_killed_server_and_killed_clients(
    own_server: ServerProcess, two: tuple[Person, Person], tmp_path: Path
) -> None:
    """5 MiB and more: server killed in mid-upload, then the sender, then the receiver in mid-way.

    Each goes on where it stopped; the hash is the same at the other end, and neither name nor
    content is anywhere on the server.
    """
    alice, bob = two
    canary = os.urandom(32)
    source = tmp_path / "canary-بودجه.bin"
    source.write_bytes(os.urandom(30 * MIB) + canary)
    size = source.stat().st_size
    sending = started(alice, "send-file", "bob", str(source), "--caption", "canary-caption")
    wait_for(lambda: coming(own_server, size), 60, "the upload is under way")
    own_server.kill()
    own_server.start()
    wait_for(lambda: coming(own_server, size), 60, "it goes on")
    sending.kill()
    assert not list((own_server.data_dir / "blobs").glob("?" * 64)), "it was not complete yet"
    with alice.listen(), bob.listen() as ears:
        wait_for(
            lambda: any(line.get("file") for line in ears.messages()), 60, f"the file: {ears.err}"
        )
    offered: dict[str, Any] = next(line for line in ears.messages() if line.get("file"))
    assert offered["text"] == "canary-caption"
    assert offered["file"]["name"] == "canary-بودجه.bin"
    assert offered["file"]["size"] == size
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    saving = started(bob, "save", "alice", str(offered["number"]), "--to", str(downloads))
    wait_for(lambda: fetched(bob, size), 60, f"the download is under way: {saving.err}")
    saving.kill()
    assert list(downloads.iterdir()) == []
    saved = downloads / source.name
    with bob.listen():
        wait_for(lambda: list(downloads.iterdir()) == [saved], 60, "the file is saved")
    assert digest(saved) == digest(source)
    held = contents(own_server.data_dir) | {"log": own_server.log.encode()}
    for secret in (canary, "canary-بودجه", "canary-caption", source.read_bytes()[MIB : MIB + 64]):
        assert_absent(secret, held)


def test_send_file_and_save_say_what_happened(two: tuple[Person, Person], tmp_path: Path) -> None:
    """Words for people, JSON for scripts; asked twice, two files, none overwritten."""
    alice, bob = two
    source = tmp_path / "notes.txt"
    source.write_text("notes", encoding="utf-8")
    done = alice.run("send-file", "bob", str(source))
    assert (done.code, done.out) == (0, "Accepted: the file is safe at the server for bob.\n")
    shown = bob.run("listen", "--count", "2", "--for", "60")
    assert "alice: <notes.txt, 5 bytes, not fetched: secure-chat save>" in shown.out
    for name in ("notes.txt", "notes (1).txt"):
        done = bob.run("save", "alice", "last")
        assert (done.code, done.out) == (0, f"Saved: {bob.folder / name}\n")
    [line] = [line for line in bob.history("alice") if line.get("file")]
    assert line["file"] == {
        "name": "notes.txt", "size": 5, "media_type": "text/plain", "state": "saved",
        "path": str(bob.folder / "notes (1).txt"),
    }  # fmt: skip
    missing = alice.run("send-file", "bob", str(tmp_path / "nothing"))
    assert missing.code == 1
    assert "cannot be sent: No such file or directory" in missing.err
    mine = alice.run("save", "bob", number_of_file(alice, "bob"))
    assert mine.code == 1
    assert f"You sent this file yourself; it is at {source}" in mine.err
    clip = tmp_path / "clip.mov"
    clip.write_bytes(b"moov")
    sent = alice.run("send-file", "bob", str(clip))
    assert sent.code == 0
    assert sent.err.count("Place, time and camera may stand in this file") == 1


def test_the_limit_of_the_server_is_said(tmp_path: Path) -> None:
    """The operator's setting, at once and in words; a server without files says so too."""
    source = tmp_path / "large"
    source.write_bytes(bytes(MIB + 1))
    with ServerProcess(tmp_path / "small", more=["--max-file-mib", "1"]) as server:
        alice = Person.registered("alice", tmp_path, server)
        Person.registered("bob", tmp_path, server)
        done = alice.run("send-file", "bob", str(source))
        assert done.code == 1
        assert "This server takes files of up to 1 MiB." in done.err
    with ServerProcess(tmp_path / "none", more=["--max-file-mib", "0"]) as server:
        carol = Person.registered("carol", tmp_path, server)
        Person.registered("dave", tmp_path, server)
        done = carol.run("send-file", "dave", str(source))
        assert done.code == 1
        assert "This server takes no files." in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="looks at open files through /proc")
def test_attack_59_nothing_is_opened_by_itself(two: tuple[Person, Person], tmp_path: Path) -> None:
    """A file that pretends: the true name on the terminal, no x-bit, and no other process."""
    alice, bob = two
    source = tmp_path / "invoice\u202efdp.exe"
    source.write_text("#!/bin/sh\ntouch opened\n", encoding="utf-8")
    source.chmod(0o755)
    assert alice.run("send-file", "bob", str(source)).code == 0
    shown = bob.run("listen", "--count", "2", "--for", "60").out
    assert "<invoicefdp.exe, " in shown
    assert "\u202e" not in shown
    assert bob.run("save", "alice", "last").code == 0
    saved = bob.folder / "invoicefdp.exe"
    assert saved.stat().st_mode & 0o777 == 0o600
    assert not (bob.folder / "opened").exists()
