"""``backup`` and ``restore``: what was accepted is there again, and nothing is given out twice."""

import hashlib
import os
import shutil
import signal
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.protocol.messages import Accepted, Delivery
from secure_chat.server import archive
from secure_chat.server.core.mailbox import RESERVE
from secure_chat.server.store import backup as backups
from secure_chat.server.store import lock
from secure_chat.server.store.backup import SEQUENCE_JUMP
from tests.support.processes import Person, Running, ServerProcess
from tests.support.raw_client import RawClient
from tests.support.waiting import wait_for

pytestmark = pytest.mark.timeout(400)

_AT_ONCE = 128  # messages that wait for one acknowledgement


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "server") as running:
        yield running


def backup(server: ServerProcess, *words: str) -> Path:
    """A backup of a server that runs."""
    file = server.folder / "chat.backup"
    done = server.command("backup", str(file), *words)
    assert done.code == 0, done.err
    return file


def restore(server: ServerProcess, file: Path, *words: str) -> str:
    """Stop the server, put a backup in the place of what it had, start it again."""
    server.stop()
    done = server.command("restore", str(file), "--force", *words)
    assert done.code == 0, done.err
    server.start()
    return done.out


# ---------------------------------------------------------------- people


def test_people_go_on_after_an_old_backup_is_restored(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Each text once, in order: what was seen before, what was copied unread, what comes now."""
    alice, bob = (Person.registered(name, tmp_path, server) for name in ("alice", "bob"))
    alice.send("bob", "waits in the backup")
    file = backup(server)
    with bob.listen() as listening:
        assert listening.wait_texts(1) == ["waits in the backup"]
        alice.send("bob", "came after it")
        listening.wait_texts(2)
        said = restore(server, file)
        listening.wait_online(2)
        sent = alice.send("bob", "after the restore")
        assert sent.code == 0, sent
        expected = ["waits in the backup", "came after it", "after the restore"]
        assert listening.wait_texts(3) == expected
        with RawClient.register(server.port, "mallory") as mallory:
            refilled = mallory.claim("bob/main")  # by bob's client, when it saw the empty stock
            assert refilled.one_time is not None
            assert not refilled.kem_is_last_resort
    texts = [line["text"] for line in bob.history() if line["type"] == "message"]
    assert texts == expected
    assert "2 devices, 1 waiting message" in said


def test_somebody_who_registered_after_the_backup_is_told(
    server: ServerProcess, tmp_path: Path
) -> None:
    """The restored server does not know the account; its person reads so, and waits for nothing."""
    file = backup(server)
    late = Person.registered("late", tmp_path, server)
    restore(server, file)
    said = late.send("nobody", "hello")
    assert said.code != 0
    assert "does not accept this login" in said.err


# ---------------------------------------------------------------- what must not come twice


def test_no_sequence_is_given_out_twice(server: ServerProcess) -> None:
    """More messages than are reserved at once come after the backup: the mailbox jumps over all."""
    with RawClient.register(server.port, "bob") as bob:
        file = backup(server)
        given = set()
        with (  # two of them: together they may send more at once than one account
            RawClient.register(server.port, "alice") as alice,
            RawClient.register(server.port, "dora") as dora,
        ):
            for turn in range(RESERVE // _AT_ONCE + 1):
                for _ in range(_AT_ONCE):
                    (alice, dora)[turn % 2].put("bob/main", b"x")
                given |= {bob.next_delivery()[0].seq for _ in range(_AT_ONCE)}
                bob.ack(max(given))
    restore(server, file)
    with (
        RawClient.login(server.port, bob.account) as bob,
        RawClient.register(server.port, "carol") as carol,
    ):
        assert bob.welcome.acked < max(given)
        carol.put("bob/main", b"new")
        delivery, body = bob.next_delivery()
        bob.ack(delivery.seq)
        assert body == b"new"
        assert delivery.seq not in given
        assert delivery.seq > SEQUENCE_JUMP
        carol.wire.expect(Accepted)
    again = backup(server, "--force")  # and a second time, over a mailbox that has jumped already
    restore(server, again)
    with RawClient.login(server.port, bob.account) as bob:
        assert bob.welcome.acked == delivery.seq


def test_no_one_time_key_is_handed_out_twice(server: ServerProcess) -> None:
    """Keys that lay in the backup, of which one was claimed after it, are all dropped."""
    with RawClient.register(server.port, "bob") as bob:
        bob.publish(curve=5, kem=5)
        file = backup(server)
        with RawClient.register(server.port, "alice") as alice:
            assert alice.claim("bob/main").one_time is not None
    restore(server, file)
    with RawClient.register(server.port, "carol") as carol:
        claimed = carol.claim("bob/main")
        assert claimed.one_time is None
        assert claimed.kem_is_last_resort
    with RawClient.login(server.port, bob.account) as bob:
        assert (bob.welcome.one_time, bob.welcome.one_time_kem) == (0, 0)


def test_a_backup_under_load_holds_all_that_was_accepted_before(server: ServerProcess) -> None:
    """While two senders write to somebody absent: every message accepted so far is in the copy."""
    with RawClient.register(server.port, "bob") as bob:
        pass
    accepted: dict[str, list[bytes]] = {"alice": [], "carol": []}
    stop = threading.Event()

    def write(name: str) -> None:
        with RawClient.register(server.port, name) as sender:
            while not stop.is_set():
                accepted[name].append(sender.pm("bob/main", name.encode() + b"x" * 2000))

    senders = [threading.Thread(target=write, args=(name,)) for name in accepted]
    for sender in senders:
        sender.start()
    try:
        while min(map(len, accepted.values())) < 50:
            stop.wait(0.01)
        before = {name: list(ids) for name, ids in accepted.items()}
        file = backup(server)
    finally:
        stop.set()
        for sender in senders:
            sender.join(30)
    restore(server, file)
    arrived: list[Delivery] = []
    missing = {i for ids in before.values() for i in ids}
    with RawClient.login(server.port, bob.account) as bob:
        while missing:
            delivery, _ = bob.next_delivery()
            arrived.append(delivery)
            missing.discard(delivery.id)
            bob.ack(delivery.seq)
    assert len({delivery.id for delivery in arrived}) == len(arrived)
    for name, ids in before.items():
        order = [d.id for d in arrived if d.sender == f"{name}/main"]
        assert order[: len(ids)] == ids


# ---------------------------------------------------------------- the file


def test_attack_68_a_backup_is_its_owners_and_holds_no_key_unless_asked(
    server: ServerProcess,
) -> None:
    """Mode 0600 under any umask; the private key only with --with-key, and then it is said."""
    key = (server.folder / "certs/server.key").read_bytes()
    file = backup(server)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key not in file.read_bytes()
    with tarfile.open(file) as archive:
        assert archive.getnames() == ["backup.json", "server.db"]
    done = server.command(
        "backup",
        str(file),
        "--force",
        "--with-key",
        "--key",
        str(server.folder / "certs/server.key"),
    )
    assert "private key too" in done.out
    assert key in file.read_bytes()
    assert not list(server.data_dir.glob("backup-*"))


def test_a_server_moves_to_another_machine(server: ServerProcess, tmp_path: Path) -> None:
    """With key and files in it a backup is all that another machine needs."""
    content = b"a sealed file" * 1000
    name = hashlib.sha256(content).hexdigest()
    (server.data_dir / "blobs").mkdir(mode=0o700, exist_ok=True)
    (server.data_dir / "blobs" / name).write_bytes(content)
    old_link = server.link()
    key = ["--key", str(server.folder / "certs/server.key")]
    file = backup(server, "--with-key", *key)
    server.stop()
    shutil.rmtree(server.data_dir)
    shutil.rmtree(server.folder / "certs")
    done = server.command("restore", str(file), "--with-key", *key)
    assert done.code == 0, done.err
    assert (server.data_dir / "blobs" / name).read_bytes() == content
    server.start()
    link = server.link()
    assert (link.server_id, link.pins) == (old_link.server_id, old_link.pins)
    assert stat.S_IMODE((server.folder / "certs/server.key").stat().st_mode) == 0o600


def test_another_key_in_place_is_said(server: ServerProcess, tmp_path: Path) -> None:
    """Whoever restores beside a new certificate reads that every pinned client will refuse."""
    from secure_chat.server import certificates

    file = backup(server)
    server.stop()
    certificates.generate(server.folder / "certs", force=True)
    done = server.command("restore", str(file), "--force")
    assert done.code == 0
    assert "Take care: clients trust the key with the pin" in done.out


def test_a_damaged_backup_changes_nothing(server: ServerProcess) -> None:
    """Whatever was done to it, one line says what is wrong, and the folder stays as it was."""
    name = hashlib.sha256(b"a sealed file").hexdigest()
    (server.data_dir / "blobs").mkdir(mode=0o700, exist_ok=True)
    (server.data_dir / "blobs" / name).write_bytes(b"a sealed file")
    file = backup(server)
    server.stop()
    data = file.read_bytes()
    page = data.index(b"SQLite format 3") + 30_000
    damaged = {
        "server.db in it is damaged": data[:page] + bytes([data[page] ^ 1]) + data[page + 1 :],
        f"blobs/{name} in it is damaged": data.replace(b"a sealed file", b"a sealed fils"),
        "damaged or cut off": data[: len(data) // 2],
        "is no backup of this program": b"hello",
        "it has format 9": data.replace(b'"format":1', b'"format":9'),
        "that of another server": _reindexed(data),
    }
    before = _content(server.data_dir)
    for words, content in damaged.items():
        file.write_bytes(content)
        done = server.command("restore", str(file), "--force")
        assert done.code == 2
        assert len(done.err.splitlines()) == 1
        assert words in done.err
        assert _content(server.data_dir) == before


def _reindexed(data: bytes) -> bytes:
    """A backup that says it is of another server."""
    at = data.index(b'"server_id":"') + len(b'"server_id":"')
    return data[:at] + b"A" * 22 + data[at + 22 :]


def _content(folder: Path) -> dict[str, bytes]:
    """All files but the lock, which names whoever held it last."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != lock.FILE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_nothing_is_overwritten_unasked(server: ServerProcess) -> None:
    """A file in the way, a running server, a full folder are refused; --force keeps the old."""
    file = backup(server)
    again = server.command("backup", str(file))
    assert (again.code, "exists already" in again.err) == (2, True)
    running = server.command("restore", str(file), "--force")
    assert (running.code, "in use by a running server" in running.err) == (2, True)
    server.stop()
    full = server.command("restore", str(file))
    assert (full.code, "is not empty" in full.err) == (2, True)
    assert server.command("restore", str(file), "--force").code == 0
    (aside,) = server.data_dir.glob("before-restore-*")
    assert (aside / "server.db").stat().st_size > 0


def test_a_log_without_its_database_does_not_enter_the_restored_one(server: ServerProcess) -> None:
    """What a killed server left beside a deleted database is in the way, and is moved aside."""
    file = backup(server)
    assert server.command("invite", "--label", "too late").code == 0
    server.kill()
    log = server.data_dir / "server.db-wal"
    assert log.stat().st_size > 0
    (server.data_dir / "server.db").unlink()
    refused = server.command("restore", str(file))
    assert refused.code == 2
    assert "is not empty" in refused.err
    done = server.command("restore", str(file), "--force")
    assert done.code == 0, done.err
    assert "too late" not in server.command("invite", "list", "--all").out


def test_no_server_begins_where_a_restore_was_cut_off(server: ServerProcess) -> None:
    """Killed between moving the old away and the new in: every start says so, until it is done."""
    file = backup(server)
    server.stop()
    known = server.command("restore", str(file), "--force").out.partition(": server ")[2][:22]
    (server.data_dir / "restore.unfinished").touch()
    (server.data_dir / "server.db").unlink()
    for words in (["serve"], ["invite"], ["users"]):
        refused = server.command(*words)
        assert refused.code == 2, refused
    assert "a restore was cut off" in server.command("serve").err
    assert "was cut off" in server.command("check").out
    assert server.command("restore", str(file)).code == 2
    again = server.command("restore", str(file), "--force")
    assert again.code == 0, again.err
    assert f"server {known}" in again.out
    assert "holds what a restore replaced" in server.command("check").out
    server.start()


def test_a_copy_that_nobody_fetched_is_swept_away(server: ServerProcess) -> None:
    """A backup that was killed leaves no old messages behind the next start."""
    left = server.data_dir / "backup-0123456789abcdef"
    server.stop()
    left.mkdir()
    (left / "server.db").write_bytes(b"messages")
    server.start()
    assert not left.exists()


def _cut_off(server: ServerProcess, number: int) -> Path:
    """Start a backup of much, end it while it writes; the file that it was to make."""
    blobs = server.data_dir / "blobs"
    for number_of in range(4):
        with (blobs / f"{number_of:064x}").open("wb") as file:
            file.truncate(512 * 1024 * 1024)  # sparse here, written out in the archive
    target = server.folder / "cut.backup"
    command = [*server._program(), "backup", *server._place(), str(target)]
    with Running(command, server.folder, "cut", server.folder / "home") as running:
        half = server.folder / ".cut.backup.partial"
        wait_for(lambda: half.exists() and half.stat().st_size, 60, "it writes")
        assert list(server.data_dir.glob("backup-*"))
        assert backups.sweep_left(server.data_dir) == 0  # young, and held
        for place in server.data_dir.glob("backup-*"):
            os.utime(place, (0, 0))
        assert backups.sweep_left(server.data_dir) == 0  # held
        running.process.send_signal(number)
        assert running.wait(60) != 0
    return target


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a process without asking it")
def test_a_backup_that_is_told_to_end_leaves_nothing(server: ServerProcess) -> None:
    """SIGTERM, as of a timer that ran out: no copy of messages and no half file stays."""
    target = _cut_off(server, signal.SIGTERM)
    assert not list(server.data_dir.glob("backup-*"))
    assert not list(target.parent.glob("*cut.backup*"))


@pytest.mark.skipif(os.name != "posix", reason="sends SIGKILL")
def test_the_copy_of_a_killed_backup_is_swept_by_the_running_server(server: ServerProcess) -> None:
    """Nobody holds it any more, so the next round deletes it; a young one is left to its asker."""
    target = _cut_off(server, signal.SIGKILL)
    assert archive.left_behind(target.parent) == [target.with_name(".cut.backup.partial")]
    (copy,) = server.data_dir.glob("backup-*")
    copy.touch()
    assert backups.sweep_left(server.data_dir) == 0
    os.utime(copy, (0, 0))
    assert backups.sweep_left(server.data_dir) == 1
    assert not copy.exists()


def test_the_half_of_a_killed_backup_goes_with_the_next(server: ServerProcess) -> None:
    """Under any name in that folder; one that is being written stays, as do strangers' files."""
    ours = server.folder / ".monday.backup.partial"
    at_work = server.folder / ".tuesday.backup.partial"
    half = backup(server).read_bytes()[:10_000]
    for path in (ours, at_work):
        path.write_bytes(half)
    stranger = server.folder / ".film.mp4.partial"
    stranger.write_bytes(b"somebody else's")
    with at_work.open("r+b") as held:
        lock.take(held)
        done = server.command("backup", str(server.folder / "wednesday.backup"))
    assert done.code == 0, done.err
    assert f"Deleted {ours}" in done.err
    assert not ours.exists()
    assert at_work.exists()
    assert stranger.exists()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_restores_is_still_the_servers(server: ServerProcess) -> None:
    """Everything keeps the account that owns the folder: data, key, what was there before."""
    account = 65534
    key = server.folder / "certs/server.key"
    file = backup(server, "--with-key", "--key", str(key))
    server.stop()
    (server.data_dir / "server.lock").unlink()  # root makes that one, too
    for path in (server.data_dir, *server.data_dir.rglob("*"), key, key.with_name("server.pem")):
        os.chown(path, account, account)
    words = (str(file), "--force", "--with-key", "--key", str(key))
    done = server.command("restore", *words)
    assert done.code == 0, done.err
    assert server.command("users", "list").code == 0
    made = [server.data_dir, *server.data_dir.rglob("*"), key, key.with_name("server.pem")]
    assert {path.stat().st_uid for path in made} == {account}
    assert any(path.name.startswith("before-restore-") for path in made)


def test_commands_make_no_folder_by_mistake(server: ServerProcess, tmp_path: Path) -> None:
    """A mistyped folder is said, and no empty server is made there."""
    for words in (["backup", str(tmp_path / "x")], ["stats"], ["invite", "list"]):
        done = server.command(*words, "--data-dir", str(tmp_path / "typo"))
        assert done.code == 2
        assert "no server's data" in done.err
    assert not (tmp_path / "typo").exists()
