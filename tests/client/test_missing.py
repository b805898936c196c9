"""What a server drops, delays and permutes: the order is the sender's, and every gap shows."""

import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.client import content
from secure_chat.client.content import ContentId, Place
from secure_chat.client.engine.missing import MISSING
from secure_chat.client.events import Message, MessageRemoved, MessageState
from secure_chat.client.vault import history, sequence
from secure_chat.client.vault.schema import migrate
from secure_chat.client.vault.sequence import Stream
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.messages import Delivery, ServerMessage
from secure_chat.protocol.wiretypes import AccountKey
from tests.client.meddler import Said
from tests.client.sim import Sim, SimClient, template
from tests.client.world import World

ALI = UserId("ali")
STREAM = Stream(ALI, AccountKey(b"A" * 32), b"stream 1")
GAP = MISSING.format(user_id="alice")


def _shown(lines: list[Message]) -> list[str]:
    """What stands in a conversation, from top to bottom: texts, and gap lines with their number."""
    return [line.problem if line.is_notice else line.text for line in lines]


def _expected(sent: list[str], lost: set[str], gap: str) -> list[str]:
    """The texts in order, with one line in place of each run of lost ones."""
    lines: list[str] = []
    run = 0
    for text in [*sent, ""]:
        if text in lost:
            run += 1
            continue
        if run:
            lines.append(gap if run == 1 else f"{gap} ({run}×)")
        run = 0
        lines.append(text)
    return lines[:-1]


def test_attack_31_what_is_permuted_stands_in_order_and_what_is_dropped_shows(world: World) -> None:
    """Of 100 messages 90 come in any order: the order is right, ten are missing where they were.

    What the server held back and sends at last takes its place, and the gap's line goes.
    """
    alice, bob = world.person("alice"), world.person("bob")
    bob.stop()
    sent = [f"message {number}" for number in range(100)]
    alice.send(bob, *sent)
    alice.all_are(bob, MessageState.ACCEPTED)
    alice.stop()
    chance = random.Random(31)
    held: list[Said] = []
    dropped: list[Said] = []

    def answer(message: ServerMessage, body: bytes) -> list[Said]:
        if not isinstance(message, Delivery) or len(held) == len(sent):
            return [(message, body)]
        held.append((message, body))
        if len(held) < len(sent):
            return []
        places = set(chance.sample(range(99), 10))  # nothing comes after the last one
        dropped.extend(held[place] for place in sorted(places))
        passed = [said for place, said in enumerate(held) if place not in places]
        chance.shuffle(passed)
        return passed

    world.server.meddler.answer = answer
    bob = world.again(bob)
    bob.wait(lambda: len(bob.texts(alice)) == 90)
    lost = {sent[held.index(one)] for one in dropped}
    assert _shown(bob.engine.history(alice.name, limit=300)) == _expected(sent, lost, GAP)
    bob = world.again(bob)
    assert _shown(bob.engine.history(alice.name, limit=300)) == _expected(sent, lost, GAP)
    for message, body in reversed(dropped):
        world.server.push(message, body)
    bob.wait(lambda: len(bob.texts(alice)) == 100)
    assert _shown(bob.engine.history(alice.name, limit=300)) == sent
    bob.wait(lambda: bool(bob.of(MessageRemoved)))


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    sim.run()
    yield sim
    sim.close()


def _acquainted(sim: Sim) -> tuple[SimClient, SimClient]:
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    alice.write(bob, "a0")
    sim.run()
    bob.write(alice, "b0")
    sim.run()
    return alice, bob


def _lose_next(sim: Sim, sender: SimClient, to: SimClient) -> None:
    """The server says that it has the message, and delivers it never."""
    for _ in range(20):
        sim.serve(sender)
        if any(isinstance(message, Delivery) for message, _ in to.down):
            break
        sender.receive(len(sender.down))
    to.down.clear()
    sim.server.accounts[str(to.name)].mailbox.clear()
    sender.receive(len(sender.down))


def test_a_receipt_that_follows_shows_that_a_text_was_dropped(sim: Sim) -> None:
    """The gap shows as soon as anything later comes, not only with the next text."""
    alice, bob = _acquainted(sim)
    alice.write(bob, "dropped")
    _lose_next(sim, alice, bob)
    assert GAP not in _shown(bob.lines(alice))
    bob.write(alice, "a question")
    sim.run()
    assert _shown(bob.lines(alice)) == ["a0", "b0", "a question", GAP]


def test_a_text_deleted_before_it_left_leaves_no_gap(sim: Sim) -> None:
    """Encrypted and then deleted while off line: its number goes out empty."""
    alice, bob = _acquainted(sim)
    alice.write(bob, "never mind")
    alice.drop()
    number = alice.lines(bob)[-1].number
    alice.engine.delete(bob.name, number)
    alice.settle()
    alice.write(bob, "something else")
    sim.run()
    assert _shown(bob.lines(alice)) == ["a0", "b0", "something else"]


def test_what_is_sent_again_fills_its_gap(sim: Sim) -> None:
    """A message that was spoiled comes again under its number: no gap stays behind."""
    alice, bob = _acquainted(sim)
    alice.write(bob, "spoiled")
    sim.serve(alice)
    [(delivery, body)] = bob.down
    bob.down.clear()
    bob.down.append((delivery, body[:-1] + bytes([body[-1] ^ 1])))
    sim.run()
    texts = [line.text for line in bob.lines(alice) if not line.is_notice]
    assert texts == ["a0", "b0", "spoiled"]
    assert GAP not in _shown(bob.lines(alice))


def _tables() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    migrate(db)
    return db


def _arrive(db: apsw.Connection, number: int, stream: Stream = STREAM) -> None:
    """A text with this number arrives, as the engine takes it in."""
    at = Place(stream.stream, number, own=True)
    arrival = sequence.arrived(db, stream, at, from_the_start=True)
    if arrival.changed:
        sequence.draw(db, stream, "gap", ContentId(number.to_bytes(8, "big") + bytes(8)), 0)
    name = ContentId(b"text" + number.to_bytes(12, "big"))
    line = Message(
        content_id=name,
        number=arrival.slot,
        user_id=ALI,
        ours=False,
        text=str(number),
        time=0,
        state=MessageState.RECEIVED,
    )
    history.add(db, line, author=content.rules.Author(bytes(stream.account_key)))


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(1, 13)), st.integers(0, 12))
def test_after_every_arrival_the_lines_are_in_order_and_the_gaps_exact(
    order: list[int], count: int
) -> None:
    """In whatever order numbers come, they show sorted, with what is missing, exactly."""
    db = _tables()
    come: set[int] = set()
    for number in order[:count]:
        _arrive(db, number)
        _arrive(db, number)  # twice is once
        come.add(number)
        sent = [str(one) for one in range(1, max(come) + 1)]
        lost = {text for text in sent if int(text) not in come}
        assert _shown(history.page(db, ALI, None, 100)) == _expected(sent, lost, "gap")
    db.close()


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans()), max_size=20))
@settings(max_examples=60, deadline=None)
def test_any_numbers_of_a_peer_cost_bounded_work(numbers: list[tuple[int, bool]]) -> None:
    """Absurd numbers are taken in, and never more than 1,000 places are kept for them."""
    db = _tables()
    for number, own in numbers:
        at = Place(STREAM.stream, number, own=own)
        sequence.arrived(db, STREAM, at, from_the_start=True)
    assert db.execute("SELECT count(*) FROM missing").get <= sequence.MISSING_MAX
    db.close()


def test_a_device_that_joined_later_begins_with_what_comes_first() -> None:
    """Numbers from before a device was there are not missing; those after are."""
    db = _tables()
    first = sequence.arrived(db, STREAM, Place(STREAM.stream, 57, own=True), from_the_start=False)
    assert first == sequence.Arrival()
    later = sequence.arrived(db, STREAM, Place(STREAM.stream, 59, own=True), from_the_start=False)
    assert later.changed
    for number in range(sequence.STREAMS_KEPT * 2):
        other = Stream(ALI, STREAM.account_key, number.to_bytes(8, "big") or b"")
        sequence.arrived(db, other, Place(other.stream, 1, own=True), from_the_start=True)
    assert db.execute("SELECT count(*) FROM heard").get == sequence.STREAMS_KEPT
    db.close()
