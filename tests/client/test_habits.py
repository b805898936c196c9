"""What a person decides about others, with real engines and a real server."""

import time
from collections.abc import Callable

import pytest

from secure_chat.client.events import (
    Audience,
    Conversation,
    ConversationChanged,
    Draft,
    MessageAdded,
    MessageChanged,
    MessageState,
    PeopleChanged,
    Privacy,
    TypingChanged,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.adding import Adding
from secure_chat.client.vault.habits import FOREVER
from secure_chat.errors import BadName, NoSuchMessage, PersonBlocked
from tests.client.world import Client, World

ASKING = Privacy(Audience.CONTACTS, Audience.CONTACTS)


def line(one: Client, other: Client) -> Conversation:
    return next(c for c in one.engine.conversations() if c.user_id == other.name)


def requested(one: Client, other: Client) -> bool:
    return any(c.request for c in one.engine.conversations() if c.user_id == other.name)


def settle(one: Client, other: Client) -> None:
    """Everything that ``one`` sent before has been handled by ``other``."""
    marker = f"marker {time.monotonic_ns()}"
    content_id = one.engine.send_text(other.name, marker)
    other.wait(lambda: content_id in seen_ids(other))


def seen_ids(one: Client) -> set[bytes]:
    with one.engine._vault.read() as db:
        return {row[0] for row in db.execute("SELECT content_id FROM messages")}


@pytest.fixture
def two(world: World) -> tuple[Client, Client]:
    """Alice writes to Bob, who has never heard of her and asks to be asked."""
    alice, bob = world.person("alice"), world.person("bob")
    bob.engine.set_privacy(ASKING)
    return alice, bob


def test_a_stranger_is_a_name_until_accepted(two: tuple[Client, Client]) -> None:
    """Neither list, history nor event shows text, display name or link; nor does the sender learn
    that anybody looked."""
    alice, bob = two
    alice.engine.set_profile("Bank support")
    link = "https://evil.example"
    alice.send(bob, link, "open it")
    bob.wait(lambda: requested(bob, alice))
    settle(alice, bob)
    bob.engine.open_conversation(alice.name)
    bob.engine.mark_read(alice.name, 2**40)
    assert bob.engine.history(alice.name) == []
    with pytest.raises(NoSuchMessage):
        bob.engine.versions(alice.name, 1)
    shown = line(bob, alice)
    assert (shown.last, shown.unread, shown.display_name) == (None, 0, "")
    told = bob.of(MessageAdded) + bob.of(MessageChanged) + bob.of(TypingChanged)
    assert not told
    names = [p.display_name for e in bob.of(PeopleChanged) for p in e.people]
    assert set(names) <= {""}
    assert not any("evil" in str(event) or "Bank" in str(event) for event in bob.events)
    alice.all_are(bob, MessageState.ACCEPTED)


def test_accepting_shows_everything_and_confirms_it(two: tuple[Client, Client]) -> None:
    """In order, by events too, so that a face which is open need not ask again."""
    alice, bob = two
    alice.engine.set_profile("Alice A.")
    alice.send(bob, "one", "two")
    bob.wait(lambda: requested(bob, alice))
    settle(alice, bob)
    bob.engine.accept_request(alice.name)
    bob.wait(lambda: [m.message.text for m in bob.of(MessageAdded)][:2] == ["one", "two"])
    assert bob.texts(alice)[:2] == ["one", "two"]
    bob.wait(lambda: line(bob, alice).display_name == "Alice A.")
    assert not requested(bob, alice)
    alice.all_are(bob, MessageState.DELIVERED)
    alice.send(bob, "three")
    bob.has(alice, "one", "two", "three")


def test_answering_accepts(two: tuple[Client, Client]) -> None:
    """Whoever writes to somebody wants to read them."""
    alice, bob = two
    alice.send(bob, "hello?")
    bob.wait(lambda: requested(bob, alice))
    bob.send(alice, "who are you?")
    bob.has(alice, "hello?", "who are you?")
    alice.has(bob, "who are you?")


def test_a_refused_request_leaves_nothing_and_may_come_again(two: tuple[Client, Client]) -> None:
    """No row of it stays in the vault; what comes later is a request with its own text alone."""
    alice, bob = two
    alice.send(bob, "buy this")
    bob.wait(lambda: requested(bob, alice))
    bob.engine.delete_conversation(alice.name)
    assert not requested(bob, alice)
    with bob.engine._vault.read() as db:
        assert not db.execute("SELECT 1 FROM messages").fetchall()
    alice.send(bob, "and that")
    bob.wait(lambda: requested(bob, alice))
    bob.engine.accept_request(alice.name)
    bob.has(alice, "and that")
    assert "buy this" not in bob.texts(alice)


def test_a_request_that_is_blocked_is_gone_with_its_text(two: tuple[Client, Client]) -> None:
    """No row of it stays in the vault, only that the person is blocked."""
    alice, bob = two
    alice.send(bob, "spam")
    bob.wait(lambda: requested(bob, alice))
    bob.engine.block(alice.name)
    with bob.engine._vault.read() as db:
        assert not db.execute("SELECT 1 FROM messages").fetchall()
    shown = line(bob, alice)
    assert shown.blocked
    assert not shown.request


def test_a_blocked_person_is_dropped_in_silence_and_sessions_stay_whole(world: World) -> None:
    """The sender sees `accepted` and no more; unblocked, both go on without a lost message."""
    alice, bob, carol = (world.person(name) for name in ("alice", "bob", "carol"))
    for one, other in ((alice, bob), (bob, alice), (carol, bob)):
        one.send(other, "hi")
        other.has(one, "hi")
    alice.all_are(bob, MessageState.DELIVERED, MessageState.READ)
    bob.engine.block(alice.name)
    before = len(bob.events)
    alice.send(bob, "do you hear me?", "hello?")
    alice.wait(lambda: alice.states(bob)[-2:] == [MessageState.ACCEPTED] * 2)
    alice.engine.set_typing(bob.name, active=True)
    carol.send(bob, "later")  # the server delivers in order: Alice's two have been handled
    bob.has(carol, "later")
    assert "do you hear me?" not in bob.texts(alice)
    with bob.engine._vault.read() as db:
        assert not db.execute("SELECT 1 FROM messages WHERE text LIKE '%hear me%'").fetchall()
    assert bob.texts(alice)  # what was said before stays
    told = [e for e in bob.events[before:] if isinstance(e, MessageAdded | TypingChanged)]
    of = {e.user_id if isinstance(e, TypingChanged) else e.message.user_id for e in told}
    assert of == {carol.name}
    assert alice.states(bob)[-2:] == [MessageState.ACCEPTED] * 2
    with pytest.raises(PersonBlocked, match="Unblock"):
        bob.send(alice, "no")
    bob.engine.unblock(alice.name)
    alice.send(bob, "friends again?")
    bob.has(alice, "friends again?")
    bob.send(alice, "yes")
    alice.has(bob, "yes")
    assert not bob.notices(alice)
    assert not bob.problems()


def test_what_waits_for_a_blocked_person_is_held_and_goes_out_later(world: World) -> None:
    """Nothing is sent behind the block's back, nothing is lost, and the order stays."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hi")
    bob.has(alice, "hi")
    world.server.stop()
    alice.send(bob, "written before")
    alice.engine.block(bob.name)
    world.server.start()
    alice.engine.reconnect()
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.HELD)
    assert "blocked bob" in alice.lines(bob)[-1].problem
    alice.engine.unblock(bob.name)
    bob.engine.reconnect()
    bob.has(alice, "hi", "written before")


def test_attack_34_blocked_and_unaccepted_people_get_no_receipt_for_anything(
    two: tuple[Client, Client],
) -> None:
    """Edits, reactions, deletions and typing are answered as little as texts."""
    alice, bob = two
    alice.send(bob, "probe")
    bob.wait(lambda: requested(bob, alice))
    number = alice.lines(bob)[-1].number
    alice.engine.edit(bob.name, number, "probe 2")
    alice.engine.react(bob.name, number, "👍")
    alice.engine.delete(bob.name, number)
    settle(alice, bob)
    bob.engine.block(alice.name)
    carol_marker = alice.send(bob, "again")[0]
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.ACCEPTED)
    with bob.engine._vault.read() as db:
        assert not db.execute("SELECT 1 FROM outgoing").fetchall()
    assert carol_marker not in seen_ids(bob)
    assert MessageState.DELIVERED not in alice.states(bob)


def test_pinned_muted_archived_and_named_survive_a_restart(world: World) -> None:
    """Invisible names are refused, all can be undone, and the other side hears of none of it."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hi")
    bob.has(alice, "hi")
    bob.engine.pin(alice.name, pinned=True)
    bob.engine.mute(alice.name, None)
    bob.engine.archive(alice.name, archived=True)
    bob.engine.set_contact_name(alice.name, "  Alice from work ")
    bob = world.again(bob)
    shown = line(bob, alice)
    assert (shown.muted_until, shown.archived, shown.name) == (FOREVER, True, "Alice from work")
    assert shown.pinned > 0
    with pytest.raises(BadName):
        bob.engine.set_contact_name(alice.name, "\u202e\u200e")
    bob.engine.set_contact_name(alice.name, "")
    bob.engine.pin(alice.name, pinned=False)
    bob.engine.mute(alice.name, 0)
    shown = line(bob, alice)
    assert (shown.name, shown.pinned, shown.muted_until) == ("", 0, 0)
    assert all("work" not in str(event) for event in alice.events)


def test_a_new_message_brings_an_archived_conversation_back_unless_muted(world: World) -> None:
    """Our own answer brings it back in any case."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hi")
    bob.has(alice, "hi")
    bob.engine.archive(alice.name, archived=True)
    alice.send(bob, "news")
    bob.has(alice, "news")
    bob.wait(lambda: not line(bob, alice).archived)
    bob.engine.mute(alice.name, 3600)
    bob.engine.archive(alice.name, archived=True)
    alice.send(bob, "more")
    bob.has(alice, "more")
    assert line(bob, alice).archived
    bob.send(alice, "an answer of ours")
    assert not line(bob, alice).archived


def test_deleting_a_conversation_takes_what_waits_with_it(world: World) -> None:
    """Lines, versions, reactions and the outbox; the key and the trust stay."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "one", "two")
    bob.has(alice, "one", "two")
    bob.send(alice, "three")
    alice.has(bob, "three")
    alice.engine.edit(bob.name, alice.lines(bob)[0].number, "uno")
    world.server.stop()
    alice.engine.set_draft(bob.name, Draft("half a word"))
    alice.send(bob, "never to leave")
    alice.engine.delete_conversation(bob.name)
    assert alice.lines(bob) == []
    with alice.engine._vault.read() as db:
        for table in ("messages", "edits", "reactions", "drafts"):
            assert not db.execute(f"SELECT 1 FROM {table}").fetchall(), table
    assert alice.engine.safety(bob.name) is not None
    world.server.start()
    alice.engine.reconnect()
    bob.engine.reconnect()
    alice.send(bob, "after")
    bob.has(alice, "after")
    assert "never to leave" not in bob.texts(alice)
    assert not bob.notices(alice)


def test_every_decision_is_told_to_the_faces(world: World) -> None:
    """Each of them is followed by an event with the conversation as it is now."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hi")
    bob.has(alice, "hi")
    decisions: list[tuple[Callable[[], None], Callable[[Conversation], bool]]] = [
        (lambda: bob.engine.pin(alice.name, pinned=True), lambda c: c.pinned > 0),
        (lambda: bob.engine.mute(alice.name, 60), lambda c: c.muted_until > 0),
        (lambda: bob.engine.archive(alice.name, archived=True), lambda c: c.archived),
        (lambda: bob.engine.set_contact_name(alice.name, "A"), lambda c: c.name == "A"),
        (lambda: bob.engine.block(alice.name), lambda c: c.blocked),
        (lambda: bob.engine.unblock(alice.name), lambda c: not c.blocked),
    ]
    for decide, holds in decisions:
        decide()
        bob.wait(lambda: any(holds(e.conversation) for e in bob.of(ConversationChanged)[-1:]))  # noqa: B023


def test_somebody_new_is_added_by_name_or_said_to_be_nobody(world: World) -> None:
    """The server answers about one name; the sentence stands where the name was typed."""
    alice = world.person("alice")
    world.person("reza")
    adding = Adding(alice.engine, Words())

    def told() -> bool:
        fresh, seen[:] = alice.events[len(seen) :], alice.events
        changed = [adding.take(event) for event in fresh]
        return any(changed)

    seen = list(alice.events)
    adding.enter("nobody-here")
    alice.wait(told)
    assert adding.mistake == "Nobody on this server has this name."
    adding.enter("reza")
    if adding.found is None:
        alice.wait(told)
    assert adding.found == "reza"


def test_an_engine_may_be_stopped_twice(world: World) -> None:
    """The window signs out after an account's deletion, which has stopped the engine already."""
    alice = world.person("alice")
    alice.engine.stop()
    alice.engine.stop()
