"""Two engines in a world that drops, crashes, repeats and loses: both end with the same talk."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from secure_chat.client.events import Message, Problem
from secure_chat.client.vault import identity
from secure_chat.errors import SecureChatError
from tests.client import test_exactly_once
from tests.client.sim import SimClient

_names = st.sampled_from(["alice", "bob"])
_places = st.integers(0, 20)
_Seen = dict[tuple[str, bytes], tuple[str, tuple[tuple[str, str], ...], bytes]]


class BrokenContent(test_exactly_once.BrokenWorld):
    """As the world of texts, and people edit, delete, react, answer and set timers in it."""

    def _any(self, name: str, place: int, *, own: bool = False) -> Message | None:
        client, other = self._pair(name)
        lines = [
            one
            for one in client.lines(other)
            if not (one.is_notice or one.deleted) and (one.ours or not own)
        ]
        return lines[place % len(lines)] if lines else None

    @rule(name=_names, place=_places, text=st.sampled_from(["changed", "again", "سلام"]))
    def edit(self, name: str, place: int, text: str) -> None:
        client, other = self._pair(name)
        line = self._any(name, place, own=True)
        if line is not None:
            client.engine.edit(other.name, line.number, text)
            client.settle()

    @rule(name=_names, place=_places)
    def delete(self, name: str, place: int) -> None:
        client, other = self._pair(name)
        line = self._any(name, place, own=True)
        if line is not None:
            client.engine.delete(other.name, line.number)
            client.settle()

    @rule(name=_names, place=_places, emoji=st.sampled_from(["👍", "❤️", ""]))
    def react(self, name: str, place: int, emoji: str) -> None:
        client, other = self._pair(name)
        line = self._any(name, place)
        if line is not None:
            client.engine.react(other.name, line.number, emoji)
            client.settle()

    @rule(name=_names, place=_places)
    def answer(self, name: str, place: int) -> None:
        client, other = self._pair(name)
        line = self._any(name, place)
        if line is not None:
            client.engine.send_text(other.name, "an answer", reply_to=line.number)
            client.settle()

    @rule(name=_names, days=st.sampled_from([0, 200, 250, 300]))
    def set_timer(self, name: str, days: int) -> None:
        client, other = self._pair(name)
        # Longer than this world's clock and ours are apart: nothing disappears meanwhile.
        client.engine.set_timer(other.name, days * 86_400)
        client.settle()

    @rule(name=_names, chosen=st.sampled_from(["A", "B", ""]))
    def rename(self, name: str, chosen: str) -> None:
        client, _ = self._pair(name)
        client.engine.set_profile(chosen)
        client.settle()

    def _check(self) -> None:
        self.sim.run()
        alice, bob = self.sim.clients["alice"], self.sim.clients["bob"]
        assert _seen(alice, bob) == _seen(bob, alice)
        timers = {one.timer for client in (alice, bob) for one in client.engine.conversations()}
        assert len(timers) <= 1
        for client in (alice, bob):
            assert not [_wrong(e) for e in client.events if isinstance(e, Problem)]


def _wrong(event: Problem) -> SecureChatError:
    return event.error


def _seen(client: SimClient, other: SimClient) -> _Seen:
    """Texts, reactions and quotes as this side shows them, under the authors' real names."""

    def who(ours: bool) -> str:
        return str(client.name if ours else other.name)

    return {
        (who(line.ours), line.content_id): (
            line.text,
            tuple(sorted((who(one.ours), one.emoji) for one in line.reactions)),
            line.quoted.content_id if line.quoted is not None else b"",
        )
        for line in client.lines(other)
        if not line.is_notice and not line.deleted
    }


BrokenContent.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestBrokenContent = BrokenContent.TestCase


class LostSessions(BrokenContent):
    """Two people who know each other, and whose vaults are found to be older than the server."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        for name in ("alice", "bob"):
            client, other = self._pair(name)
            client.write(other, "hello")
            self.sim.run()

    @rule(name=_names)
    def lose_sessions(self, name: str) -> None:
        """What was under way under the old sessions can never be read; it is sent again."""
        client, _ = self._pair(name)
        with client.engine._vault.write() as db:
            if identity.standing(db).acked:
                db.execute("UPDATE profile SET acked = 0")
        client.crash()
        client.connect()
        self.sim.run()

    def _check(self) -> None:
        alice, bob = self.sim.clients["alice"], self.sim.clients["bob"]
        for _ in range(3):  # a session is set up anew at most once an hour
            self.sim.run()
            for client in (alice, bob):
                client.pass_time(4_000)
                client.core.tick(*client.clock())
                client.settle()
        assert _seen(alice, bob) == _seen(bob, alice)


LostSessions.TestCase.settings = settings(BrokenContent.TestCase.settings, max_examples=10)
TestLostSessions = LostSessions.TestCase
