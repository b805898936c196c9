"""Two devices over a channel that drops, repeats, reorders, corrupts, misdirects and replays.

A model-based test: whatever the channel, the restarts and the losses do, what is delivered is what
was sent, once, from whom it says; what should arrive does; and at the end the two can talk.
"""

import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from secure_chat.crypto.peer import read_initial
from secure_chat.errors import PeerError
from secure_chat.protocol import limits
from tests.crypto.support import DAY_MS, Link, Person

WHO = st.sampled_from(["alice", "bob"])


@dataclass
class InFlight:
    """A body that the channel holds, and may deliver as often as it likes."""

    sender: str
    body: bytes
    text: str
    session: bytes
    initial: bool
    delivered: bool = False


@dataclass
class End:
    """One device with what the model knows of it."""

    link: Link
    sessions: set[bytes] = field(default_factory=set)  # that it holds and must read
    restored: bool = False


class HostileChannel(RuleBasedStateMachine):
    """Alice and Bob, and Mallory in the middle."""

    pq_messages = 3

    @initialize(stock=st.integers(0, 3), seed=st.integers(0, 3))
    def meet(self, stock: int, seed: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "PQ_MESSAGES", self.pq_messages)
        people = {name: Person(name, stock=stock, seed=f"{seed}") for name in ("alice", "bob")}
        self.ends = {
            "alice": End(Link(people["alice"], people["bob"])),
            "bob": End(Link(people["bob"], people["alice"])),
        }
        carol = Person("carol", stock=0, seed=f"{seed}")
        self.carol = {name: Link(carol, person) for name, person in people.items()}
        self.channel: list[InFlight] = []
        self.sent = 0
        self.starts = 0
        self.pass_time(1)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def _other(self, name: str) -> str:
        return "bob" if name == "alice" else "alice"

    # ------------------------------------------------------------ what the two do

    @precondition(lambda self: self.starts < limits.SESSIONS_PER_PEER - 2)
    @rule(who=WHO)
    def start(self, who: str) -> None:
        """A device begins a session, for the first time or again."""
        self._start(self.ends[who], anew=self.ends[who].restored)

    def _start(self, end: End, *, anew: bool) -> None:
        self.starts += 1
        end.link.start(anew=anew)
        session = end.link.sessions.session_id
        assert session is not None
        end.sessions.add(session)

    @rule(who=WHO, length=st.integers(0, 700))
    def send(self, who: str, length: int) -> None:
        end = self.ends[who]
        if not end.link.sessions.ready:
            return
        self.sent += 1
        text = f"{self.sent} from {who} ".ljust(length, ".")
        before = end.link.sessions.session_id
        body = end.link.seal(text)
        assert before is not None
        initial = read_initial(body) is not None
        self.channel.append(InFlight(who, body, text, before, initial))

    @rule(who=WHO)
    def restart_program(self, who: str) -> None:
        self.ends[who].link.reload()

    @precondition(lambda self: self.starts < limits.SESSIONS_PER_PEER - 2)
    @rule(who=WHO)
    def restore_old_vault(self, who: str) -> None:
        """All sessions are given up, as an engine does that notices its old state."""
        end = self.ends[who]
        end.link.sessions.drop_sessions()
        end.sessions.clear()
        end.restored = True

    @rule(hours=st.integers(1, 30))
    def pass_time(self, hours: int) -> None:
        for end in self.ends.values():
            end.link.now += hours * DAY_MS // 24

    # ------------------------------------------------------------ what the channel does

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Any body, in any order, perhaps again."""
        self._deliver(data.draw(st.sampled_from(self.channel)))

    @precondition(lambda self: self.channel)
    @rule()
    def deliver_newest(self) -> None:
        self._deliver(self.channel[-1])

    def _deliver(self, item: InFlight) -> None:
        name = self._other(item.sender)
        end = self.ends[name]
        before = end.link.sessions.serialize()
        try:
            opened = end.link.opened(item.body)
        except PeerError:
            assert end.link.sessions.serialize() == before
            assert item.delivered or not self._must_open(item, end)
            return
        assert opened.content.decode() == item.text, "what was sent"
        assert not item.delivered, "once"
        assert opened.session_id == item.session
        item.delivered = True
        end.sessions.add(opened.session_id)

    def _must_open(self, item: InFlight, end: End) -> bool:
        """Whether a first delivery has to succeed: nothing but a loss excuses a failure."""
        if self.starts > limits.SESSIONS_PER_PEER:
            return False  # the oldest sessions may have been given up
        if item.session in end.sessions:
            return True
        return item.initial and not end.restored

    @precondition(lambda self: self.channel)
    @rule(data=st.data(), at=st.integers(0, 10**6), flip=st.integers(1, 255))
    def corrupt(self, data: st.DataObject, at: int, flip: int) -> None:
        item = data.draw(st.sampled_from(self.channel))
        forged = bytearray(item.body)
        forged[at % len(forged)] ^= flip
        self._refused(self._other(item.sender), bytes(forged))

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def reflect(self, data: st.DataObject) -> None:
        """A body goes back to its sender."""
        item = data.draw(st.sampled_from(self.channel))
        self._refused(item.sender, item.body)

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def misdirect(self, data: st.DataObject) -> None:
        """A body goes to Carol, who is asked to take it for its sender's."""
        item = data.draw(st.sampled_from(self.channel))
        self._refused_by(self.carol[item.sender], item.body)

    def _refused(self, name: str, body: bytes) -> None:
        self._refused_by(self.ends[name].link, body)

    def _refused_by(self, link: Link, body: bytes) -> None:
        before = link.sessions.serialize()
        with pytest.raises(PeerError):
            link.open(body)
        assert link.sessions.serialize() == before

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.channel.remove(data.draw(st.sampled_from(self.channel)))

    # ------------------------------------------------------------ what always holds

    @invariant()
    def steps_are_at_most_one_apart(self) -> None:
        if not hasattr(self, "ends"):
            return
        held = [
            {each.id: each.ratchet.pq.step for each in end.link.sessions._sessions}
            for end in self.ends.values()
        ]
        for session in held[0].keys() & held[1].keys():
            assert abs(held[0][session] - held[1][session]) <= 1

    @invariant()
    def state_is_bounded(self) -> None:
        if not hasattr(self, "ends"):
            return
        for end in self.ends.values():
            assert len(end.link.sessions.serialize()) < 100_000

    @precondition(lambda self: self.starts > 0)
    @rule()
    def they_can_talk_again(self) -> None:
        """Left alone, both read each other within a few turns, after at most one restart each."""
        for attempt in range(6):
            heard = [self._try_to_talk(name, attempt) for name in ("alice", "bob")]
            if all(heard) and attempt:
                break
        else:
            pytest.fail("they do not converge")
        ids = {end.link.sessions.session_id for end in self.ends.values()}
        assert len(ids) == 1, "both send on the same session"

    def _try_to_talk(self, name: str, attempt: int) -> bool:
        end, other = self.ends[name], self.ends[self._other(name)]
        if not end.link.sessions.ready:
            self._start(end, anew=end.restored)
        body = end.link.seal(f"again {attempt}")
        try:
            opened = other.link.opened(body)
        except PeerError:
            self._start(other, anew=True)
            return False
        assert opened.content.decode() == f"again {attempt}"
        other.sessions.add(opened.session_id)
        return True


HostileChannel.TestCase.settings = settings(
    max_examples=int(os.environ.get("SECURE_CHAT_EXAMPLES", "100")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestHostileChannel = HostileChannel.TestCase
