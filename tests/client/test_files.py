"""Files between two engines over a server in memory: they arrive whole, or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_chat.client.content import File
from secure_chat.client.engine.transfer import Upload
from secure_chat.client.events import (
    Attachment,
    FileState,
    MessageState,
)
from secure_chat.client.files import saving
from secure_chat.client.files.sealing import seal_file
from secure_chat.client.vault import attached
from secure_chat.crypto.files import FileKey
from secure_chat.errors import (
    CannotWrite,
    Code,
    FileIsOurs,
    FileTooLong,
    FileUnusable,
    NoFile,
    NoRoom,
    NoSuchMessage,
    ProfileUnwritable,
)
from secure_chat.protocol import limits
from secure_chat.protocol.messages import BlobGet, BlobPut, Pm
from tests.client.filing import (
    DATA,
    LONG,
    file_of,
    flow,
    last,
    names,
    offer,
    people,
    problems,
    progress,
    save,
    sealed_files,
    work,
)
from tests.client.sim import Sim, SimClient


def test_a_file_arrives_whole(sim: Sim, source: Path, folder: Path) -> None:
    """Name, type, size and caption with the message; the bytes when they are asked for."""
    alice, bob = people(sim)
    offer(sim, source, "the report")
    ours, theirs = last(alice, bob), last(bob, alice)
    assert (ours.state, ours.text) == (MessageState.DELIVERED, "the report")
    assert file_of(alice, bob) == Attachment(
        "report.pdf", len(DATA), "application/pdf", FileState.SENT, str(source)
    )
    assert (theirs.text, theirs.file) == (
        "the report",
        Attachment("report.pdf", len(DATA), "application/pdf", FileState.OFFERED),
    )
    saved = save(sim, folder)
    assert (saved.state, saved.path) == (FileState.SAVED, str(folder / "report.pdf"))
    assert (folder / "report.pdf").read_bytes() == DATA
    assert names(folder) == ["report.pdf"]
    assert sealed_files(alice) == sealed_files(bob) == []
    for client, state in ((alice, FileState.UPLOADING), (bob, FileState.DOWNLOADING)):
        told = progress(client)
        assert told
        assert all(one[0] is state and 0 <= one[1] <= one[2] for one in told)


@pytest.mark.parametrize("size", [0, 1, 4096, 65_536, 65_537, 49_152])
def test_files_of_all_sizes_arrive(sim: Sim, tmp_path: Path, folder: Path, size: int) -> None:
    """The empty one, and those that end where a chunk ends."""
    source = tmp_path / "x.bin"
    source.write_bytes(DATA[:size])
    offer(sim, source)
    save(sim, folder)
    assert (folder / "x.bin").read_bytes() == DATA[:size]


def test_the_message_leaves_only_when_the_file_is_there(sim: Sim, source: Path) -> None:
    """And texts that are written meanwhile do not wait for it."""
    alice, bob = people(sim)
    alice.write(bob, "before")
    sim.run()
    alice.engine.send_file(bob.name, source)
    alice.engine._workshop.work()
    alice.settle()
    alice.write(bob, "meanwhile")
    sent: list[str] = []
    while alice.up or alice.down:
        sent += [type(message).__name__ for message, _ in alice.up]
        sim.serve(alice)
        alice.receive(1)
    flow(sim)
    first_pm = sent.index("Pm")
    assert "BlobPut" in sent[first_pm:], "the text passed between the chunks"
    assert [line.text for line in bob.lines(alice)] == ["before", "meanwhile", ""]
    assert file_of(bob, alice).state is FileState.OFFERED


def test_few_chunks_are_under_way(sim: Sim, source: Path, folder: Path) -> None:
    """At most four: messages on the same connection pass between them."""
    alice, bob = people(sim)
    alice.engine.send_file(bob.name, source)
    work(sim)
    most = 0
    while alice.up or alice.down:
        most = max(most, sum(isinstance(message, BlobPut) for message, _ in alice.up))
        sim.round()
    assert 1 < most <= 4
    bob.engine.open_conversation(alice.name)
    bob.engine.save_file(alice.name, last(bob, alice).number, folder)
    bob.settle()
    most = 0
    while bob.up or bob.down:
        most = max(most, sum(isinstance(message, BlobGet) for message, _ in bob.up))
        sim.round()
    assert 1 < most <= 4


def test_an_upload_goes_on_after_a_lost_connection_and_a_crash(
    sim: Sim, source: Path, folder: Path
) -> None:
    """Where the server is; the person does nothing, and the sealed bytes are the same."""
    alice, bob = people(sim)
    source.write_bytes(LONG)
    alice.engine.send_file(bob.name, source)
    work(sim)
    for _ in range(3):
        sim.round()
    [held] = sim.server.blobs.values()
    assert 0 < len(held) < len(LONG)
    alice.drop()
    alice.connect()
    for _ in range(6):
        sim.round()
    alice.crash()
    offered = [len(blob) for blob in sim.server.blobs.values()]
    assert offered[0] > len(held)
    flow(sim)
    assert len(sim.server.blobs) == 1
    bob.engine.open_conversation(alice.name)
    save(sim, folder)
    assert (folder / "report.pdf").read_bytes() == LONG


def test_a_server_that_lost_what_came_gets_it_again(sim: Sim, source: Path, folder: Path) -> None:
    """It says how much it holds; one that never keeps anything is given up with words."""
    alice, bob = people(sim)
    source.write_bytes(LONG)
    alice.engine.send_file(bob.name, source)
    work(sim)
    for _ in range(3):
        sim.round()
    sim.server.blobs.clear()
    flow(sim)
    bob.engine.open_conversation(alice.name)
    save(sim, folder)
    assert (folder / "report.pdf").read_bytes() == LONG


def test_a_download_goes_on_after_a_lost_connection_and_a_crash(
    sim: Sim, source: Path, folder: Path
) -> None:
    """From where our own disk ends; no chunk is fetched twice."""
    alice, bob = people(sim)
    source.write_bytes(LONG)
    offer(sim, source)
    bob.engine.save_file(alice.name, last(bob, alice).number, folder)
    bob.settle()
    asked: list[int] = []

    def rounds(count: int) -> None:
        for _ in range(count):
            asked.extend(m.offset for m, _ in bob.up if isinstance(m, BlobGet))
            sim.round()

    rounds(2)
    bob.drop()
    bob.connect()
    rounds(4)
    bob.crash()
    assert names(folder) == []
    for client in sim.clients.values():
        if not client.connected:
            client.connect()
    rounds(12)
    flow(sim)
    assert (folder / "report.pdf").read_bytes() == LONG
    assert len(asked) <= 2 * len(set(asked))


def test_a_file_that_is_gone_from_the_server_is_said(sim: Sim, source: Path, folder: Path) -> None:
    """Its time is over there: the message says so and stays."""
    _, bob = people(sim)
    offer(sim, source)
    sim.server.blobs.clear()
    file = save(sim, folder)
    assert file.state is FileState.OFFERED
    assert "no longer on the server" in file.problem
    assert any("no longer on the server" in one for one in problems(bob))


@pytest.mark.parametrize("saved", [False, True])
def test_a_file_is_forwarded_by_what_the_server_has(
    sim: Sim, source: Path, folder: Path, *, saved: bool
) -> None:
    """Name, caption and bytes arrive, though nothing was fetched, and nothing goes up again."""
    alice, bob = people(sim)
    offer(sim, source, "the report")
    if saved:
        save(sim, folder)
    bob.engine.forward(alice.name, last(bob, alice).number, alice.name)
    bob.settle()
    put = [message for message, _ in bob.up if isinstance(message, BlobPut)]
    flow(sim)
    assert [one.offset for one in put] == [0], "it only asks"
    assert last(bob, alice).state is MessageState.DELIVERED
    theirs = last(alice, bob)
    assert (theirs.text, theirs.ours) == ("the report", False)
    target = folder / "alice's"
    target.mkdir()
    alice.engine.save_file(bob.name, theirs.number, target)
    flow(sim)
    assert (target / "report.pdf").read_bytes() == DATA


def test_a_forwarded_file_that_the_server_lost_is_sealed_from_the_one_here(
    sim: Sim, source: Path, folder: Path
) -> None:
    """A saved one goes up anew; without one the message waits and says why."""
    alice, bob = people(sim)
    offer(sim, source)
    number = last(bob, alice).number
    sim.server.blobs.clear()
    bob.engine.forward(alice.name, number, alice.name)
    flow(sim)
    assert last(bob, alice).state is MessageState.HELD
    assert "not on this device" in last(bob, alice).problem
    bob.engine.remove(alice.name, last(bob, alice).number)
    offer(sim, source)
    save(sim, folder)
    number = last(bob, alice).number
    sim.server.blobs.clear()
    bob.engine.forward(alice.name, number, alice.name)
    flow(sim)
    assert last(bob, alice).state is MessageState.DELIVERED
    assert last(alice, bob).file is not None
    target = folder / "alice's"
    target.mkdir()
    alice.engine.save_file(bob.name, last(alice, bob).number, target)
    flow(sim)
    assert (target / "report.pdf").read_bytes() == DATA


def test_texts_and_files_that_have_not_left_are_forwarded_too(sim: Sim, source: Path) -> None:
    """A text as a text; a file that waits to be sealed, from where it lies."""
    alice, bob = people(sim)
    alice.write(bob, "worth telling")
    alice.engine.forward(bob.name, last(alice, bob).number, bob.name)
    alice.engine.send_file(bob.name, source, caption="soon")
    alice.engine.forward(bob.name, last(alice, bob).number, bob.name)
    flow(sim)
    lines = [(line.text, line.file is not None) for line in bob.lines(alice)]
    assert lines == [("worth telling", False)] * 2 + [("soon", True)] * 2
    with pytest.raises(NoSuchMessage):
        alice.engine.forward(bob.name, 999, bob.name)


def test_a_server_without_files_is_said_and_asked_again_later(
    sim: Sim, source: Path, folder: Path
) -> None:
    """The message is held with the reason; on a server that takes files it goes out."""
    alice, bob = people(sim)
    alice.drop()
    alice.features = ()
    alice.engine.send_file(bob.name, source)
    flow(sim)
    assert (last(alice, bob).state, last(alice, bob).problem) == (
        MessageState.HELD, "This server takes no files.",
    )  # fmt: skip
    alice.write(bob, "texts still go")
    flow(sim)
    assert last(bob, alice).text == "texts still go"
    alice.drop()
    alice.features = ("blobs",)
    flow(sim)
    assert alice.lines(bob)[0].state is not MessageState.HELD
    assert file_of(bob, alice).name == "report.pdf"


@pytest.mark.parametrize("code", [Code.BLOB_QUOTA, Code.BLOB_TOO_LARGE, Code.STORAGE_UNAVAILABLE])
def test_a_refused_upload_is_held_with_the_reason(sim: Sim, source: Path, code: Code) -> None:
    """Nothing is dropped in silence; the person's word tries again."""
    alice, bob = people(sim)
    sim.server.refusing = code
    alice.engine.send_file(bob.name, source)
    flow(sim)
    assert (last(alice, bob).state, last(alice, bob).problem) == (MessageState.HELD, "refused")
    sim.server.refusing = None
    alice.engine.retry(bob.name)
    alice.settle()
    flow(sim)
    assert file_of(bob, alice).state is FileState.OFFERED


def test_a_busy_server_is_asked_again_in_silence(sim: Sim, source: Path) -> None:
    """A limit that passes is no reason to trouble anybody."""
    alice, bob = people(sim)
    sim.server.refusing = Code.OVERLOADED
    alice.engine.send_file(bob.name, source)
    flow(sim)
    assert last(alice, bob).state is MessageState.WAITING
    assert problems(alice) == []
    sim.server.refusing = None
    alice.pass_time(2)
    alice.core.tick(*alice.clock())
    alice.settle()
    flow(sim)
    assert file_of(bob, alice).state is FileState.OFFERED


def test_a_cancelled_file_never_leaves(sim: Sim, source: Path) -> None:
    """Its message goes, and its sealed bytes; the other side never hears of it."""
    alice, bob = people(sim)
    alice.engine.send_file(bob.name, source)
    work(sim)
    assert len(sealed_files(alice)) == 1
    alice.engine.cancel_file(bob.name, last(alice, bob).number)
    flow(sim)
    assert alice.lines(bob) == bob.lines(alice) == []
    assert sealed_files(alice) == []


def test_a_cancelled_download_leaves_nothing(sim: Sim, source: Path, folder: Path) -> None:
    """The file stays offered, and can be asked for again."""
    alice, bob = people(sim)
    offer(sim, source)
    number = last(bob, alice).number
    bob.engine.save_file(alice.name, number, folder)
    bob.settle()
    sim.round()
    bob.engine.cancel_file(alice.name, number)
    flow(sim)
    assert file_of(bob, alice) == Attachment(
        "report.pdf", len(DATA), "application/pdf", FileState.OFFERED
    )
    assert (names(folder), sealed_files(bob)) == ([], [])
    assert save(sim, folder).state is FileState.SAVED


def _delete(alice: SimClient, bob: SimClient) -> None:
    alice.engine.delete(bob.name, last(alice, bob).number)


def _remove(alice: SimClient, bob: SimClient) -> None:
    alice.engine.remove(bob.name, last(alice, bob).number)


@pytest.mark.parametrize("go", [_delete, _remove])
def test_attack_64_with_its_message_go_the_bytes_of_a_file(
    sim: Sim, source: Path, go: Callable[[SimClient, SimClient], None]
) -> None:
    """A deleted file that had not left sends nothing, not even that it was deleted."""
    alice, bob = people(sim)
    alice.engine.send_file(bob.name, source)
    work(sim)
    go(alice, bob)
    alice.settle()
    assert not any(isinstance(message, Pm) for message, _ in alice.up)
    flow(sim)
    assert sealed_files(alice) == []
    assert bob.lines(alice) == []
    with alice.engine._vault.read() as db:
        assert db.execute("SELECT count(*) FROM files").get == 0


def test_a_deletion_takes_a_download_along(sim: Sim, source: Path, folder: Path) -> None:
    """Their author takes it back while it comes: nothing is saved, nothing of it stays."""
    alice, bob = people(sim)
    offer(sim, source)
    bob.engine.save_file(alice.name, last(bob, alice).number, folder)
    bob.settle()
    sim.round()
    alice.engine.delete(bob.name, last(alice, bob).number)
    alice.settle()
    bob.pass_time(1)
    flow(sim)
    assert last(bob, alice).deleted
    assert last(bob, alice).file is None
    assert (names(folder), sealed_files(bob)) == ([], [])


def test_a_file_answers_is_answered_edited_and_reacted_to(sim: Sim, source: Path) -> None:
    """To all the rules it is a text with a caption."""
    alice, bob = people(sim)
    bob.write(alice, "the report?")
    flow(sim)
    alice.engine.send_file(bob.name, source, reply_to=last(alice, bob).number)
    alice.engine.edit(bob.name, last(alice, bob).number, "here it is")
    alice.settle()
    flow(sim)
    theirs = last(bob, alice)
    assert theirs.quoted is not None
    assert (theirs.quoted.text, theirs.text) == ("the report?", "here it is")
    assert theirs.edited
    bob.engine.react(alice.name, theirs.number, "👍")
    bob.engine.send_text(alice.name, "thanks", reply_to=theirs.number)
    bob.settle()
    flow(sim)
    assert [one.emoji for one in alice.lines(bob)[-2].reactions] == ["👍"]
    quoted = last(alice, bob).quoted
    assert quoted is not None
    assert (quoted.text, quoted.file_name) == ("here it is", "report.pdf")


def test_a_file_disappears_with_its_message(sim: Sim, source: Path) -> None:
    """The conversation's timer holds for files as for texts."""
    alice, bob = people(sim)
    alice.engine.set_timer(bob.name, 60)
    alice.settle()
    offer(sim, source)
    assert last(bob, alice).timer == 60
    bob.pass_time(90)
    bob.core.tick(*bob.clock())
    bob.settle()
    assert not any(line.file for line in bob.lines(alice))


def test_what_cannot_be_sent_or_saved_is_said(
    sim: Sim, source: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake has its own words, and changes nothing."""
    alice, bob = people(sim)
    for wrong in (tmp_path, tmp_path / "nothing", Path("x\0y")):
        with pytest.raises(FileUnusable):
            alice.engine.send_file(bob.name, wrong)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FileUnusable):
            alice.engine.send_file(bob.name, tmp_path / "pipe")
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(limits.FILE + 1)
    with pytest.raises(FileTooLong):
        alice.engine.send_file(bob.name, huge)
    assert alice.lines(bob) == []
    offer(sim, source)
    alice.write(bob, "no file")
    flow(sim)
    with pytest.raises(NoFile):
        bob.engine.save_file(alice.name, last(bob, alice).number, folder)
    with pytest.raises(NoSuchMessage):
        bob.engine.save_file(alice.name, 999, folder)
    with pytest.raises(FileIsOurs):
        alice.engine.save_file(bob.name, alice.lines(bob)[-2].number, folder)
    number = bob.lines(alice)[-2].number
    with pytest.raises(CannotWrite):
        bob.engine.save_file(alice.name, number, folder / "nowhere")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with pytest.raises(NoRoom):
        bob.engine.save_file(alice.name, number, folder)


def test_a_file_that_changed_before_it_was_sealed_is_held(sim: Sim, source: Path) -> None:
    """Or went away: the message says so; put back, it goes out at the person's word."""
    alice, bob = people(sim)
    alice.engine.send_file(bob.name, source)
    source.write_bytes(b"another")
    flow(sim)
    assert last(alice, bob).state is MessageState.HELD
    assert "changed" in last(alice, bob).problem
    source.unlink()
    alice.engine.retry(bob.name)
    flow(sim)
    assert "cannot be sent" in last(alice, bob).problem
    source.write_bytes(DATA)
    alice.engine.retry(bob.name)
    flow(sim)
    assert file_of(bob, alice).state is FileState.OFFERED


def test_a_crash_leaves_no_sealed_bytes_behind(sim: Sim, source: Path) -> None:
    """What no message needs is cleared away at the next start."""
    alice, bob = people(sim)
    offer(sim, source)
    for stray in ("ab" * 32 + ".up", "cd" * 32 + ".down", "ef.new"):
        (alice.folder / "files" / stray).write_bytes(b"left behind")
    alice.crash()
    alice.engine._workshop.work()
    assert sealed_files(alice) == []
    assert file_of(alice, bob).state is FileState.SENT


def test_a_damaged_file_stops_nothing_else(sim: Sim, source: Path) -> None:
    """Its sealed bytes were cut off: it is sealed anew, and the connection and texts go on."""
    alice, bob = people(sim)
    alice.engine.send_file(bob.name, source)
    work(sim)
    [sealed] = (alice.folder / "files").iterdir()
    os.truncate(sealed, 70_000)
    alice.write(bob, "as ever")
    flow(sim)
    assert [line.text for line in bob.lines(alice)] == ["as ever", ""]
    assert file_of(bob, alice).state is FileState.OFFERED


def test_a_file_that_is_damaged_again_says_so(
    sim: Sim, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that cannot be read holds this file, in words; what is written meanwhile arrives."""
    alice, bob = people(sim)
    monkeypatch.setattr(Upload, "read", _unreadable)
    alice.engine.send_file(bob.name, source)
    flow(sim)
    alice.write(bob, "as ever")
    flow(sim)
    assert [line.text for line in bob.lines(alice)] == ["as ever"]
    held = alice.lines(bob)[0]
    assert held.state is MessageState.HELD
    assert "cannot be read or written: Input/output error" in held.problem
    assert sum("Input/output error" in said for said in problems(alice)) == 1
    monkeypatch.undo()
    alice.engine.retry(bob.name)
    flow(sim)
    assert file_of(bob, alice).state is FileState.OFFERED


def test_a_download_that_cannot_begin_stops_nothing_else(
    sim: Sim, source: Path, folder: Path
) -> None:
    """The profile takes no such file: it is offered again, in words, and the next one comes."""
    alice, bob = people(sim)
    offer(sim, source)
    number = last(bob, alice).number
    bob.drop()
    bob.engine.save_file(alice.name, number, folder)
    with bob.engine._vault.read() as db:
        [item] = attached.moving(db, FileState.DOWNLOADING)
    path = attached.sealed_path(bob.folder, item)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(path)  # which nobody can open
    bob.settle()
    alice.write(bob, "as ever")
    flow(sim)
    assert last(bob, alice).text == "as ever"
    file = bob.lines(alice)[0].file
    assert file is not None
    assert file.state is FileState.OFFERED
    assert "cannot be read or written" in file.problem
    bob.engine.save_file(alice.name, number, folder)
    flow(sim)
    assert (folder / "report.pdf").read_bytes() == DATA


@pytest.mark.parametrize("pieces", range(4))
def test_saving_ends_with_the_piece_when_nobody_waits(
    pieces: int, source: Path, tmp_path: Path, folder: Path
) -> None:
    """While it is checked or written: who signs out does not wait for a large file."""
    key, sealed = FileKey(os.urandom(32)), tmp_path / "sealed"
    made = seal_file(source, len(DATA), key, sealed, lambda: True)
    assert made is not None
    file = File("x.bin", len(DATA), "a/b", key, made.sha256)
    answers = iter([*[True] * pieces, False])
    assert saving.save(sealed, file, folder, "tag", answers.__next__) is None
    assert names(folder) == []


def _unreadable(up: Upload, folder: Path) -> bytes:
    raise ProfileUnwritable(folder=folder, reason="Input/output error")
