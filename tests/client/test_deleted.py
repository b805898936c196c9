"""What was deleted is gone from the files of a vault: its log of changes has no earlier state."""

from collections.abc import Callable
from pathlib import Path

import pytest

from secure_chat.client.vault import database
from tests.client.filing import flow, last, people
from tests.client.sim import KEY, Sim, SimClient

CANARY = "canary words"
_HEADER, _FRAME_HEADER = 32, 24  # of SQLite's write-ahead log ("WAL File Format")


def _texts_of_the_past(client: SimClient, folder: Path) -> set[str]:
    """What a thief with the key reads in every state that the vault's files still hold.

    A log that is cut after any of its frames is the log of an earlier moment.
    """
    files = {name: (client.folder / name).read_bytes() for name in ("vault.db", "vault.db-wal")}
    log = files["vault.db-wal"]
    frame = _FRAME_HEADER + int.from_bytes(log[8:12], "big")
    found = set()
    for end in [0, *range(_HEADER + frame, len(log) + 1, frame)] if log else [0]:
        folder.mkdir(exist_ok=True)
        (folder / "vault.db").write_bytes(files["vault.db"])
        (folder / "vault.db-wal").write_bytes(log[:end])
        (folder / "vault.db-shm").unlink(missing_ok=True)
        db = database._connect(folder / "vault.db", KEY)
        found |= {text for (text,) in db.execute("SELECT text FROM messages")}
        db.close()
    return found


def _take_back(alice: SimClient, bob: SimClient, sim: Sim) -> None:
    alice.engine.delete(bob.name, last(alice, bob).number)
    flow(sim)


def _remove_on_both(alice: SimClient, bob: SimClient, _: Sim) -> None:
    alice.engine.remove(bob.name, last(alice, bob).number)
    bob.engine.remove(alice.name, last(bob, alice).number)


def _delete_conversations(alice: SimClient, bob: SimClient, _: Sim) -> None:
    alice.engine.delete_conversation(bob.name)
    bob.engine.delete_conversation(alice.name)


@pytest.mark.parametrize("delete", [_take_back, _remove_on_both, _delete_conversations])
def test_attack_64_no_earlier_state_of_a_deleted_message_is_left(
    sim: Sim, tmp_path: Path, delete: Callable[[SimClient, SimClient, Sim], None]
) -> None:
    """Taken back, removed or with its conversation: neither vault's log has its words any more."""
    alice, bob = people(sim)
    alice.write(bob, CANARY)
    flow(sim)
    for client in (alice, bob):
        assert CANARY in _texts_of_the_past(client, tmp_path / "thief")
    delete(alice, bob, sim)
    for client in (alice, bob):
        assert CANARY not in _texts_of_the_past(client, tmp_path / "thief")


def test_attack_64_a_reader_only_delays_the_cut_of_the_log(sim: Sim, tmp_path: Path) -> None:
    """Somebody reads the vault at that moment: the next change cuts the log."""
    alice, bob = people(sim)
    alice.write(bob, CANARY)
    flow(sim)
    reader = database._connect(alice.folder / "vault.db", KEY)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM messages").fetchall()
    alice.engine.remove(bob.name, last(alice, bob).number)
    assert CANARY in _texts_of_the_past(alice, tmp_path / "thief")
    reader.execute("COMMIT")
    reader.close()
    alice.write(bob, "something else")
    assert CANARY not in _texts_of_the_past(alice, tmp_path / "thief")
