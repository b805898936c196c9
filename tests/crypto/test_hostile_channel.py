"""Two to four devices over a channel that drops, repeats, reorders, corrupts and misdirects.

A model-based test: two accounts with one or two devices each, a session for each pair of devices.
Whatever the channel, restarts, lost vaults and a thief of one device's state do, what is delivered
is what was sent, once, from whom it says; what should arrive does; in the end any two can talk.
"""

import itertools
import os
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.errors import PeerError
from secure_chat.protocol import limits
from tests.crypto.support import DAY_MS, NOW, Link, Person, talking
from tests.crypto.thief import Thief

DEVICES = [
    ["alice", "bob"],
    ["alice", "alice/phone", "bob"],
    ["alice", "alice/phone", "bob", "bob/phone"],
]
Ends = tuple[str, str]  # a device, and the other one of the pair
_STARTS = limits.SESSIONS_PER_PEER - 2
_LATE = 30 * DAY_MS  # what is this late may have been forgotten


@dataclass
class InFlight:
    """A body that the channel holds, and may deliver as often as it likes."""

    sender: str
    to: str
    body: bytes
    text: str
    session: bytes
    initial: bool
    delivered: bool = False
    fresh: bool = False  # sealed by the victim under a key that it made after the theft
    secret: bool = False  # sealed for the victim after a fresh key of the victim was read


@dataclass
class End:
    """One end of a pair with what the model knows of it."""

    link: Link
    sessions: set[bytes] = field(default_factory=set)  # that it holds and must read
    restored: bool = False


@dataclass
class Theft:
    """What a thief took, and what the model says that it cannot read."""

    thief: Thief
    victim: str
    known: set[bytes]  # sessions there were
    fresh: set[bytes] = field(default_factory=set)  # the victim's chain began afterwards
    healed: set[bytes] = field(default_factory=set)  # and the other has read it


class HostileChannel(RuleBasedStateMachine):
    """Devices of two accounts, Carol, who is a stranger, and Mallory in the middle."""

    pq_messages = 3

    @initialize(names=st.sampled_from(DEVICES), stock=st.integers(0, 3), seed=st.integers(0, 3))
    def meet(self, names: list[str], stock: int, seed: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(limits, "PQ_MESSAGES", self.pq_messages)
        self.names = names
        self.people: dict[str, Person] = {}
        for name in names:
            first = self.people.get(name.partition("/")[0])
            self.people[name] = Person(name, stock=stock, seed=f"{seed}", first=first)
        self.ends = {
            (one, other): End(Link(self.people[one], self.people[other]))
            for one, other in itertools.permutations(names, 2)
        }
        carol = Person("carol", stock=0, seed=f"{seed}")
        self.carol = {name: Link(carol, person) for name, person in self.people.items()}
        self.channel: list[InFlight] = []
        self.history: list[InFlight] = []
        self.starts = dict.fromkeys(map(frozenset, itertools.combinations(names, 2)), 0)
        self.anew = dict.fromkeys(names, 0)  # how often a device's prekeys were replaced
        self.claimed: dict[bytes, tuple[str, int]] = {}  # whose bundle a session was begun with
        self.vaults = {name: self._vault(name) for name in names}
        self.theft: Theft | None = None
        self.now = NOW
        self.pass_time(1)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()

    def _of(self, name: str) -> dict[str, End]:
        """A device's ends, by the other device."""
        return {other: end for (one, other), end in self.ends.items() if one == name}

    def _vault(self, name: str) -> dict[str, bytes]:
        return {other: end.link.sessions.serialize() for other, end in self._of(name).items()}

    def _pair(self, data: st.DataObject) -> Ends:
        """Half of the time the same two, so that some conversation is deep."""
        pairs = sorted(self.ends)
        return data.draw(st.sampled_from(pairs[:1] * 2 + [pairs[0][::-1]] * 2 + pairs))

    def _item(self, data: st.DataObject) -> InFlight:
        return data.draw(st.sampled_from(self.channel))

    # ------------------------------------------------------------ what devices do

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """A device begins a session, for the first time or again."""
        pair = self._pair(data)
        if self.starts[frozenset(pair)] < _STARTS:
            self._start(pair, anew=self.ends[pair].restored)

    def _start(self, pair: Ends, *, anew: bool) -> None:
        end, other = self.ends[pair], self.people[pair[1]]
        self.starts[frozenset(pair)] += 1
        if other.signed_prekey.expires - self.now < 21 * DAY_MS:
            other.rotate(self.now)
        end.link.start(anew=anew)
        session = end.link.sessions.session_id
        assert session is not None
        end.sessions.add(session)
        self.claimed[session] = pair[1], self.anew[pair[1]]

    @rule(data=st.data(), length=st.integers(0, 700))
    def send(self, data: st.DataObject, length: int) -> None:
        """To one device of another person, or of one's own."""
        self._send(self._pair(data), length)

    @rule(data=st.data())
    def send_to_all(self, data: st.DataObject) -> None:
        """What somebody says goes to each device that there is, each copy on its own session."""
        name = data.draw(st.sampled_from(self.names))
        for other in self._of(name):
            self._send((name, other), 0)

    def _send(self, pair: Ends, length: int) -> None:
        sessions = self.ends[pair].link.sessions
        if not sessions.ready:
            self._start(pair, anew=self.ends[pair].restored)
        text = f"{len(self.history)} from {pair[0]} to {pair[1]} ".ljust(length, ".")
        session, lazy = sessions.session_id, sessions._sessions[0].ratchet.sending is None
        body = self.ends[pair].link.seal(text)
        assert session is not None
        item = InFlight(*pair, body, text, session, read_initial(body) is not None)
        self.channel.append(item)
        self.history.append(item)
        if self.theft is not None:
            self._watched(self.theft, item, begins_chain=lazy)

    @rule(data=st.data(), turns=st.integers(1, 4))
    def converse(self, data: st.DataObject, turns: int) -> None:
        """An hour without Mallory: each writes and the other reads."""
        pair = self._pair(data)
        for _ in range(turns):
            for direction in (pair, pair[::-1]):
                if self.starts[frozenset(pair)] < _STARTS:
                    self._send(direction, 0)
                    self._deliver(self.channel[-1])

    @rule(data=st.data())
    def restart_program(self, data: st.DataObject) -> None:
        for end in self._of(data.draw(st.sampled_from(self.names))).values():
            end.link.reload()

    @rule(data=st.data())
    def copy_the_vault(self, data: st.DataObject) -> None:
        """A backup, which may come back."""
        name = data.draw(st.sampled_from(self.names))
        self.vaults[name] = self._vault(name)

    @precondition(lambda self: max(self.starts.values()) < _STARTS)
    @rule(data=st.data())
    def restore_an_old_vault(self, data: st.DataObject) -> None:
        """As an engine does that notices: all sessions and prekeys of the copy are given up."""
        name = data.draw(st.sampled_from(self.names))
        for other, end in self._of(name).items():
            end.link.sessions = PeerSessions.load(end.link.person.device, self.vaults[name][other])
            end.link.sessions.drop_sessions()
            end.sessions.clear()
            end.restored = True
        self.people[name].begin_anew(self.now)
        self.anew[name] += 1

    @rule(hours=st.integers(1, 30))
    def pass_time(self, hours: int) -> None:
        self.now += hours * DAY_MS // 24
        for end in self.ends.values():
            end.link.now = self.now

    # ------------------------------------------------------------ what the channel does

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Any body, in any order, perhaps again."""
        self._deliver(self._item(data))

    @precondition(lambda self: self.channel)
    @rule()
    def deliver_newest(self) -> None:
        self._deliver(self.channel[-1])

    @rule(data=st.data(), count=st.integers(2, 5))
    def deliver_backwards_and_again(self, data: st.DataObject, count: int) -> None:
        """A burst of one device comes in the wrong order, and then all of it once more."""
        pair = self._pair(data)
        if self.starts[frozenset(pair)] < _STARTS:
            for _ in range(count):
                self._send(pair, 0)
            burst = self.channel[-count:]
            for item in (*reversed(burst), *burst):
                self._deliver(item)

    @precondition(lambda self: any(item.delivered for item in self.channel))
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        """What was read before, whatever has happened since."""
        read = [item for item in self.channel if item.delivered]
        self._deliver(data.draw(st.sampled_from(read)))

    def _deliver(self, item: InFlight) -> None:
        end = self.ends[item.to, item.sender]
        if self.theft is not None and item.to == self.theft.victim:
            read = self.theft.thief.follows(item.sender, item.body)
            event(f"the thief {'reads' if read else 'cannot read'} what comes")
            assert not (read and item.secret), "recovery after the theft"
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
        if self.theft is not None and item.fresh:
            self.theft.healed.add(item.session)

    def _must_open(self, item: InFlight, end: End) -> bool:
        """Whether a first delivery has to succeed: nothing but a loss excuses a failure."""
        many = self.starts[frozenset((item.sender, item.to))] > limits.SESSIONS_PER_PEER
        if many or self.now - NOW > _LATE:  # the oldest sessions may have been given up
            return False
        if item.session in end.sessions:
            return True
        return item.initial and self.claimed[item.session] == (item.to, self.anew[item.to])

    @precondition(lambda self: self.channel)
    @rule(data=st.data(), at=st.integers(0, 10**6), flip=st.integers(1, 255))
    def corrupt(self, data: st.DataObject, at: int, flip: int) -> None:
        item = self._item(data)
        forged = bytearray(item.body)
        forged[at % len(forged)] ^= flip
        self._refused(self.ends[item.to, item.sender].link, bytes(forged))

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def misdirect(self, data: st.DataObject) -> None:
        """A body goes back, to another device, or to the right one as if another had sent it."""
        item, pair = self._item(data), self._pair(data)
        if pair != (item.to, item.sender):
            self._refused(self.ends[pair].link, item.body)

    @precondition(lambda self: self.channel and len(self.names) > 2)
    @rule(data=st.data())
    def misattribute(self, data: st.DataObject) -> None:
        """The newest body reaches its recipient under the name of another device."""
        item = self.channel[-1]
        others = [name for name in self.names if name not in {item.to, item.sender}]
        self._refused(self.ends[item.to, data.draw(st.sampled_from(others))].link, item.body)

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def misdirect_to_a_stranger(self, data: st.DataObject) -> None:
        item = self._item(data)
        self._refused(self.carol[item.sender], item.body)

    def _refused(self, link: Link, body: bytes) -> None:
        before = link.sessions.serialize()
        with pytest.raises(PeerError):
            link.open(body)
        assert link.sessions.serialize() == before

    @precondition(lambda self: self.channel)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        self.channel.remove(self._item(data))

    # ------------------------------------------------------------ what a thief can read

    @rule(data=st.data())
    def steal(self, data: st.DataObject) -> None:
        """Somebody copies a device's whole state, and reads nothing of what was before."""
        victim = data.draw(st.sampled_from(self.names))
        ends = self._of(victim)
        thief = Thief({other: end.link for other, end in ends.items()})
        for item in self.history:
            if item.to == victim and item.delivered:
                assert not thief.reads_past(item.sender, item.body), "forward secrecy"
            if item.sender == victim:
                assert not thief.reads_sent(item.to, item.body), "forward secrecy"
            item.fresh = item.secret = False
        known = {each.id for end in ends.values() for each in end.link.sessions._sessions}
        self.theft = Theft(thief, victim, known)

    def _watched(self, theft: Theft, item: InFlight, *, begins_chain: bool) -> None:
        """Keep what the model promises against the thief, and check it at once where it can be."""
        if item.sender == theft.victim:
            if begins_chain or item.session not in theft.known:
                theft.fresh.add(item.session)
            item.fresh = item.session in theft.fresh
            read = theft.thief.follows_sent(item.to, item.body)
            assert not (read and item.fresh), "recovery after the theft"
        elif item.to == theft.victim:
            item.secret = item.session in theft.healed

    # ------------------------------------------------------------ what always holds

    @invariant()
    def steps_are_at_most_one_apart(self) -> None:
        for one, other in itertools.combinations(getattr(self, "names", ()), 2):
            held = [
                {each.id: each.ratchet.pq.step for each in self.ends[pair].link.sessions._sessions}
                for pair in ((one, other), (other, one))
            ]
            for session in held[0].keys() & held[1].keys():
                assert abs(held[0][session] - held[1][session]) <= 1

    @invariant()
    def state_is_bounded(self) -> None:
        for end in getattr(self, "ends", {}).values():
            assert len(end.link.sessions.serialize()) < 100_000

    @rule(data=st.data())
    def they_can_talk_again(self, data: st.DataObject) -> None:
        """Left alone, both read each other within a few turns, after at most one restart each."""
        one, other = self._pair(data)
        if self.starts[frozenset((one, other))] >= _STARTS:
            return
        for attempt in range(6):
            heard = [self._try_to_talk(pair, attempt) for pair in ((one, other), (other, one))]
            if all(heard) and attempt:
                break
        else:
            pytest.fail("they do not converge")
        ids = {self.ends[pair].link.sessions.session_id for pair in ((one, other), (other, one))}
        assert len(ids) == 1, "both send on the same session"

    def _try_to_talk(self, pair: Ends, attempt: int) -> bool:
        self._send(pair, 0)
        item = self.channel[-1]
        self._deliver(item)
        if not item.delivered:
            self._start(pair[::-1], anew=True)
        return item.delivered


HostileChannel.TestCase.settings = settings(
    max_examples=int(os.environ.get("SECURE_CHAT_EXAMPLES", "60")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# A failing run is made small before it is told, which takes minutes.
TestHostileChannel = pytest.mark.timeout(600)(HostileChannel.TestCase)


def test_the_thief_of_the_model_reads_what_it_should() -> None:
    """The attacker is no straw man: it reads all until the victim's fresh key is answered."""
    alice, bob = talking(seed="thief")
    waiting = alice.seal("on the way")
    thief = Thief({"alice": bob})
    assert thief.follows("alice", waiting)
    assert thief.reads_sent("alice", bob.seal("on the stolen chain"))
    assert thief.follows("alice", alice.seal("on the stolen chain"))
    bob.open(waiting)
    fresh = bob.seal("under a fresh key")
    assert not thief.reads_sent("alice", fresh)
    assert thief.follows("alice", alice.seal("not answered yet"))
    alice.open(fresh)
    assert not thief.follows("alice", alice.seal("answered"))
