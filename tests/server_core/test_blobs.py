"""Blobs: brought in chunks, whole and on disk before anybody is told so, fetched by their hash."""

import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import delete, select

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.messages import (
    BLOBS,
    Blob,
    BlobGet,
    BlobHeld,
    BlobPut,
    Error,
    Message,
)
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.core.settings import Rate, Settings, blob_size_of
from secure_chat.server.store import blobs as files
from secure_chat.server.store.schema import accounts, uploads
from tests.server_core.support import Peer, Person, World

CHUNK = limits.BLOB_CHUNK
DATA = os.urandom(2 * CHUNK + 1000)


class Usage(NamedTuple):
    """What is asked of a disk."""

    free: int


def name_of(data: bytes) -> BlobHash:
    return BlobHash(hashlib.sha256(data).digest())


def someone(world: World, name: str) -> Person:
    """A person whose connection agreed on blobs."""
    return world.person(name, features=(BLOBS,))


def put(data: bytes, start: int, end: int, ref: int = 1) -> tuple[Message, bytes]:
    return BlobPut(ref, name_of(data), len(data), start), data[start:end]


def bring(peer: Peer, data: bytes) -> None:
    """All of a blob, with all its chunks under way at once."""
    peer.send(put(data, 0, 0))
    held = peer.expect(BlobHeld).held
    starts = list(range(held, len(data), CHUNK))
    peer.send(*(put(data, at, min(len(data), at + CHUNK), 2 + n) for n, at in enumerate(starts)))
    for at in starts:
        assert peer.expect(BlobHeld).held == min(len(data), at + CHUNK)


def fetch(peer: Peer, sha256: BlobHash) -> bytes | Code:
    found = b""
    while True:
        peer.send(BlobGet(9, sha256, len(found)))
        message, body = peer.news()[-1]
        if isinstance(message, Error):
            return message.code
        assert isinstance(message, Blob)
        assert len(body) == min(CHUNK, message.size - len(found))
        found += body
        if len(found) == message.size:
            return found


def refusal(peer: Peer) -> Code:
    error = peer.expect(Error)
    return error.code


def rows(world: World) -> list[tuple[int, bool]]:
    """Size and wholeness of every upload."""
    told: list[list[tuple[int, bool]]] = []
    world.store.read(
        lambda db: [(r.size, r.whole) for r in db.execute(select(uploads.c.size, uploads.c.whole))],
        told.append,
    )
    world.settle()
    return told[0]


def on_disk(world: World) -> list[str]:
    return sorted(path.name for path in (world.folder / files.FOLDER).iterdir())


def test_a_blob_goes_up_and_comes_down(world: World) -> None:
    """Whole, under its hash, for another account; several chunks may be under way."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    assert fetch(bob.peer, name_of(DATA)) is Code.UNKNOWN_BLOB
    bring(alice.peer, DATA)
    assert fetch(bob.peer, name_of(DATA)) == DATA
    assert on_disk(world) == [name_of(DATA).hex()]
    assert rows(world) == [(len(DATA), True)]


def test_only_who_agreed_on_the_feature_may_use_it(world: World) -> None:
    """The messages belong to the feature; a login without it does not know them."""
    alice = world.person("alice")
    assert BLOBS in alice.peer.hello.features
    alice.peer.send(put(DATA, 0, 0), BlobGet(2, name_of(DATA)))
    assert [refusal(alice.peer), refusal(alice.peer)] == [Code.NOT_SUPPORTED] * 2


def test_a_server_without_files_does_not_offer_them(make_world: Callable[..., World]) -> None:
    """`max_file_mib` 0: the feature is not there, and asking for it is refused."""
    world = make_world(Settings(registration="open", blob_size=blob_size_of(0)))
    peer = world.connect()
    assert peer.hello.features == []
    assert peer.register(Person(world, "alice"), features=(BLOBS,)) is Code.UNSUPPORTED_FEATURE


def test_an_upload_goes_on_where_it_stopped(world: World) -> None:
    """After a lost connection and after a crash: `held` says where; nothing is sent twice."""
    alice = someone(world, "alice")
    alice.peer.send(put(DATA, 0, 0), put(DATA, 0, CHUNK, 2))
    assert [alice.peer.expect(BlobHeld).held for _ in range(2)] == [0, CHUNK]
    alice.peer.hang_up()
    alice.login(features=(BLOBS,)).send(put(DATA, 0, 0))
    assert alice.peer.expect(BlobHeld).held == CHUNK
    world.restart()
    alice.login(features=(BLOBS,)).send(put(DATA, 0, 0))
    assert alice.peer.expect(BlobHeld).held == CHUNK
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


def test_a_chunk_in_the_wrong_place_changes_nothing(world: World) -> None:
    """Ahead, behind or repeated: the answer says what is kept."""
    alice = someone(world, "alice")
    alice.peer.send(put(DATA, 0, 1000), put(DATA, 2000, 3000, 2), put(DATA, 500, 1500, 3))
    assert [alice.peer.expect(BlobHeld).held for _ in range(3)] == [1000] * 3
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


@pytest.mark.parametrize("chunk", [bytes(CHUNK + 1), bytes(len(DATA))])
def test_attack_61_a_chunk_beyond_its_bounds_is_refused(world: World, chunk: bytes) -> None:
    """Larger than a chunk, or reaching over the blob's end."""
    alice = someone(world, "alice")
    alice.peer.send((BlobPut(1, name_of(DATA), len(DATA), 1), chunk))
    assert refusal(alice.peer) is Code.BAD_FIELD
    assert on_disk(world) == []


def test_attack_61_a_claimed_terabyte_costs_nothing(make_world: Callable[..., World]) -> None:
    """Refused with the first message, before a row or a file; what fits exactly is taken."""
    most = blob_size_of(1)
    world = make_world(Settings(registration="open", blob_size=most))
    alice = someone(world, "alice")
    for size in (10**12, 2**53 - 1, most + 1):
        alice.peer.send(BlobPut(1, name_of(DATA), size))
        error = alice.peer.expect(Error)
        assert error.code is Code.BLOB_TOO_LARGE
        assert "1 MiB" in error.message
    assert (rows(world), on_disk(world)) == ([], [])
    alice.peer.send(BlobPut(1, name_of(DATA), most))
    assert alice.peer.expect(BlobHeld).held == 0


def test_attack_60_other_bytes_than_the_hash_says_are_not_kept(world: World) -> None:
    """Damaged on the way, or a lie: nobody can fetch them, and the upload begins anew."""
    alice = someone(world, "alice")
    data = DATA[:2000]
    alice.peer.send((BlobPut(1, name_of(data), 2000), bytes(2000)))
    assert refusal(alice.peer) is Code.BLOB_MISMATCH
    assert fetch(alice.peer, name_of(data)) is Code.UNKNOWN_BLOB
    assert on_disk(world) == []
    bring(alice.peer, data)
    assert fetch(alice.peer, name_of(data)) == data


def test_attack_20_nobody_writes_into_anothers_upload(world: World) -> None:
    """Each account brings its own copy; a liar spoils only his."""
    alice, eve = someone(world, "alice"), someone(world, "eve")
    alice.peer.send(put(DATA, 0, CHUNK))
    assert alice.peer.expect(BlobHeld).held == CHUNK
    eve.peer.send((BlobPut(1, name_of(DATA), len(DATA), CHUNK), bytes(1000)))
    assert eve.peer.expect(BlobHeld).held == 0
    eve.peer.send((BlobPut(2, name_of(DATA), len(DATA)), bytes(1000)))
    assert eve.peer.expect(BlobHeld).held == 1000
    assert fetch(eve.peer, name_of(DATA)) is Code.UNKNOWN_BLOB
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


def test_what_two_bring_is_stored_once(world: World) -> None:
    """The second need not send it; it counts against both, and stays as long as one has it."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    bring(alice.peer, DATA)
    bob.peer.send(put(DATA, 0, 0))
    assert bob.peer.expect(BlobHeld).held == len(DATA)
    bob.peer.send(BlobPut(2, name_of(DATA), len(DATA) + 1))
    assert refusal(bob.peer) is Code.BLOB_MISMATCH
    assert rows(world) == [(len(DATA), True)] * 2
    assert on_disk(world) == [name_of(DATA).hex()]
    _delete_account(world, "alice")
    assert fetch(bob.peer, name_of(DATA)) == DATA


def test_with_the_account_go_its_blobs(world: World) -> None:
    """At once for everybody who asks; what a crash leaves of them goes with a later sweep."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    bring(alice.peer, DATA)
    bob.peer.send(put(DATA + b"x", 0, 100))
    bob.peer.expect(BlobHeld)
    _delete_account(world, "alice")
    _delete_account(world, "bob")
    carol = someone(world, "carol")
    assert fetch(carol.peer, name_of(DATA)) is Code.UNKNOWN_BLOB
    _sweep(world, later=7200)
    assert on_disk(world) == []
    bob.peer.send(put(DATA + b"y", 0, 100))  # a session that outlived its account
    assert refusal(bob.peer) is Code.UNKNOWN_USER


def test_with_a_deleted_account_go_its_files_at_once(world: World) -> None:
    """Those that it alone had brought or begun, however young; gone before the deletion is said."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    shared, coming = DATA + b"shared", DATA + b"coming"
    for person, blobs in ((alice, (DATA, shared)), (bob, (shared, DATA[:500]))):
        for blob in blobs:
            bring(person.peer, blob)
    for person in (alice, bob):
        person.peer.send(put(coming, 0, 100))
        person.peer.expect(BlobHeld)
    seen: list[list[str]] = []
    world.hub.departures.delete("alice", lambda _: seen.append(on_disk(world)))
    world.loop.run_until(lambda: bool(seen))
    assert alice.peer.connection.bye is Code.ACCOUNT_DELETED
    (left,) = seen
    assert [name for name in left if name.endswith(".part")] == [
        name for name in left if name_of(coming).hex() in name
    ]
    assert [name for name in left if not name.endswith(".part")] == sorted(
        name_of(blob).hex() for blob in (shared, DATA[:500])
    )
    assert len(left) == 3
    bring(bob.peer, coming)
    assert fetch(bob.peer, name_of(coming)) == coming
    assert fetch(bob.peer, name_of(shared)) == shared


def test_who_brings_the_same_while_it_is_deleted_keeps_it(world: World) -> None:
    """Bob has begun with a blob that alice deletes: whatever comes first, what he is told holds."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    bring(alice.peer, DATA)
    told: list[object] = []
    bob.peer.send_without_waiting(put(DATA, 0, 0))
    world.hub.departures.delete("alice", told.append)
    world.loop.run_until(lambda: bool(told))
    bring(bob.peer, DATA)
    assert fetch(bob.peer, name_of(DATA)) == DATA


def test_attack_17_an_account_has_its_room_and_no_more(make_world: Callable[..., World]) -> None:
    """Bytes and begun uploads are bounded for each account; others still bring theirs."""
    room = 3 * len(DATA)
    world = make_world(Settings(registration="open", blob_bytes_per_account=room))
    alice, bob = someone(world, "alice"), someone(world, "bob")
    for number in range(3):
        bring(alice.peer, DATA[:-1] + bytes([number]))
    alice.peer.send(BlobPut(1, name_of(b"more"), 4))
    assert refusal(alice.peer) is Code.BLOB_QUOTA
    alice.peer.send(put(DATA[:-1] + b"\1", 0, 0))
    assert alice.peer.expect(BlobHeld).held == len(DATA), "what counts already counts once"
    bring(bob.peer, DATA)
    for number in range(limits.BLOB_UPLOADS):
        bob.peer.send(BlobPut(1, name_of(bytes([number])), 2))
        assert bob.peer.expect(BlobHeld).held == 0
    bob.peer.send(BlobPut(1, name_of(b"one more"), 8))
    assert refusal(bob.peer) is Code.BLOB_QUOTA
    bob.peer.send(put(DATA, 0, 0))
    assert bob.peer.expect(BlobHeld).held == len(DATA)


def test_blobs_are_kept_as_long_as_messages(make_world: Callable[..., World]) -> None:
    """Then they are gone for everybody and from the disk; who brings one again keeps it."""
    world = make_world(Settings(registration="open", retention_seconds=5 * limits.DAY))
    alice, bob = someone(world, "alice"), someone(world, "bob")
    other = DATA + b"other"
    bring(alice.peer, DATA)
    bring(alice.peer, other)
    alice.peer.send(put(DATA[:50], 0, 10))
    alice.peer.expect(BlobHeld)
    _days(world, 3)
    assert len(rows(world)) == 2, "the upload that nobody took up is forgotten"
    alice.login(features=(BLOBS,)).send(put(other, 0, 0))
    assert alice.peer.expect(BlobHeld).held == len(other)
    _days(world, 3)
    bob.login(features=(BLOBS,))
    assert fetch(bob.peer, name_of(DATA)) is Code.UNKNOWN_BLOB
    assert fetch(bob.peer, name_of(other)) == other
    _sweep(world, later=7200)
    assert on_disk(world) == [name_of(other).hex()]


def test_a_file_without_a_row_is_swept_and_a_row_without_a_file_is_healed(world: World) -> None:
    """Whatever a crash or a restored backup left: nothing lies there for ever, nothing hangs."""
    alice = someone(world, "alice")
    bring(alice.peer, DATA)
    folder = world.folder / files.FOLDER
    for stray in ("ab" * 32, f"77-{'cd' * 32}.part"):
        (folder / stray).write_bytes(b"left behind")
    _sweep(world, later=7200)
    assert on_disk(world) == [name_of(DATA).hex()]
    (folder / name_of(DATA).hex()).unlink()
    assert fetch(alice.peer, name_of(DATA)) is Code.UNKNOWN_BLOB
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


def test_what_was_checked_and_not_yet_noted_is_found_after_a_crash(world: World) -> None:
    """The crash comes between the rename and the row: the next question heals it."""
    alice = someone(world, "alice")
    bring(alice.peer, DATA)
    told: list[object] = []
    world.store.write(
        lambda db: db.execute(uploads.update().values(whole=False)).rowcount, told.append
    )
    world.settle()
    world.restart()
    alice.login(features=(BLOBS,)).send(put(DATA, 0, 0))
    assert alice.peer.expect(BlobHeld).held == len(DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX only")
def test_a_blob_is_on_disk_before_it_is_said_to_be_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are synced, then it gets its name, then the name is synced; then it is told."""
    alice = someone(world, "alice")
    alice.peer.send(put(DATA, 0, 0))
    alice.peer.expect(BlobHeld)
    steps: list[str] = []
    sync, rename = os.fsync, Path.replace

    def synced(handle: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "bytes")
        sync(handle)

    def renamed(self: Path, target: Path) -> Path:
        steps.append("name")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    bring(alice.peer, DATA)
    assert steps == ["bytes", "name", "folder"]


def test_a_full_disk_is_said_and_passes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`storage_unavailable` before the room for messages is used up, and when a write fails."""
    alice = someone(world, "alice")

    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda _: Usage(files._SPARE + len(DATA) - 1))
        alice.peer.send(put(DATA, 0, CHUNK))
        assert refusal(alice.peer) is Code.STORAGE_UNAVAILABLE
        assert on_disk(world) == []
    alice.peer.send(put(DATA, 0, CHUNK))
    assert alice.peer.expect(BlobHeld).held == CHUNK

    def no_space(part: files._Part, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(files._Part, "append", no_space)
        alice.peer.send(put(DATA, CHUNK, 2 * CHUNK))
        assert refusal(alice.peer) is Code.STORAGE_UNAVAILABLE
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


def disk_of(world: World, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """A disk on which files may take ``room`` bytes before the room for messages is touched."""

    def usage(folder: Path) -> Usage:
        taken = sum(path.stat().st_size for path in folder.iterdir())
        return Usage(files._SPARE + room - taken)

    monkeypatch.setattr(shutil, "disk_usage", usage)


def test_attack_17_uploads_side_by_side_leave_messages_their_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that fit singly and not together: the second is refused, the first comes whole."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    disk_of(world, monkeypatch, 2 * len(DATA) - 1)
    alice.peer.send(put(DATA, 0, 0))
    assert alice.peer.expect(BlobHeld).held == 0
    other = DATA + b"other"
    bob.peer.send(put(other, 0, 0))
    assert refusal(bob.peer) is Code.STORAGE_UNAVAILABLE
    bring(alice.peer, DATA)
    bob.peer.send(put(other, 0, CHUNK))
    assert refusal(bob.peer) is Code.STORAGE_UNAVAILABLE
    assert on_disk(world) == [name_of(DATA).hex()]


def test_attack_17_an_upload_that_stands_still_keeps_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claimed room is another's after a minute; who comes back then fills nothing up either."""
    alice, bob = someone(world, "alice"), someone(world, "bob")
    disk_of(world, monkeypatch, len(DATA) + CHUNK + 5)
    alice.peer.send(put(DATA, 0, CHUNK))
    assert alice.peer.expect(BlobHeld).held == CHUNK
    monkeypatch.setattr(files, "_AWAKE", 0.0)
    other = DATA + b"other"
    bring(bob.peer, other)
    alice.peer.send(put(DATA, CHUNK, CHUNK + 1))
    assert refusal(alice.peer) is Code.STORAGE_UNAVAILABLE
    disk_of(world, monkeypatch, len(other) + len(DATA))
    bring(alice.peer, DATA)
    assert fetch(bob.peer, name_of(DATA)) == DATA


def test_a_resumed_upload_needs_room_for_what_is_missing_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is here already takes no room twice."""
    alice = someone(world, "alice")
    disk_of(world, monkeypatch, len(DATA))
    alice.peer.send(put(DATA, 0, CHUNK))
    assert alice.peer.expect(BlobHeld).held == CHUNK
    world.restart()
    alice.login(features=(BLOBS,))
    bring(alice.peer, DATA)
    assert fetch(alice.peer, name_of(DATA)) == DATA


def test_attack_18_who_does_not_read_gets_nothing_more(world: World) -> None:
    """Chunks do not pile up for a peer that does not take them, nor on the way to the disk."""
    alice = someone(world, "alice")
    bring(alice.peer, DATA)
    alice.peer.connection.buffered = 10**6
    alice.peer.send(BlobGet(1, name_of(DATA)))
    error = alice.peer.expect(Error)
    assert (error.code, error.retry_after) == (Code.OVERLOADED, 0.2)
    alice.peer.connection.buffered = 0
    alice.peer.send_without_waiting(*(BlobGet(n, name_of(DATA)) for n in range(40)))
    answers = [message for message, _ in alice.peer.news()]
    refused = [a for a in answers if isinstance(a, Error) and a.code is Code.OVERLOADED]
    assert len(refused) == 40 - limits.BLOB_CHUNKS
    assert len(answers) == 40


def test_chunks_have_a_rate_of_their_own(make_world: Callable[..., World]) -> None:
    """They neither use up an account's requests nor are without bound."""
    world = make_world(Settings(registration="open", requests=Rate(0, 1), blob_chunks=Rate(1, 4)))
    alice = someone(world, "alice")
    for _ in range(4):
        alice.peer.send(put(DATA, 0, 0))
        alice.peer.expect(BlobHeld)
    alice.peer.send(put(DATA, 0, 0))
    error = alice.peer.expect(Error)
    assert error.code is Code.RATE_LIMITED
    assert error.retry_after


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_attack_68_only_the_servers_account_reads_the_files(world: World) -> None:
    """Folder 0700, files 0600, coming or whole, under any umask."""
    before = os.umask(0)
    try:
        alice = someone(world, "alice")
        bring(alice.peer, DATA)
        alice.peer.send(put(DATA + b"x", 0, 10))
        alice.peer.expect(BlobHeld)
    finally:
        os.umask(before)
    folder = world.folder / files.FOLDER
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_attack_10_nobody_learns_what_others_bring(world: World) -> None:
    """A blob that is coming and one that never was are answered alike."""
    alice, eve = someone(world, "alice"), someone(world, "eve")
    alice.peer.send(put(DATA, 0, CHUNK))
    alice.peer.expect(BlobHeld)
    answers = []
    for sha256 in (name_of(DATA), BlobHash(bytes(32))):
        eve.peer.send(BlobGet(7, sha256))
        answers.append(eve.peer.expect(Error))
    assert answers[0] == answers[1]


def _delete_account(world: World, name: str) -> None:
    told: list[object] = []
    world.store.write(
        lambda db: db.execute(delete(accounts).where(accounts.c.user_id == name)).rowcount,
        told.append,
    )
    world.settle()


def _days(world: World, days: int) -> None:
    """Time passes for the housekeeper; connections may end of it."""
    for _ in range(2):  # its clock begins with its first look
        world.advance(days * limits.DAY / 2)


def _sweep(world: World, later: float) -> None:
    """The housekeeper's look at the files, as if they were old."""
    for path in Path(world.folder / files.FOLDER).iterdir():
        os.utime(path, (path.stat().st_atime - later, path.stat().st_mtime - later))
    world.store.blob(world.store.blob_files.sweep, lambda _: None)
    world.settle()
