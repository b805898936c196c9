"""What strangers may put into a vault before they are accepted: bounded, and said in words."""

import pytest

from secure_chat.client.events import Audience, Privacy, Problem
from secure_chat.errors import RequestFull, TooManyRequests
from secure_chat.protocol import limits
from secure_chat.protocol.messages import Delivery
from secure_chat.protocol.wiretypes import DeliveryId
from tests.client.filing import people
from tests.client.sim import Sim, SimClient

ASKING = Privacy(Audience.CONTACTS, Audience.CONTACTS)


def held(client: SimClient) -> tuple[int, int]:
    """Rows and bytes that the vault keeps of conversations."""
    with client.engine._vault.read() as db:
        rows, size = db.execute(
            "SELECT count(*), coalesce(sum(length(text)), 0) FROM"
            " (SELECT text FROM messages UNION ALL SELECT text FROM edits)"
        ).get
    return rows, size


def problems(client: SimClient, kind: type) -> int:
    """How often the person was told."""
    told = client.take_events()
    return sum(isinstance(one, Problem) and isinstance(one.error, kind) for one in told)


def strangers(sim: Sim) -> tuple[SimClient, SimClient]:
    """Alice writes to Bob, who asks to be asked."""
    alice, bob = people(sim)
    bob.engine.set_privacy(ASKING)
    sim.run()
    return alice, bob


def test_a_stranger_cannot_fill_the_vault(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much comes, so many messages stay; a line says that there was more, once accepted
    the two talk as ever, and what was dropped does not seem to be missing."""
    monkeypatch.setattr(limits, "REQUEST_LINES", 20)
    alice, bob = strangers(sim)
    for number in range(limits.REQUEST_LINES + 20):
        alice.write(bob, f"buy {number}")
    sim.run()
    assert held(bob)[0] == limits.REQUEST_LINES + 1
    assert problems(bob, RequestFull) == 1
    before = held(bob)
    first = alice.lines(bob)[0].number
    alice.engine.edit(bob.name, first, "buy it all")
    alice.settle()
    sim.run()
    assert held(bob) == before
    assert problems(bob, RequestFull) == 1
    garbage = Delivery(DeliveryId(b"d" * 16), 999, sender=f"{alice.name}/1")
    bob.down.append((garbage, b"nothing that opens"))
    bob.receive(1)
    sim.run()
    assert held(bob) == before, "what cannot be read fills it no more than what can"
    assert problems(bob, RequestFull) == 2
    bob.engine.accept_request(alice.name)
    bob.settle()
    alice.write(bob, "thank you")
    sim.run()
    lines = bob.lines(alice)
    assert [line.text for line in lines[:2]] == ["buy 0", "buy 1"]
    assert "more than is kept" in lines[-2].problem
    assert lines[-1].text == "thank you"
    assert len(lines) == limits.REQUEST_LINES + 2


def test_a_request_is_bounded_in_bytes_and_what_is_taken_back_goes(
    sim: Sim, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long texts fill it as well; a deletion is obeyed all the same."""
    monkeypatch.setattr(limits, "REQUEST_BYTES", 4 * limits.KIB)
    alice, bob = strangers(sim)
    for _ in range(8):
        alice.write(bob, "x" * limits.KIB)
    sim.run()
    assert held(bob)[1] == 3 * limits.KIB
    alice.engine.delete(bob.name, alice.lines(bob)[0].number)
    alice.settle()
    sim.run()
    assert held(bob)[1] == 2 * limits.KIB
    bob.engine.delete_conversation(alice.name)
    alice.write(bob, "another request")
    sim.run()
    [line] = bob.engine.conversations()
    assert line.request


def test_one_stranger_too_many_leaves_nothing(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a key: the message is acknowledged, and the person is told, but not each time.

    Once there is room, the same stranger is a request as any other.
    """
    monkeypatch.setattr(limits, "REQUESTS", 0)
    alice, bob = strangers(sim)
    for number in range(3):
        alice.write(bob, f"buy {number}")
    sim.run()
    # What nobody could read is not shown either: it would be a request in itself.
    garbage = Delivery(DeliveryId(b"d" * 16), 99, sender="alice/1")
    bob.down.append((garbage, b"nothing that opens"))
    bob.receive(1)
    sim.run()
    assert bob.engine.conversations() == []
    with bob.engine._vault.read() as db:
        for table in ("messages", "sessions", "contacts", "key_history"):
            assert db.execute(f"SELECT count(*) FROM {table}").get == 0
    assert problems(bob, TooManyRequests) == 1
    monkeypatch.undo()
    alice.write(bob, "once more")
    sim.run()
    [line] = bob.engine.conversations()
    assert line.request
    bob.engine.accept_request(alice.name)
    bob.settle()
    sim.run()
    assert "once more" in [line.text for line in bob.lines(alice)]


def test_who_waits_already_goes_on(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is on strangers, not on what each of them says."""
    monkeypatch.setattr(limits, "REQUESTS", 1)
    alice, bob = strangers(sim)
    alice.write(bob, "buy")
    sim.run()
    alice.write(bob, "and again")
    sim.run()
    assert [one.request for one in bob.engine.conversations()] == [True]
    assert problems(bob, TooManyRequests) == 0
    assert held(bob)[0] == 2
