"""What contents do to a conversation, without a vault and without a wire."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Reference, Timer, rules
from secure_chat.client.content.rules import OURSELVES, Author, Ref, Sender
from tests.content.model import Memory
from tests.content.strategies import contents
from tests.content.talk import Store, Talk

BOB, CAROL = Author(b"B" * 32), Author(b"C" * 32)
ONE, TWO, THREE = (ContentId(bytes([number]) * 16) for number in (1, 2, 3))


class InMemory(Memory):
    """The model as a `Store`."""

    def sent(self, content_id: ContentId, to: Author) -> None:
        self.sent_to[content_id] = to


class TalkInMemory(Talk):
    """The state machine over the model."""

    def new_store(self) -> Store:
        return InMemory()


TestTalk = TalkInMemory.TestCase
TestTalk.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def take(
    view: Memory, sender: Sender, payload: content.Payload, name: ContentId = THREE
) -> list[type]:
    """Apply what somebody sends; the kinds of its effects."""
    effects = rules.take(view, sender, Content(name, 0, payload))
    for effect in effects:
        view.apply(effect)
    return [type(effect) for effect in effects]


def a_talk() -> InMemory:
    """We have said ONE, Bob TWO."""
    view = InMemory()
    take(view, Sender(OURSELVES, BOB), content.Text("ours"), ONE)
    view.sent(ONE, BOB)
    take(view, Sender(BOB), content.Text("theirs"), TWO)
    return view


@given(contents(), st.booleans(), st.booleans(), st.booleans())
def test_attack_56_a_content_of_another_changes_no_message_of_its_author(
    taken: Content, accepted: bool, engaged: bool, live: bool
) -> None:
    """Whatever Carol's key signs, texts of ours and of Bob's stay as their authors left them."""
    view = a_talk()
    before = view.shown(b"A" * 32)
    sender = Sender(CAROL, accepted=accepted, engaged=engaged)
    for effect in rules.take(view, sender, taken, live=live):
        view.apply(effect)
    after = view.shown(b"A" * 32)
    for key, (text, _, quote) in before.items():
        assert after[key][0] == text
        assert after[key][2] == quote
    assert view.marks == {}, "she confirms nothing that was encrypted to another"


_THEIRS = Reference(own=True, content_id=TWO)


@pytest.mark.parametrize(
    "rivals",
    [
        (content.Edit(TWO, 1, "one"), content.Edit(TWO, 1, "other"), content.Edit(TWO, 1, "more")),
        (content.Reaction(_THEIRS, 1, "👍"), content.Reaction(_THEIRS, 1, "❤")),
        (content.Profile(1, "Bob"), content.Profile(1, "Robert")),
        (content.Timer(1, 60), content.Timer(1, 0), content.Timer(1, 30)),
    ],
    ids=lambda rivals: type(rivals[0]).__name__,
)
def test_of_one_revision_the_same_counts_in_whatever_order(
    rivals: tuple[content.Payload, ...],
) -> None:
    """A restored device numbers anew: what both sides hold in the end hangs on no order."""
    ends = []
    for order in itertools.permutations(rivals):
        view = a_talk()
        for payload in order:
            take(view, Sender(BOB), payload)
        ends.append((view.edits, view.reactions, view.names, view.clock))
    assert all(end == ends[0] for end in ends)


def test_attack_56_editing_and_deleting_reach_only_ones_own() -> None:
    """Bob names our message in an edit and a deletion: neither finds it."""
    view = a_talk()
    take(view, Sender(BOB), content.Edit(ONE, 1, "I confess"))
    take(view, Sender(BOB), content.Delete(ONE))
    assert view.text(Ref(OURSELVES, ONE)) == "ours"
    assert view.is_here(Ref(OURSELVES, ONE))
    take(view, Sender(BOB), content.Edit(TWO, 1, "changed"))
    assert view.text(Ref(BOB, TWO)) == "changed"
    take(view, Sender(BOB), content.Delete(TWO))
    assert not view.is_here(Ref(BOB, TWO))


def test_attack_56_a_quote_carries_no_words() -> None:
    """A reply points at a message; what is shown is what the reader has, never what a peer says."""
    view = a_talk()
    take(view, Sender(BOB), content.Text("so you said", quote=Reference(own=False, content_id=ONE)))
    assert view.lines[Ref(BOB, THREE)].quote == Ref(OURSELVES, ONE)
    fields = content.Reference.__struct_fields__
    assert set(fields) == {"own", "content_id"}


def test_attack_34_no_receipt_for_strangers_nor_for_unknown_ids() -> None:
    """Only who is known and speaks of what is here learns that it arrived."""
    known, stranger = Sender(BOB), Sender(BOB, engaged=False)
    unknown_id: list[content.Payload] = [
        content.Edit(THREE, 1, "x"),
        content.Delete(THREE),
        content.Reaction(Reference(own=True, content_id=THREE), 1, "👍"),
        content.Reaction(Reference(own=False, content_id=THREE), 1, "👍"),
    ]
    for payload in unknown_id:
        assert rules.Confirm not in take(a_talk(), known, payload, ContentId(b"n" * 16))
    about_ours: list[content.Payload] = [
        content.Text("hello"),
        content.Edit(TWO, 1, "x"),
        content.Delete(TWO),
        content.Reaction(Reference(own=False, content_id=ONE), 1, "👍"),
        content.Timer(1, 60),
        content.Profile(1, "Bob"),
    ]
    for payload in about_ours:
        assert rules.Confirm in take(a_talk(), known, payload)
        assert rules.Confirm not in take(a_talk(), stranger, payload)


def test_attack_34_silent_contents_are_confirmed_only_along_with_something_else() -> None:
    """A reaction or an edit shows little, so its receipt waits: nobody is probed in silence."""
    silent: list[content.Payload] = [
        content.Reaction(Reference(own=False, content_id=ONE), 1, "👍"),
        content.Edit(TWO, 1, "x"),
        content.Delete(TWO),
        content.Timer(1, 60),
        content.Profile(1, "Bob"),
    ]
    for payload in silent:
        for effect in rules.take(a_talk(), Sender(BOB), Content(THREE, 0, payload)):
            assert not (isinstance(effect, rules.Confirm) and effect.prompt)


def test_attack_33_receipts_count_for_the_key_that_the_message_went_to() -> None:
    """A changed key, a stranger or an invented id marks nothing as delivered or read."""
    view = a_talk()
    for read in (False, True):
        take(view, Sender(CAROL), content.Receipt((ONE, TWO, THREE), read=read))
        take(view, Sender(BOB), content.Receipt((TWO, THREE), read=read))
    assert view.marks == {}
    take(view, Sender(BOB), content.Receipt((ONE,), read=True))
    assert view.marks == {ONE: True}


@given(st.integers(0, 2**64 - 1), contents())
def test_attack_33_no_rule_reads_the_senders_clock(time: int, taken: Content) -> None:
    """Ten years early or late: the effects are the same."""
    other = Content(taken.content_id, time, taken.payload)
    sender = Sender(BOB)
    assert rules.take(a_talk(), sender, taken) == rules.take(a_talk(), sender, other)


def test_a_key_that_nobody_accepted_speaks_but_changes_nothing() -> None:
    """Its texts are shown; its reactions, timers and names wait for the person, who is told."""
    waiting = Sender(CAROL, accepted=False)
    changes: list[content.Payload] = [
        content.Reaction(Reference(own=False, content_id=ONE), 1, "👍"),
        content.Timer(1, 60),
        content.Profile(1, "Bob"),
    ]
    for payload in changes:
        assert take(a_talk(), waiting, payload) == [rules.NotApplied]
    assert rules.AddLine in take(a_talk(), waiting, content.Text("it is me"))


def test_a_timer_cannot_be_made_final() -> None:
    """A number near the end of all numbers would leave nobody a higher one: it is refused, said."""
    view = a_talk()
    assert take(view, Sender(BOB), content.Timer(2**63 - 1, 5)) == [rules.NotApplied]
    assert view.timer() == Timer(0, 0)
    take(view, Sender(BOB), content.Timer(rules.TIMER_JUMP, 60))
    assert view.timer().seconds == 60


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([0, 5, 60])), max_size=6), st.data())
def test_timers_set_at_once_end_alike(timers: list[tuple[int, int]], data: st.DataObject) -> None:
    """In any order, the highest number counts, and of equal ones the shorter time."""
    views = [a_talk(), a_talk()]
    orders = [timers, data.draw(st.permutations(timers))]
    for view, order in zip(views, orders, strict=True):
        for revision, seconds in order:
            take(view, Sender(BOB), content.Timer(revision, seconds))
    assert views[0].timer() == views[1].timer()
    if timers:
        highest = max(revision for revision, _ in timers)
        same = [seconds for revision, seconds in timers if revision == highest]
        assert views[0].timer().seconds == min(same, key=lambda one: one or 2**40)


def test_typing_counts_only_live_and_from_people_we_know() -> None:
    """Stored and delivered later, or from a stranger, it says nothing."""
    typing = Content(THREE, 0, content.Typing(active=True))
    shown = (rules.ShowTyping(active=True),)
    assert rules.take(a_talk(), Sender(BOB), typing, live=True) == shown
    assert rules.take(a_talk(), Sender(BOB), typing) == ()
    assert rules.take(a_talk(), Sender(BOB, engaged=False), typing, live=True) == ()
    assert rules.take(a_talk(), Sender(BOB, accepted=False), typing, live=True) == ()


def test_what_was_deleted_never_comes_back() -> None:
    """Deleted before it came, or repeated afterwards: the text is not shown again."""
    view = a_talk()
    assert take(view, Sender(BOB), content.Delete(THREE)) == [rules.Erase]
    assert rules.AddLine not in take(view, Sender(BOB), content.Text("late"), THREE)
    take(view, Sender(BOB), content.Delete(TWO))
    again: list[content.Payload] = [
        content.Text("theirs"),
        content.Edit(TWO, 1, "back"),
        content.Reaction(Reference(own=True, content_id=TWO), 1, "👍"),
    ]
    for payload in again:
        take(view, Sender(BOB), payload, TWO)
    assert not view.is_here(Ref(BOB, TWO))
    assert view.edits == {}
    assert view.reactions == {}
