"""Engines talking through a real server: what people see, on and off line."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secure_chat.client.engine import ChatEngine, inbox
from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    MessageState,
    PeopleChanged,
    Trust,
)
from secure_chat.client.profile import create_profile, open_profile
from secure_chat.crypto.peer import InitialSender, read_initial
from secure_chat.errors import (
    BadAddress,
    BadText,
    Code,
    EngineFailed,
    KeyUnknown,
    NotToYourself,
    Refused,
    SafetyNumberDiffers,
    TextTooLong,
)
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink
from secure_chat.protocol.messages import KeysLow, KeysPut, Ok, Pm, Register, ServerMessage, Welcome
from secure_chat.protocol.wiretypes import InviteToken
from secure_chat.server.core.settings import Settings
from tests.client.meddler import Said
from tests.client.world import PASSWORD, Client, World

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


def test_offline_people_find_their_messages(world: World) -> None:
    """Messages wait in order at the server, through restarts of both sides and of the server."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "before")
    bob.has(alice, "before")
    bob.stop()
    alice.send(bob, *[f"while away {number}" for number in range(20)])
    alice.all_are(bob, MessageState.ACCEPTED, MessageState.DELIVERED)
    alice.stop()
    world.server.stop()
    world.server.start()
    bob = world.again(bob)
    bob.has(alice, "before", *[f"while away {number}" for number in range(20)])
    assert not bob.problems()
    alice = world.again(alice)
    bob.send(alice, "back")
    alice.has(bob, "back")
    alice.all_are(bob, MessageState.DELIVERED)


def test_what_is_written_offline_goes_out_later(world: World) -> None:
    """The outbox lives in the vault: written without a server, kept through a crash, sent once."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "one")
    bob.has(alice, "one")
    world.server.stop()
    alice.send(bob, "two")
    alice = world.again(alice, start=False)
    alice.send(bob, "three")
    assert alice.states(bob)[1:] == [MessageState.WAITING, MessageState.WAITING]
    world.server.start()
    alice.engine.start()
    bob.engine.reconnect()
    bob.has(alice, "one", "two", "three")
    alice.all_are(bob, MessageState.ACCEPTED, MessageState.DELIVERED)
    assert bob.texts(alice) == ["one", "two", "three"]


def test_the_first_words_may_cross(world: World) -> None:
    """Both begin at once: both are read, and both go on in one conversation."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "a1")
    bob.send(alice, "b1")
    alice.wait(lambda: {"a1", "b1"} <= set(alice.texts(bob)))
    bob.wait(lambda: {"a1", "b1"} <= set(bob.texts(alice)))
    for number in range(3):
        alice.send(bob, f"a{number + 2}")
        bob.send(alice, f"b{number + 2}")
    alice.wait(lambda: len(alice.texts(bob)) == 8)
    bob.wait(lambda: len(bob.texts(alice)) == 8)
    assert not alice.problems() + bob.problems()
    assert not alice.notices(bob) + bob.notices(alice)


def test_people_and_presence_stay_current(world: World) -> None:
    """Newcomers appear, and coming and going shows, for everybody who is connected."""
    alice = world.person("alice")
    alice.wait(lambda: bool(alice.of(PeopleChanged)))
    assert alice.engine.people() == []
    bob = world.person("bob")
    alice.wait(lambda: [(p.user_id, p.online) for p in alice.engine.people()] == [("bob", True)])
    bob.wait(lambda: [(p.user_id, p.online) for p in bob.engine.people()] == [("alice", True)])
    bob.stop()
    alice.wait(lambda: [(p.user_id, p.online) for p in alice.engine.people()] == [("bob", False)])
    world.server.stop()
    alice.wait(lambda: alice.state is ConnectionState.OFFLINE)
    assert [p.online for p in alice.engine.people()] == [False]


def test_strangers_get_no_receipt_until_they_are_met(world: World) -> None:
    """A receipt would tell a stranger when somebody is here; opening or answering changes that."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "are you there?")
    bob.has(alice, "are you there?")
    alice.all_are(bob, MessageState.ACCEPTED)
    sent = [m for m, _ in world.server.meddler.asked if isinstance(m, Pm)]
    assert [m.to for m in sent] == ["bob/main"]
    bob.engine.open_conversation(alice.name)
    alice.all_are(bob, MessageState.READ)
    alice.send(bob, "good")
    alice.wait(lambda: alice.states(bob)[-1] is MessageState.DELIVERED)
    bob.engine.mark_read(alice.name, bob.lines(alice)[-1].number)
    alice.all_are(bob, MessageState.READ)
    assert [c.unread for c in bob.engine.conversations()] == [0]


def test_a_name_that_nobody_has_is_said(world: World) -> None:
    """Unknown people halt their own conversation, with the reason on the message."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send("nobody", "hello?")
    alice.all_are("nobody", MessageState.HELD)
    assert "no such account" in alice.lines("nobody")[0].problem
    alice.send(bob, "others go on")
    bob.has(alice, "others go on")
    world.person("nobody")
    alice.engine.retry(UserId("nobody"))
    alice.all_are("nobody", MessageState.ACCEPTED)


def test_a_full_mailbox_halts_only_its_conversation(make_world: Callable[..., World]) -> None:
    """The refusal is shown, the order is kept, and it goes on when there is room again."""
    world = make_world(Settings(registration="open", mailbox_messages_per_sender=2))
    alice, bob, carol = world.person("alice"), world.person("bob"), world.person("carol")
    bob.stop()
    alice.send(bob, "1", "2", "3", "4")
    alice.wait(lambda: alice.states(bob)[2] is MessageState.HELD)
    assert "Too many of your messages" in alice.lines(bob)[2].problem
    alice.send(carol, "free")
    carol.has(alice, "free")
    bob = world.again(bob)
    bob.has(alice, "1", "2")
    alice.engine.retry(bob.name)
    bob.has(alice, "1", "2", "3", "4")
    alice.all_are(bob, MessageState.ACCEPTED)


def test_a_second_login_replaces_the_first_which_stays_out(world: World, tmp_path: Path) -> None:
    """Two copies of a profile do not fight: the first is told, and waits for the person."""
    alice = world.person("alice")
    copy = world.snapshot(alice, "copy")
    second = ChatEngine(open_profile(copy, PASSWORD))
    try:
        second.start()
        alice.wait(lambda: alice.state is ConnectionState.STOPPED)
        problem = alice.of(ConnectionChanged)[-1].problem
        assert isinstance(problem, Refused)
        assert problem.code is Code.REPLACED
    finally:
        second.stop()
    alice.engine.reconnect()
    alice.online()


def test_a_taken_name_stops_with_the_reason(world: World, tmp_path: Path) -> None:
    """A refused registration is final until the person does something."""
    world.person("alice")
    engine = ChatEngine(create_profile(tmp_path / "other", world.server.link(), "ALICE", PASSWORD))
    other = Client(engine, tmp_path / "other")
    engine.start()
    other.wait(lambda: other.state is ConnectionState.STOPPED)
    problem = other.of(ConnectionChanged)[-1].problem
    assert isinstance(problem, Refused)
    assert problem.code is Code.NAME_TAKEN
    other.stop()


def test_another_invite_helps_where_the_first_did_not(make_world: Callable[..., World]) -> None:
    """A refused invite stops the engine; the person pastes another link, and it goes on."""
    world = make_world(Settings(registration="invite"))
    link = world.server.link()
    bad = InviteLink(link.server, None, link.pins, InviteToken(b"never existed 16"))
    alice = world.person("alice", link=bad, start=False)
    alice.engine.start()
    alice.wait(lambda: alice.state is ConnectionState.STOPPED)
    problem = alice.of(ConnectionChanged)[-1].problem
    assert isinstance(problem, Refused)
    assert problem.code is Code.BAD_INVITE
    token = world.server.store.create_invite("", 1, None)
    alice.engine._profile.use_link(InviteLink(link.server, None, link.pins, token))
    alice.engine.reconnect()
    alice.online()


def test_a_registration_whose_answer_was_lost_is_found_again(world: World) -> None:
    """The server has the account, the vault does not know: a login finds out."""

    def swallow(message: ServerMessage, body: bytes) -> list[Said]:
        return [] if isinstance(message, Welcome) else [(message, body)]

    world.server.meddler.answer = swallow
    alice = world.person("alice", start=False)
    alice.engine.start()
    said = world.server.meddler.said
    alice.wait(lambda: any(isinstance(message, Welcome) for message, _ in said))
    world.server.stop()
    world.server.meddler.answer = lambda message, body: [(message, body)]
    world.server.start()
    alice.engine.reconnect()
    alice.online()
    kinds = [type(message).__name__ for message, _ in world.server.meddler.asked]
    assert [kind for kind in kinds if kind in {"Register", "Login"}] == ["Register", "Login"]


def test_a_registration_that_never_arrived_is_made_again(world: World) -> None:
    """A login is refused then, and leads to a registration at once."""
    world.server.meddler.request = lambda message, body: (
        [] if isinstance(message, Register) else None
    )
    alice = world.person("alice", start=False)
    alice.engine.start()
    asked = world.server.meddler.asked
    alice.wait(lambda: any(isinstance(message, Register) for message, _ in asked))
    world.server.stop()
    world.server.meddler.request = lambda message, body: None
    world.server.start()
    alice.engine.reconnect()
    alice.online()
    kinds = [type(message).__name__ for message, _ in asked]
    entries = [kind for kind in kinds if kind in {"Register", "Login"}]
    assert entries == ["Register", "Login", "Register"]


def test_prekeys_are_published_and_refilled(world: World) -> None:
    """The server holds 100 one-time keys of each kind after a login, and gets more when few."""
    bob = world.person("bob")
    asked = world.server.meddler.asked

    def published() -> int:
        return sum(len(m.one_time) for m, _ in asked if isinstance(m, KeysPut))

    bob.wait(lambda: published() == 100)
    puts = [m for m, _ in asked if isinstance(m, KeysPut)]
    assert sum(len(m.one_time_kem) for m in puts) <= 100
    assert all(len(m.one_time) + len(m.one_time_kem) <= 20 for m in puts)
    bob.wait(lambda: sum(len(m.one_time_kem) for m, _ in asked if isinstance(m, KeysPut)) == 100)
    refs = {m.ref for m, _ in asked if isinstance(m, KeysPut)}
    said = world.server.meddler.said
    bob.wait(lambda: refs <= {m.ref for m, _ in said if isinstance(m, Ok)})
    world.server.push(KeysLow(20, 90))
    bob.wait(lambda: published() == 180)
    ids = [key.id for m, _ in asked if isinstance(m, KeysPut) for key in m.one_time]
    ids += [key.id for m, _ in asked if isinstance(m, KeysPut) for key in m.one_time_kem]
    assert len(ids) == len(set(ids))


def test_stopping_is_prompt_wherever_the_engine_is(world: World, tmp_path: Path) -> None:
    """Online, waiting to reconnect, or before the start: stop returns at once."""
    alice = world.person("alice")
    waiting = world.person("bob")
    world.server.stop()
    waiting.wait(lambda: waiting.state is ConnectionState.OFFLINE)
    unborn = world.person("carol", start=False)
    for client in (alice, waiting, unborn):
        begun = time.monotonic()
        client.stop()
        assert time.monotonic() - begun < 2.0
    open_profile(alice.folder, PASSWORD).close()


def test_intents_refuse_nonsense(world: World) -> None:
    """Empty, too long and unpaired texts, one's own name and bad names are errors in words."""
    alice = world.person("alice", start=False)
    with pytest.raises(BadText):
        alice.engine.send_text(UserId("bob"), "")
    with pytest.raises(BadText):
        alice.engine.send_text(UserId("bob"), "\ud800")
    with pytest.raises(TextTooLong, match="as a file"):
        alice.engine.send_text(UserId("bob"), "ش" * 8193)
    with pytest.raises(NotToYourself):
        alice.engine.send_text(UserId("Alice"), "me")
    with pytest.raises(BadAddress):
        alice.engine.send_text(UserId("no such name"), "x")
    assert alice.engine.safety(UserId("bob")) is None
    with pytest.raises(KeyUnknown):
        alice.engine.mark_verified(UserId("bob"), "1")
    assert alice.engine.conversations() == []


def test_the_longest_text_travels(world: World) -> None:
    """16 KiB of Persian arrive as they were written."""
    alice, bob = world.person("alice"), world.person("bob")
    longest = "ش" * 8192
    alice.send(bob, longest)
    bob.has(alice, longest)


def test_a_mistake_of_the_program_is_said_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen exception costs one message or one connection, and its text reaches no log."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "before")
    bob.has(alice, "before")
    true_receive = bob.engine._core.received
    failures = ["reading", "receiving"]

    def read(body: bytes) -> InitialSender | None:
        if "reading" in failures:
            failures.remove("reading")
            raise KeyError("what people wrote")
        return read_initial(body)

    def received(*arguments: Any) -> None:
        if failures == ["receiving"]:
            failures.clear()
            raise KeyError("what people wrote")
        true_receive(*arguments)

    monkeypatch.setattr(inbox, "read_initial", read)
    alice.send(bob, "lost to a mistake")
    bob.wait(lambda: "Unreadable" in bob.problems())
    monkeypatch.setattr(bob.engine._core, "received", received)
    alice.send(bob, "after")
    bob.has(alice, "before", "after")
    assert any(isinstance(e.problem, EngineFailed) for e in bob.of(ConnectionChanged))
    assert "KeyError in" in caplog.text
    assert "what people wrote" not in caplog.text


def test_comparing_the_number_verifies_and_is_remembered(world: World) -> None:
    """As it is read out: in groups, in Persian digits, or in one piece; a wrong one is refused."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.engine.open_conversation(bob.name)
    alice.wait(lambda: alice.engine.safety(bob.name) is not None)
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    number = safety.safety_number
    assert [len(group) for group in number] == [5] * 12
    for wrong in ("", "12345", "".join(number)[:-1], "".join(number) + "0", "not a number"):
        with pytest.raises(SafetyNumberDiffers):
            alice.engine.mark_verified(bob.name, wrong)
    persian = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
    for said in (" ".join(number), "-".join(number).translate(persian), "".join(number)):
        alice.engine.mark_verified(bob.name, said)
    alice.wait(lambda: any(p.trust is Trust.VERIFIED for e in _people(alice) for p in e.people))
    alice = world.again(alice)
    again = alice.engine.safety(bob.name)
    assert again is not None
    assert again.trust is Trust.VERIFIED
    assert again.verified > 0
    alice.send(bob, "to whom I know")
    bob.has(alice, "to whom I know")


def _people(client: Client) -> list[PeopleChanged]:
    return client.of(PeopleChanged)


def test_a_conversation_opened_while_offline_learns_the_key_once_online(world: World) -> None:
    """What a person asked before the connection stood is asked when it stands."""
    world.person("bob")
    alice = world.person("alice", start=False)
    bob = UserId("bob")
    alice.engine.open_conversation(bob)
    alice.engine.start()
    alice.online()
    alice.wait(lambda: alice.engine.safety(bob) is not None)
    world.server.stop()
    carol = UserId("carol")
    alice.wait(lambda: alice.state is not ConnectionState.ONLINE)
    alice.engine.open_conversation(carol)
    world.server.start()
    alice.engine.reconnect()
    alice.wait(lambda: "Refused" in alice.problems())  # nobody has that name, and that is said
