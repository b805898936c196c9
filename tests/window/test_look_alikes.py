"""Who could be taken for somebody that one knows is said wherever one decides about them."""

import time

import pytest
from msgspec.structs import replace

from secure_chat.client.events import PeopleChanged, Trust
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.adding import Adding
from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.look_alikes import LookAlikes, looks
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import ContactLink
from tests.support.habit_calls import KEYS, SERVER, SERVER_ID
from tests.window.fakes import FakeEngine

BOB, B0B, SARA = UserId("bob"), UserId("b0b"), UserId("sara")


def knowing_bob(**trust: Trust) -> tuple[FakeEngine, Chat]:
    engine = FakeEngine()
    engine.meet("bob", trust=trust.get("bob", Trust.NEW))
    engine.say(BOB, "hi")
    return engine, Chat(engine, Words())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob", "b0b"), ("alice", "a1ice"), ("alice", "аliсe"), ("bob", "вob"), ("corn", "com"),
        ("Zoë", "zoe"), ("anna", "αnnα"), ("wendy", "vvendy"), ("على", "علی"), ("bob", "b.o-b"),
        ("paypal", "раураl"), ("bob", "ｂｏｂ"), ("bob", "b\u200bob"), ("سارا", "سـارا"),
    ],
)  # fmt: skip
def test_attack_72_names_that_look_alike_are_one_to_the_warning(one: str, other: str) -> None:
    """Digits, Cyrillic, Greek, full width, accents, invisible and stretched letters."""
    assert looks(one) == looks(other)


def test_attack_72_names_that_differ_are_not_warned_of() -> None:
    """Common short names a letter apart: a warning that comes always is read by nobody."""
    for one, other in (("anna", "hanna"), ("bob", "rob"), ("علی", "عالی"), ("sara", "sarah")):
        assert looks(one) != looks(other)


def test_attack_72_a_request_in_a_friends_likeness_says_so() -> None:
    """A server that lets the name pass cannot keep the warning off: in the list, spoken, and on
    the card before Accept. Nothing that the stranger chose is shown for it."""
    engine, chat = knowing_bob()
    engine.requests.add(engine.meet("b0b"))
    engine.say(B0B, "it is me, bob")
    chat.poll()
    row = next(row for row in chat.people if row.user_id == B0B)
    assert row.request
    assert "looks like bob" in row.preview
    assert "looks like bob" in row.spoken
    assert "b0b looks like bob, whom you know" in chat.look_alike_words(B0B)
    engine.block(BOB)
    chat.poll()
    assert chat.look_alike_words(B0B) == "", "whom one has blocked, nobody is taken for"


def test_attack_72_who_calls_himself_like_a_friend_is_marked() -> None:
    """A display name in the likeness of an account's, of one's own name for somebody, or of
    another's display name; verified people are beyond that."""
    engine, chat = knowing_bob()
    engine.set_contact_name(BOB, "Robert")
    engine.meet("mallory", trust=Trust.NEW)
    engine.say(mallory := UserId("mallory"), "hello")
    for name in ("Вob", "R0bert"):
        engine.tell(PeopleChanged((replace(engine.persons[mallory], display_name=name),)))
        chat.poll()
        assert chat._people.looks_like(mallory) == BOB, name
    chat.select(mallory)
    assert chat.header is not None
    assert "looks like bob" in chat.header.trust
    engine.set_trust(mallory, Trust.VERIFIED)
    chat.poll()
    assert chat._people.looks_like(mallory) is None


def test_attack_72_a_contact_link_in_a_friends_likeness_says_so() -> None:
    """Before one says whether to trust it; a link of the friend says nothing of the kind."""
    engine, _ = knowing_bob()
    adding = Adding(engine, Words())
    for name, warned in ((B0B, True), (BOB, False), (SARA, False)):
        adding.enter(str(ContactLink(SERVER, SERVER_ID, name, KEYS["b"])))
        assert adding.asks is not None
        assert ("looks like bob" in adding.asks.text) is warned


def test_attack_73_ten_thousand_long_names_are_looked_at_quickly() -> None:
    """Names of nothing but marks cost no more than others, and all of them under a second."""
    engine = FakeEngine()
    engine.say(BOB, "hi")
    known, marks = engine.conversation(BOB), "a" + "\u0301" * 500
    alike = LookAlikes()
    start = time.perf_counter()
    for number in range(10_000):
        name = UserId(f"person{number}")
        alike.put(replace(known, user_id=name, name=marks if number % 2 else ""), None)
    assert time.perf_counter() - start < 2
    assert alike.of(UserId("pers0n77"), "", Trust.NEW) == "person77"
