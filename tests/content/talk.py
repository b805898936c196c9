"""Two people and a channel that drops, repeats and reorders: what both see in the end is the same.

Written once, for any `Store` of a conversation: the model in memory and the real vault.
"""

from abc import abstractmethod
from typing import Protocol

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    multiple,
    rule,
)

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId, Payload, Reference, rules
from secure_chat.client.content.check import EDITS
from secure_chat.client.content.rules import OURSELVES, Author, Ref, Sender, Version
from tests.content.model import Shown
from tests.content.strategies import EMOJI, names, texts, timers


class Store(rules.View, Protocol):
    """A conversation that can be looked at and changed."""

    @abstractmethod
    def apply(self, effect: rules.Effect) -> None: ...

    @abstractmethod
    def shown(self, me: bytes) -> Shown: ...

    @abstractmethod
    def sent(self, content_id: ContentId, to: Author) -> None: ...


KEYS = (b"A" * 32, b"B" * 32)
FORGER = b"C" * 32
Letter = tuple[int, int]
"""Who wrote it, and its place in what they wrote."""


class Side:
    """One person's device."""

    def __init__(self, number: int, store: Store) -> None:
        self.key, self.other = KEYS[number], Author(KEYS[1 - number])
        self.store = store
        self.written: list[Content] = []
        self.confirmed: set[ContentId] = set()
        self.vanished: set[tuple[bytes, bytes]] = set()

    def write(self, payload: Payload, content_id: ContentId) -> None:
        made = Content(content_id, 0, payload)
        for effect in rules.take(self.store, Sender(OURSELVES, self.other), made):
            self.store.apply(effect)
        self.store.sent(content_id, self.other)
        self.written.append(made)

    def receive(self, taken: Content, sender: Sender | None = None) -> list[ContentId]:
        """Returns what is to be confirmed."""
        sender = sender or Sender(self.other)
        confirmed = []
        for effect in rules.take(self.store, sender, taken):
            self.store.apply(effect)
            if isinstance(effect, rules.Confirm):
                confirmed.append(effect.content_id)
        return confirmed

    def refs(self) -> list[Ref]:
        """What stands in the conversation, each message under its key here."""
        return [
            Ref(OURSELVES if author == self.key else Author(author), ContentId(content_id))
            for author, content_id in sorted(self.store.shown(self.key))
        ]


class Talk(RuleBasedStateMachine):
    """Two sides; every content that one writes may reach the other at any time, or times, or not.

    A content that was not confirmed is kept and sent again, as the outbox does.
    """

    letters: Bundle[Letter] = Bundle("letters")

    def __init__(self) -> None:
        super().__init__()
        self.sides = [Side(number, self.new_store()) for number in (0, 1)]
        self._ids = 0

    def new_store(self) -> Store:
        raise NotImplementedError

    def _id(self) -> ContentId:
        self._ids += 1
        return ContentId(self._ids.to_bytes(16, "big"))

    def _write(self, who: int, payload: Payload) -> Letter:
        side = self.sides[who]
        side.write(payload, self._id())
        return who, len(side.written) - 1

    def _pick(self, who: int, place: int, *, own: bool = False) -> Ref | None:
        refs = [ref for ref in self.sides[who].refs() if ref.author == OURSELVES or not own]
        return refs[place % len(refs)] if refs else None

    # ------------------------------------------------------------ what people do

    @rule(
        target=letters,
        who=st.integers(0, 1),
        text=texts,
        timer=timers,
        place=st.none() | st.integers(0, 9),
    )
    def say(self, who: int, text: str, timer: int, place: int | None) -> Letter:
        ref = None if place is None else self._pick(who, place)
        quote = None if ref is None else Reference(ref.author == OURSELVES, ref.content_id)
        return self._write(who, content.Text(text, timer, quote))

    @rule(target=letters, who=st.integers(0, 1), place=st.integers(0, 9), text=texts)
    def edit(self, who: int, place: int, text: str) -> "Letter | MultipleResults[Letter]":
        ref = self._pick(who, place, own=True)
        if ref is None:
            return multiple()
        side = self.sides[who]
        used = [n for n in range(1, EDITS + 1) if side.store.edit(ref, n) is not None]
        return self._write(who, content.Edit(ref.content_id, len(used) + 1, text))

    @rule(target=letters, who=st.integers(0, 1), place=st.integers(0, 9))
    def delete(self, who: int, place: int) -> "Letter | MultipleResults[Letter]":
        ref = self._pick(who, place, own=True)
        if ref is None:
            return multiple()
        return self._write(who, content.Delete(ref.content_id))

    @rule(
        target=letters,
        who=st.integers(0, 1),
        place=st.integers(0, 9),
        emoji=st.sampled_from(EMOJI),
    )
    def react(self, who: int, place: int, emoji: str) -> "Letter | MultipleResults[Letter]":
        ref = self._pick(who, place)
        if ref is None:
            return multiple()
        before = self.sides[who].store.reaction(ref, OURSELVES) or Version(0, "")
        reference = Reference(ref.author == OURSELVES, ref.content_id)
        return self._write(who, content.Reaction(reference, before.revision + 1, emoji))

    @rule(target=letters, who=st.integers(0, 1), seconds=timers)
    def set_timer(self, who: int, seconds: int) -> Letter:
        before = self.sides[who].store.timer()
        return self._write(who, content.Timer(before.revision + 1, seconds))

    @rule(target=letters, who=st.integers(0, 1), name=names)
    def rename(self, who: int, name: str) -> Letter:
        before = self.sides[who].store.name(OURSELVES) or Version(0, "")
        return self._write(who, content.Profile(before.revision + 1, name))

    @rule(who=st.integers(0, 1), place=st.integers(0, 9))
    def expire(self, who: int, place: int) -> None:
        """A message disappears on one side, by its own clock."""
        ref = self._pick(who, place)
        if ref is not None:
            side = self.sides[who]
            side.store.apply(rules.Erase(ref))
            real = side.key if ref.author == OURSELVES else ref.author
            side.vanished.add((real, ref.content_id))

    # ------------------------------------------------------------ what the channel does

    @rule(letter=consumes(letters))
    def deliver(self, letter: Letter) -> None:
        self._arrive(letter)

    @rule(letter=letters)
    def deliver_and_keep_for_later(self, letter: Letter) -> None:
        self._arrive(letter)

    @rule(letter=consumes(letters))
    def lose(self, letter: Letter) -> None:
        """It never comes; its sender has it still."""

    @rule(letter=letters)
    def deliver_and_lose_the_receipt(self, letter: Letter) -> None:
        who, place = letter
        self.sides[1 - who].receive(self.sides[who].written[place])

    @rule(letter=letters, who=st.integers(0, 1))
    def forge(self, letter: Letter, who: int) -> None:
        """A third key repeats what somebody wrote, as its own: no message of others changes."""
        author, place = letter
        victim = self.sides[who]
        before = victim.store.shown(victim.key)
        named = [key for key in before if key[0] != FORGER]
        victim.receive(
            self.sides[author].written[place], Sender(Author(FORGER), accepted=False, engaged=False)
        )
        after = victim.store.shown(victim.key)
        assert [after.get(key) for key in named] == [before[key] for key in named]

    def _arrive(self, letter: Letter) -> None:
        who, place = letter
        writer, reader = self.sides[who], self.sides[1 - who]
        writer.confirmed.update(reader.receive(writer.written[place]))

    # ------------------------------------------------------------ the end

    def teardown(self) -> None:
        """All that was not confirmed is sent again, the last first: then both see the same."""
        for _ in range(2):  # what waited for a message is confirmed once that came
            for who, side in enumerate(self.sides):
                for place in reversed(range(len(side.written))):
                    if side.written[place].content_id not in side.confirmed:
                        self._arrive((who, place))
        one, two = self.sides
        vanished = one.vanished | two.vanished
        first, second = one.store.shown(one.key), two.store.shown(two.key)
        for shown in (first, second):
            for key in list(shown):
                if key in vanished or key[0] == FORGER:
                    del shown[key]
        assert first == second
        assert one.store.timer().revision == two.store.timer().revision
        assert one.store.timer().seconds == two.store.timer().seconds
        for here, there in ((one, two), (two, one)):
            assert here.store.name(OURSELVES) == there.store.name(here_key(here))
        for side in self.sides:
            assert side.vanished.isdisjoint(side.store.shown(side.key))


def here_key(side: Side) -> Author:
    """The key under which the other side knows this one."""
    return Author(side.key)
