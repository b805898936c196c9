"""Engines talking through a real server: what people see, on and off line."""

from secure_chat.client.events import MessageState, Trust
from tests.client.world import World

SALAM = "سلام، حالت چطوره؟"


def test_two_people_talk_and_both_know_what_arrived(world: World) -> None:
    """Texts arrive intact and in order; the sender learns of delivery and reading, end to end."""
    alice, bob = world.person("Alice"), world.person("bob")
    alice.send(bob, "hello", SALAM, "third")
    bob.has(alice, "hello", SALAM, "third")
    alice.all_are(bob, MessageState.ACCEPTED)
    bob.send(alice, "an answer")
    alice.has(bob, "hello", SALAM, "third", "an answer")
    bob.engine.open_conversation(alice.name)
    alice.all_are(bob, MessageState.READ)
    bob.all_are(alice, MessageState.DELIVERED)
    assert not alice.problems()
    assert not bob.problems()
    safety = alice.engine.safety(bob.name)
    theirs = bob.engine.safety(alice.name)
    assert safety is not None
    assert theirs is not None
    assert safety.safety_number == theirs.safety_number
    assert safety.their_fingerprint == bob.engine.our_fingerprint
    assert safety.trust is Trust.NEW
