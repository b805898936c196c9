"""Somebody comes back with other keys, honestly: what is said, what waits, what a yes does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.events import KeyChanged, MessageState, Trust
from secure_chat.client.vault import keys
from secure_chat.crypto.peer import PeerSessions
from secure_chat.protocol.messages import ClientMessage, ManifestGet, Pm, Presence
from tests.client.sim import Item, Sim, SimClient, new_vault, template


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    yield sim
    sim.close()


def _talk(sim: Sim) -> tuple[SimClient, SimClient]:
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    sim.run()
    alice.write(bob, "a0")
    bob.write(alice, "b0")
    sim.run()
    return alice, bob


def _reinstall(sim: Sim, folder: Path) -> SimClient:
    """Bob lost everything, and the operator let him register his name again."""
    sim.clients["bob"].engine.stop()
    del sim.server.accounts["bob"]
    new_vault(folder, "bob")
    sim.clients["bob"] = SimClient(folder, "bob")
    return sim.clients["bob"]


def _texts(client: SimClient, other: SimClient) -> list[str]:
    return [line.text for line in client.lines(other) if not line.is_notice]


@pytest.mark.parametrize("verified", [False, True])
def test_what_was_held_goes_to_the_key_that_was_accepted(
    sim: Sim, tmp_path: Path, verified: bool
) -> None:
    """The new one is read, with a warning before it; nothing goes back until the person's yes."""
    alice, bob = _talk(sim)
    number = alice.safety(bob).safety_number
    if verified:
        alice.engine.mark_verified(bob.name, "".join(number))
    bob = _reinstall(sim, tmp_path / "new")
    bob.connect()
    sim.run()
    bob.write(alice, "it is me, with a new phone")
    sim.run()
    alice.settle()
    assert KeyChanged(bob.name, was_verified=verified) in alice.take_events()
    lines = alice.lines(bob)
    assert [line.is_notice for line in lines[-2:]] == [True, False]
    assert lines[-1].text == "it is me, with a new phone"
    alice.write(bob, "really?")
    alice.engine.open_conversation(bob.name)
    sim.run()
    assert alice.lines(bob)[-1].state is MessageState.HELD
    assert _texts(bob, alice) == ["it is me, with a new phone"]
    assert bob.lines(alice)[0].state is MessageState.ACCEPTED, "no receipt before the yes"
    changed = alice.safety(bob)
    assert changed.trust is Trust.CHANGED
    assert changed.safety_number != number
    if verified:
        alice.engine.mark_verified(bob.name, "".join(changed.safety_number))
    else:
        alice.engine.accept_changed_key(bob.name)
    alice.settle()
    sim.run()
    assert _texts(bob, alice) == ["it is me, with a new phone", "really?"]
    assert alice.safety(bob).trust is (Trust.VERIFIED if verified else Trust.NEW)
    assert alice.lines(bob)[-1].state is MessageState.DELIVERED
    bob.write(alice, "good")
    sim.run()
    assert _texts(alice, bob)[-2:] == ["really?", "good"]


def test_what_was_encrypted_for_the_old_key_is_not_sent_to_the_new(
    sim: Sim, tmp_path: Path
) -> None:
    """A ciphertext that was on its way is given up with the yes, and made anew."""
    alice, bob = _talk(sim)
    alice.write(bob, "on its way")
    pms = [(m.id, body) for m, body in alice.up if isinstance(m, Pm)]
    assert len(pms) == 1
    alice.drop()
    bob = _reinstall(sim, tmp_path / "new")
    bob.connect()
    bob.write(alice, "new phone")
    while bob.up or bob.down:
        sim.serve(bob)
        bob.receive(len(bob.down))
    sim.run()
    assert alice.lines(bob)[-3].state is MessageState.HELD
    alice.engine.accept_changed_key(bob.name)
    alice.settle()
    sent = [(m.id, body) for m, body in alice.up if isinstance(m, Pm)]
    sim.run()
    assert _texts(bob, alice) == ["new phone", "on its way"]
    assert not {body for _, body in pms} & {body for _, body in sent}


def test_attack_26_no_session_begins_with_a_key_that_nobody_accepted(
    sim: Sim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is the known one and the prekeys are another's: said, held, nothing begun."""
    alice, bob = _talk(sim)
    known, handle = sim.server.accounts["bob"], sim.server.handle
    bob = _reinstall(sim, tmp_path / "new")
    bob.connect()
    sim.run()

    def lying(name: str, message: ClientMessage, body: bytes) -> list[tuple[str, Item]]:
        if name != "alice" or not isinstance(message, ManifestGet):
            return handle(name, message, body)
        present, sim.server.accounts["bob"] = sim.server.accounts["bob"], known
        try:
            return handle(name, message, body)
        finally:
            sim.server.accounts["bob"] = present

    monkeypatch.setattr(sim.server, "handle", lying)
    with alice.engine._vault.write() as db:
        for name in keys.session_names(db, None):
            keys.drop_session(db, name)
    alice.core._context.forget_sessions()
    alice.write(bob, "who answers?")
    sim.run()
    assert alice.safety(bob).trust is Trust.CHANGED
    assert [line.state for line in alice.lines(bob) if line.ours][-1] is MessageState.HELD
    with alice.engine._vault.read() as db:
        assert keys.session_names(db, None) == []


@pytest.mark.parametrize("away", [False, True])
def test_a_name_that_went_to_somebody_else_gets_nothing_unsaid(
    sim: Sim, tmp_path: Path, *, away: bool
) -> None:
    """The first message after it shows the changed key, although the new one never wrote.

    Whether we were away, or saw them come: nothing is sealed for the one before, and all of it
    goes to the new one after the person's yes.
    """
    alice, bob = _talk(sim)
    if away:
        alice.drop()
    bob = _reinstall(sim, tmp_path / "new")
    bob.connect()
    sim.run()
    if not away:
        alice.core.received([(Presence([bob.name], []), b"")], *alice.clock())
    alice.take_events()
    alice.write(bob, "is it you?")
    sim.run()
    assert KeyChanged(bob.name, was_verified=False) in alice.take_events()
    written = next(line for line in alice.lines(bob) if line.text == "is it you?")
    assert written.state is MessageState.HELD
    assert not _texts(bob, alice)
    alice.engine.accept_changed_key(bob.name)
    alice.settle()
    sim.run()
    assert _texts(bob, alice) == ["is it you?"]


def test_one_way_talk_is_answered_with_a_silent_turn(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a session asks for a turn, an acquaintance gets one, and nobody sees it."""
    alice, bob = _talk(sim)
    lines = alice.lines(bob), bob.lines(alice)
    asked: list[PeerSessions] = []

    def wants_turn(sessions: PeerSessions, now_ms: int) -> bool:
        asked.append(sessions)
        return len(asked) == 1

    monkeypatch.setattr(PeerSessions, "wants_turn", wants_turn)
    bob.engine.mark_read(alice.name, lines[1][-1].number)
    bob.settle()
    before = sim.server.accounts["bob"].sequence
    sim.run()
    assert sim.server.accounts["bob"].sequence == before + 1
    assert [line.text for line in bob.lines(alice)] == [line.text for line in lines[1]]
    assert [line.text for line in alice.lines(bob)] == [line.text for line in lines[0]]
