"""Two engines over a real server: what each kind of content does on the other side."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.client import content
from secure_chat.client.engine import chat
from secure_chat.client.engine.intents import now_ms
from secure_chat.client.events import (
    Audience,
    ChangeSent,
    Message,
    MessageRemoved,
    MessageState,
    PeopleChanged,
    Privacy,
    Reaction,
    Strangers,
    TypingChanged,
)
from secure_chat.client.vault import contacts, outbox
from secure_chat.errors import (
    BadReaction,
    BadTimer,
    NoSuchMessage,
    NotYourMessage,
    TooManyEdits,
)
from secure_chat.protocol.messages import Delivery, Pm
from tests.client.world import ADMITTING, OPEN, Client, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "world")
    yield world
    world.close()


Pair = tuple[Client, Client]


@pytest.fixture
def pair(world: World) -> Pair:
    """Two people who have answered each other."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hello")
    bob.has(alice, "hello")
    bob.send(alice, "hi")
    alice.has(bob, "hi")
    alice.all_are(bob, MessageState.DELIVERED)
    bob.all_are(alice, MessageState.DELIVERED)
    return alice, bob


def line(client: Client, other: Client, text: str) -> Message:
    return next(one for one in client.lines(other) if one.text == text)


def wait_line(client: Client, other: Client, condition: Callable[[Message], bool]) -> Message:
    client.wait(lambda: any(condition(one) for one in client.lines(other)))
    return next(one for one in client.lines(other) if condition(one))


def verified(one: Client, other: Client) -> None:
    one.engine.open_conversation(other.name)
    one.wait(lambda: one.engine.safety(other.name) is not None)
    safety = one.engine.safety(other.name)
    assert safety is not None
    one.engine.mark_verified(other.name, "".join(safety.safety_number))


def test_a_reply_shows_what_its_reader_has(pair: Pair) -> None:
    """The quote is the reader's own copy: it follows an edit and ends with a deletion."""
    alice, bob = pair
    question = line(bob, alice, "hello")
    bob.engine.send_text(alice.name, "which hello?", reply_to=question.number)
    answer = wait_line(alice, bob, lambda one: one.text == "which hello?")
    assert answer.quoted is not None
    assert (answer.quoted.ours, answer.quoted.text) == (True, "hello")
    assert answer.quoted.number == line(alice, bob, "hello").number
    alice.engine.edit(bob.name, answer.quoted.number, "hello, Bob")
    for client, other in ((alice, bob), (bob, alice)):
        shown = wait_line(
            client, other, lambda one: one.quoted is not None and one.quoted.text == "hello, Bob"
        )
        assert shown.text == "which hello?"
    alice.engine.delete(bob.name, answer.quoted.number)
    ended = wait_line(bob, alice, lambda one: one.quoted is not None and not one.quoted.number)
    assert ended.quoted is not None
    assert ended.quoted.text == ""


def test_edits_show_the_newest_and_keep_the_older(pair: Pair, world: World) -> None:
    """Both sides show the last edit, say so, and keep every version, through a restart."""
    alice, bob = pair
    number = line(alice, bob, "hello").number
    for text in ("helo", "hello!"):
        change = alice.engine.edit(bob.name, number, text)
        alice.wait(
            lambda: any(
                e.content_id == change and e.state is MessageState.ACCEPTED  # noqa: B023
                for e in alice.of(ChangeSent)
            )
        )
    shown = wait_line(bob, alice, lambda one: one.text == "hello!")
    assert shown.edited > 0
    for client, other in ((alice, bob), (world.again(bob, start=False), alice)):
        kept = client.engine.versions(other.name, line(client, other, "hello!").number)
        assert [(one.revision, one.text) for one in kept] == [
            (0, "hello"),
            (1, "helo"),
            (2, "hello!"),
        ]
    for count in range(content.EDITS - 2):
        alice.engine.edit(bob.name, number, str(count))
    with pytest.raises(TooManyEdits):
        alice.engine.edit(bob.name, number, "once too often")


def test_a_deletion_leaves_no_text_on_either_side(pair: Pair, world: World) -> None:
    """Text, older versions and reactions are gone from both vaults; an empty line remains."""
    alice, bob = pair
    number = line(alice, bob, "hello").number
    alice.engine.edit(bob.name, number, "a canary of the first kind")
    bob.wait(lambda: "a canary of the first kind" in bob.texts(alice))
    bob.engine.react(alice.name, line(bob, alice, "a canary of the first kind").number, "👍")
    wait_line(alice, bob, lambda one: bool(one.reactions))
    alice.engine.delete(bob.name, number)
    for client, other in ((alice, bob), (bob, alice)):
        rest = wait_line(client, other, lambda one: one.deleted)
        assert (rest.text, rest.reactions, rest.edited) == ("", (), 0)
        with client.engine._vault.read() as db:
            dump = [
                db.execute(f"SELECT * FROM {table}").fetchall()
                for table in ("messages", "edits", "reactions")
            ]
        assert "canary" not in str(dump)
        with pytest.raises(NoSuchMessage):
            client.engine.react(other.name, rest.number, "👍")


def test_a_message_that_never_left_is_deleted_without_a_word(pair: Pair, world: World) -> None:
    """Written offline and taken back offline: the other side learns nothing of it."""
    alice, bob = pair
    world.server.stop()
    alice.send(bob, "rash words")
    alice.engine.delete(bob.name, line(alice, bob, "rash words").number)
    world.server.start()
    alice.engine.reconnect()
    bob.engine.reconnect()
    alice.send(bob, "wise words")
    bob.has(alice, "wise words")
    assert not [one for one in bob.lines(alice) if one.deleted]
    assert "rash words" not in bob.texts(alice)


def test_reactions_replace_each_other_and_are_withdrawn(pair: Pair) -> None:
    """One reaction a person; both may react to any message; an empty one takes it back."""
    alice, bob = pair
    theirs, ours = line(bob, alice, "hello").number, line(alice, bob, "hello").number
    bob.engine.react(alice.name, theirs, "👍")
    bob.engine.react(alice.name, theirs, "❤️")
    alice.engine.react(bob.name, ours, "😂")
    both = {Reaction(ours=False, emoji="❤️"), Reaction(ours=True, emoji="😂")}
    wait_line(alice, bob, lambda one: set(one.reactions) == both)
    bob.engine.react(alice.name, theirs, "")
    wait_line(alice, bob, lambda one: one.reactions == (Reaction(ours=True, emoji="😂"),))
    wait_line(bob, alice, lambda one: one.reactions == (Reaction(ours=False, emoji="😂"),))
    with pytest.raises(BadReaction):
        bob.engine.react(alice.name, theirs, "Bob is verified")


def test_messages_disappear_on_both_sides_by_their_own_clocks(pair: Pair, world: World) -> None:
    """Ours counts from its acceptance, theirs from being read; then no table holds the text."""
    alice, bob = pair
    alice.engine.set_timer(bob.name, 5)
    bob.wait(lambda: any(c.timer == 5 for c in bob.engine.conversations()))
    assert any("disappear 5 seconds" in said for said in bob.notices(alice))
    alice.send(bob, "a fading canary")
    unread = wait_line(bob, alice, lambda one: one.text == "a fading canary")
    assert (unread.timer, unread.expires) == (5, 0)
    before = time.time_ns() // 1_000_000
    bob.engine.mark_read(alice.name, unread.number)
    running = line(bob, alice, "a fading canary")
    assert before + 5_000 <= running.expires <= before + 15_000
    for client, other in ((alice, bob), (bob, alice)):
        client.wait(lambda: "a fading canary" not in client.texts(other))  # noqa: B023
        client.wait(lambda: bool(client.of(MessageRemoved)))  # noqa: B023
        assert "a fading canary" not in client.texts(other)
        with client.engine._vault.read() as db:
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            dump = str([db.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables])
        assert "fading canary" not in dump
    with pytest.raises(BadTimer):
        alice.engine.set_timer(bob.name, 1)


def test_what_was_due_while_nobody_ran_is_gone_at_the_next_start(pair: Pair, world: World) -> None:
    """An engine that is opened later, even without a connection, never shows what has expired."""
    alice, bob = pair
    bob.engine.set_timer(alice.name, 5)
    bob.send(alice, "brief")
    brief = wait_line(alice, bob, lambda one: one.text == "brief")
    alice.engine.mark_read(bob.name, brief.number)
    due = line(alice, bob, "brief").expires
    alice.stop()
    bob.wait(lambda: time.time_ns() // 1_000_000 > due)
    alice = world.again(alice, start=False)
    assert "brief" not in alice.texts(bob)


def test_messages_disappear_while_offline_too(pair: Pair, world: World) -> None:
    """No server is needed for a message to go."""
    alice, bob = pair
    bob.engine.set_timer(alice.name, 5)
    bob.send(alice, "brief")
    brief = wait_line(alice, bob, lambda one: one.text == "brief")
    world.server.stop()
    alice.engine.mark_read(bob.name, brief.number)
    alice.wait(lambda: bool(alice.of(MessageRemoved)))
    assert "brief" not in alice.texts(bob)


def test_removing_here_leaves_the_other_side_alone(pair: Pair) -> None:
    """Anybody may clean their own device; nothing is sent about it."""
    alice, bob = pair
    bob.engine.remove(alice.name, line(bob, alice, "hello").number)
    assert "hello" not in bob.texts(alice)
    alice.send(bob, "still there?")
    bob.has(alice, "still there?")
    assert "hello" in alice.texts(bob)


def test_typing_is_live_and_never_stored(pair: Pair, world: World) -> None:
    """It shows at once, ends with the message, and no mailbox or vault ever holds it."""
    alice, bob = pair
    alice.wait(lambda: any(person.online for person in alice.engine.people()))
    alice.engine.set_typing(bob.name, active=True)
    bob.wait(lambda: [e.active for e in bob.of(TypingChanged)] == [True])
    transient = [m for m, _ in world.server.meddler.asked if isinstance(m, Pm) and m.transient]
    assert len(transient) == 1
    alice.send(bob, "here it is")
    bob.wait(lambda: [e.active for e in bob.of(TypingChanged)] == [True, False])
    bob.has(alice, "here it is")

    def shows_after_more_typing() -> bool:
        alice.engine.set_typing(bob.name, active=True)
        return [e.active for e in bob.of(TypingChanged)][-1:] == [True]

    bob.wait(shows_after_more_typing)  # a lost one is made good by the next
    alice.stop()
    world.server.stop()
    bob.wait(lambda: [e.active for e in bob.of(TypingChanged)][-1:] == [False])


def test_a_display_name_reaches_contacts_and_no_strangers(pair: Pair, world: World) -> None:
    """Those we wrote to learn it; it is shown only once the other is no stranger."""
    alice, bob = pair
    carol = world.person("carol")
    alice.engine.set_profile("سارا\u202e")
    bob.wait(lambda: any(p.display_name == "سارا" for p in bob.engine.people()))
    assert any(c.display_name == "سارا" for c in bob.engine.conversations())
    alice.send(carol, "we have not met")
    carol.has(alice, "we have not met")
    assert [c.display_name for c in carol.engine.conversations()] == [""]
    carol.send(alice, "now we have")
    alice.has(carol, "now we have")
    assert [c.display_name for c in carol.engine.conversations()] == ["سارا"]
    assert any(e.people[0].display_name == "سارا" for e in bob.of(PeopleChanged) if e.people)


def test_reading_and_typing_are_told_to_verified_contacts_alone(pair: Pair, world: World) -> None:
    """So it is unless the person chooses otherwise; delivery is told to every contact."""
    alice, bob = pair
    bob.engine.set_privacy(ADMITTING)
    alice.send(bob, "one")
    bob.has(alice, "one")
    bob.engine.open_conversation(alice.name)
    bob.engine.set_typing(alice.name, active=True)
    bob.send(alice, "read, but you do not know")
    alice.has(bob, "read, but you do not know")
    alice.all_are(bob, MessageState.DELIVERED)
    assert not alice.of(TypingChanged)
    verified(bob, alice)
    alice.send(bob, "two")
    bob.has(alice, "two")
    bob.engine.open_conversation(alice.name)
    alice.wait(lambda: line(alice, bob, "two").state is MessageState.READ)
    bob.engine.set_typing(alice.name, active=True)
    alice.wait(lambda: bool(alice.of(TypingChanged)))
    bob.engine.set_privacy(Privacy(Audience.NOBODY, Audience.NOBODY, Strangers.ADMIT))
    alice.send(bob, "three")
    bob.has(alice, "three")
    bob.engine.open_conversation(alice.name)
    bob.send(alice, "again")
    alice.has(bob, "again")
    assert line(alice, bob, "three").state is MessageState.DELIVERED


def test_a_new_profile_tells_only_verified_contacts(world: World, tmp_path: Path) -> None:
    """Nobody has to find a setting to be careful."""
    alice = world.person("alice", start=False)
    assert alice.engine.privacy() == OPEN
    with alice.engine._vault.write() as db:
        db.execute("DELETE FROM choices")
    careful = Privacy(read_receipts=Audience.VERIFIED, typing=Audience.VERIFIED)
    assert alice.engine.privacy() == careful


def test_attack_56_only_the_author_edits_and_deletes(pair: Pair) -> None:
    """The engine refuses to write it, in words; that a peer's rules refuse to take it is above."""
    alice, bob = pair
    theirs = line(alice, bob, "hi").number
    with pytest.raises(NotYourMessage, match="remove it from this device"):
        alice.engine.delete(bob.name, theirs)
    with pytest.raises(NotYourMessage):
        alice.engine.edit(bob.name, theirs, "I surrender")
    with pytest.raises(NoSuchMessage):
        alice.engine.send_text(bob.name, "re", reply_to=10_000)


def test_attack_34_a_stranger_learns_nothing_from_any_content(world: World) -> None:
    """Text, edit, reaction, deletion, timer, name, typing: no frame goes back to a stranger."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.engine.set_profile("Alice")
    alice.send(bob, "who are you?")
    bob.has(alice, "who are you?")
    number = line(alice, bob, "who are you?").number
    alice.engine.edit(bob.name, number, "who is there?")
    alice.engine.react(bob.name, number, "👀")
    alice.engine.set_timer(bob.name, 60)
    alice.engine.set_typing(bob.name, active=True)
    alice.send(bob, "answer!")
    bob.has(alice, "answer!")
    alice.engine.delete(bob.name, line(alice, bob, "answer!").number)
    wait_line(bob, alice, lambda one: one.deleted)
    bob.wait(lambda: "who is there?" in bob.texts(alice))
    bob.engine.set_typing(alice.name, active=True)
    alice.send(bob, "the last one")
    bob.has(alice, "the last one")
    told = [m for m, _ in world.server.meddler.asked if isinstance(m, Pm) and m.to == "alice/main"]
    assert told == []
    alice.wait(lambda: line(alice, bob, "the last one").state is not MessageState.WAITING)
    states = {one.state for one in alice.lines(bob) if one.ours and not one.deleted}
    assert states == {MessageState.ACCEPTED}


@pytest.mark.parametrize("years", [-10, 10])
def test_attack_33_a_clock_ten_years_off_is_flagged_not_obeyed(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, years: int
) -> None:
    """A message with an absurd time stands where it arrived, under our time, with the claim."""
    alice, bob = pair
    off = years * 365 * 86_400_000
    monkeypatch.setattr(chat, "now_ms", lambda: now_ms() + off)
    alice.send(bob, "from another age")
    monkeypatch.undo()
    bob.send(alice, "from now")
    bob.has(alice, "from another age")
    arrived = line(bob, alice, "from another age")
    assert abs(arrived.time - now_ms()) < 60_000
    assert abs(arrived.claimed_time - (now_ms() + off)) < 60_000
    assert bob.lines(alice)[-1].number >= arrived.number


def test_attack_35_what_nobody_asked_for_changes_nothing(pair: Pair) -> None:
    """Receipts of ids that never were, and times of long ago, rewrite no history."""
    alice, bob = pair
    before = [(one.number, one.text, one.state) for one in bob.lines(alice)]
    invented = content.ContentId(b"\x07" * 16)
    unasked: list[content.Payload] = [
        content.Receipt((invented,), read=True),
        content.Edit(invented, 1, "history as it should have been"),
        content.Reaction(content.Reference(own=False, content_id=invented), 1, "👍"),
        content.Delete(invented),
    ]
    for payload in unasked:
        with alice.engine._vault.write() as db:
            key = contacts.get(db, bob.name).identity
            assert key is not None
            name = content.ContentId(bytes([content.kind_of(payload)]) * 16)
            outbox.owe(db, bob.name, name, payload, key.account_key, 1)
    alice.send(bob, "after that")
    bob.has(alice, "after that")
    after = [(one.number, one.text, one.state) for one in bob.lines(alice)]
    assert after[: len(before)] == before
    assert [text for _, text, _ in after[len(before) :]] == ["after that"]
    assert not bob.problems()


def send_raw(client: Client, other: Client, kind: content.Type, payload: bytes, name: int) -> None:
    """What a modified client may do: any payload under any type, over its own true session."""
    with client.engine._vault.write() as db:
        identity = contacts.get(db, other.name).identity
        assert identity is not None
        db.execute(
            "INSERT INTO outgoing (user_id, content_id, kind, payload, account_key, created)"
            " VALUES (?, ?, ?, ?, ?, 1)",
            (other.name, name.to_bytes(16, "big"), kind, payload, bytes(identity.account_key)),
        )


def test_attack_30_every_payload_under_every_type(pair: Pair) -> None:
    """A modified client sends each type's bytes as each other type: nothing of ours changes.

    The engine lives, says of what it cannot read that it cannot, and reads on.
    """
    alice, bob = pair
    ours = content.ContentId(line(alice, bob, "hello").content_id)
    theirs = content.ContentId(line(alice, bob, "hi").content_id)
    samples: list[content.Payload] = [
        content.Text("words", 0),
        content.Text("words", 60, content.Reference(own=False, content_id=ours)),
        content.Edit(ours, 1, "I never said so"),
        content.Delete(ours),
        content.Reaction(content.Reference(own=True, content_id=ours), 1, "👍"),
        content.Timer(1, 60),
        content.Typing(active=True),
        content.Profile(1, "bob"),
        content.Receipt((ours, theirs)),
        content.Turn(),
    ]
    number = 0
    for kind in content.Type:
        for payload in samples:
            number += 1
            send_raw(bob, alice, kind, content.encode_payload(payload), number)
    bob.send(alice, "the end")
    alice.wait(lambda: "the end" in alice.texts(bob), patience=90)
    mine = [one for one in alice.lines(bob) if one.ours]
    assert [(one.text, one.edited, one.deleted) for one in mine] == [("hello", 0, False)]
    assert line(alice, bob, "hi").edited == 0
    assert set(alice.problems()) <= {"Unreadable"}


def test_attack_56_a_modified_client_changes_nothing_of_ours(pair: Pair) -> None:
    """Edits, deletions and versions of our messages by another: our words stand, on our side."""
    alice, bob = pair
    ours = content.ContentId(line(alice, bob, "hello").content_id)
    forged: list[content.Payload] = [
        content.Edit(ours, 1, "I confess"),
        content.Delete(ours),
        content.Edit(ours, 100, "I confess"),
    ]
    for number, payload in enumerate(forged):
        send_raw(bob, alice, content.kind_of(payload), content.encode_payload(payload), number + 1)
    bob.send(alice, "see?")
    alice.has(bob, "see?")
    mine = line(alice, bob, "hello")
    assert (mine.edited, mine.deleted) == (0, False)
    assert [one.text for one in alice.engine.versions(bob.name, mine.number)] == ["hello"]


def test_repeated_deliveries_of_changes_do_nothing_twice(pair: Pair, world: World) -> None:
    """A server that sends everything again under new sequences changes nothing."""
    alice, bob = pair
    number = line(alice, bob, "hello").number
    alice.engine.edit(bob.name, number, "changed")
    alice.engine.react(bob.name, number, "👍")
    wait_line(bob, alice, lambda one: bool(one.reactions) and one.text == "changed")
    seen = len(bob.lines(alice))
    for delivery, body in world.server.meddler.deliveries:
        again = Delivery(delivery.id, 0, delivery.time, delivery.sender)
        if delivery.sender == "alice/main":
            world.server.push(again, body)
    alice.send(bob, "the end")
    bob.has(alice, "the end")
    assert len(bob.lines(alice)) == seen + 1
