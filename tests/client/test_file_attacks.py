"""Files as an attacker names, changes and claims them: nothing but the true file is ever there."""

import os
from pathlib import Path

import msgspec
import pytest

from secure_chat.client.content import File
from secure_chat.client.engine import filing
from secure_chat.client.events import (
    FileState,
)
from secure_chat.client.files import saving
from secure_chat.client.files.sealing import look_at, seal_file
from secure_chat.crypto.files import FileKey
from secure_chat.errors import FileDamaged
from tests.client.filing import (
    CANARY,
    DATA,
    names,
    offer,
    people,
    save,
    sealed_files,
)
from tests.client.sim import Sim


def test_attack_62_the_server_gets_neither_name_nor_words_nor_the_size(
    sim: Sim, tmp_path: Path
) -> None:
    """All that reaches it is searched: the bytes are sealed, the name is inside the encryption."""
    source = tmp_path / "canary-name.txt"
    source.write_bytes(CANARY * 100)
    offer(sim, source, "canary caption")
    alice, bob = people(sim)
    [(name, blob)] = sim.server.blobs.items()
    held = [name, blob, *(body for account in sim.server.accounts.values()
                          for _, body in account.delivered)]  # fmt: skip
    for secret in (CANARY, b"canary-name", b"canary caption", b"text/plain"):
        assert not any(secret in one for one in held)
    assert len(blob) == 4096 + 16, "the size is a step, not the file's"
    assert not any(CANARY in path.read_bytes() for c in (alice, bob)
                   for path in c.folder.rglob("*") if path.is_file())  # fmt: skip


def test_attack_60_a_changed_blob_yields_no_file(sim: Sim, source: Path, folder: Path) -> None:
    """A flipped byte, swapped chunks, other bytes: words, an empty folder, and another try."""
    _, bob = people(sim)
    offer(sim, source)
    [(name, good)] = sim.server.blobs.items()
    step = 65_552
    for bad in (
        good[:-1] + bytes([good[-1] ^ 1]),
        good[step : 2 * step] + good[:step] + good[2 * step :],
        os.urandom(len(good)),
        good[:-step],
        good + good,
    ):
        sim.server.blobs[name] = bad
        file = save(sim, folder)
        assert file.state is FileState.OFFERED
        assert "not the one that was sent" in file.problem
        assert names(folder) == []
        assert sealed_files(bob) == []
    sim.server.blobs[name] = good
    assert save(sim, folder).problem == ""
    assert (folder / "report.pdf").read_bytes() == DATA


def test_attack_58_nothing_is_overwritten_or_followed(
    sim: Sim, source: Path, folder: Path, tmp_path: Path
) -> None:
    """Beside what is there, a file, a folder or a link into nothing, a number is put."""
    victim = tmp_path / "victim"
    (folder / "report.pdf").write_bytes(b"mine")
    (folder / "report (1).pdf").symlink_to(victim)
    (folder / "report (2).pdf").mkdir()
    offer(sim, source)
    assert save(sim, folder).path == str(folder / "report (3).pdf")
    assert save(sim, folder).path == str(folder / "report (4).pdf"), "asked again, fetched again"
    assert (folder / "report (3).pdf").read_bytes() == DATA
    assert (folder / "report.pdf").read_bytes() == b"mine"
    assert not victim.exists()
    numbered = [f"report ({number}).pdf" for number in range(1, 5)]
    assert names(folder) == [*numbered, "report.pdf"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_attack_59_what_is_saved_is_private_and_no_program(
    sim: Sim, tmp_path: Path, folder: Path
) -> None:
    """Whatever the name and the sender's mode: 0600, never executable, nothing opened."""
    source = tmp_path / "photo.jpg\u202egpj.exe"
    source.write_bytes(b"#!/bin/sh\n")
    source.chmod(0o755)
    before = os.umask(0)
    try:
        offer(sim, source)
        saved = save(sim, folder)
    finally:
        os.umask(before)
    assert saved.name == "photo.jpggpj.exe"
    path = folder / "photo.jpggpj.exe"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "name", ["../../evil", "..\\evil", "/etc/evil", "CON", "C:evil", "%2e%2e%2fevil"]
)
def test_attack_57_a_hostile_name_stays_in_the_folder(
    sim: Sim, source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever a modified program names its file: one file, in the folder, under what is shown."""
    chosen = look_at(source)
    monkeypatch.setattr(filing, "look_at", lambda _: msgspec.structs.replace(chosen, name=name))
    before = sorted(path for path in folder.parent.iterdir())
    offer(sim, source)
    saved = save(sim, folder)
    assert saved.name not in {name, "", ".", ".."} or "%" in name
    assert names(folder) == [saved.name]
    assert saved.path == str(folder / saved.name)
    assert sorted(path for path in folder.parent.iterdir()) == before


def test_attack_60_another_file_under_the_same_key_is_refused(tmp_path: Path, folder: Path) -> None:
    """The message names one file by its hash: whoever has the key cannot show others another."""
    key = FileKey(os.urandom(32))
    sealed, offered = {}, {}
    for name, data in (("one", DATA), ("two", DATA[::-1])):
        sealed[name] = tmp_path / name
        source = tmp_path / f"{name}.plain"
        source.write_bytes(data)
        made = seal_file(source, len(data), key, sealed[name], lambda: True)
        assert made is not None
        offered[name] = made.sha256
    file = File("x.bin", len(DATA), "a/b", key, offered["one"])
    with pytest.raises(FileDamaged):
        saving.save(sealed["two"], file, folder, "tag", lambda: True)
    assert names(folder) == []
    saved = saving.save(sealed["one"], file, folder, "tag", lambda: True)
    assert saved is not None
    assert saved.read_bytes() == DATA
