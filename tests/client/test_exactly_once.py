"""At least once on the wire, exactly once on the screen, in order: whatever breaks in between."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from secure_chat.client.events import MessageState, Problem
from secure_chat.protocol.messages import Pm
from tests.client.sim import Sim, SimClient, template

_names = st.sampled_from(["alice", "bob"])


class BrokenWorld(RuleBasedStateMachine):
    """Connections drop, programs die, the server repeats itself; people write all the while."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._sim: Sim | None = None
        self._written: dict[str, list[str]] = {"alice": [], "bob": []}

    @property
    def sim(self) -> Sim:
        assert self._sim is not None
        return self._sim

    def _pair(self, name: str) -> tuple[SimClient, SimClient]:
        other = "bob" if name == "alice" else "alice"
        return self.sim.clients[name], self.sim.clients[other]

    @initialize()
    def begin(self) -> None:
        self._sim = template().copy(Path(self._folder.name) / "world")

    @rule(name=_names)
    def write(self, name: str) -> None:
        client, other = self._pair(name)
        self._written[name].append(f"{name} {len(self._written[name])}")
        client.write(other, self._written[name][-1])

    @rule(name=_names)
    def connect(self, name: str) -> None:
        client, _ = self._pair(name)
        if not client.connected:
            client.connect()

    @rule(name=_names, count=st.integers(1, 12))
    def serve(self, name: str, count: int) -> None:
        for _ in range(count):
            self.sim.serve(self._pair(name)[0])

    @rule(name=_names, count=st.integers(1, 12))
    def receive(self, name: str, count: int) -> None:
        client, _ = self._pair(name)
        if client.connected and client.down:
            client.receive(count)

    @rule(name=_names)
    def drop(self, name: str) -> None:
        client, _ = self._pair(name)
        if client.connected:
            client.drop()

    @rule(name=_names)
    def crash(self, name: str) -> None:
        self._pair(name)[0].crash()

    @rule(rounds=st.integers(1, 8))
    def go_on(self, rounds: int) -> None:
        for client in self.sim.clients.values():
            if not client.connected:
                client.connect()
        for _ in range(rounds):
            self.sim.round()

    @rule(name=_names, place=st.integers(0, 50))
    def deliver_again(self, name: str, place: int) -> None:
        client, _ = self._pair(name)
        delivered = self.sim.server.accounts[name].delivered
        if client.core.logged_in:
            client.down.extend(delivered[place : place + 3])

    @rule(name=_names)
    def open_conversation(self, name: str) -> None:
        client, other = self._pair(name)
        client.engine.open_conversation(other.name)
        client.settle()

    def teardown(self) -> None:
        if self._sim is not None:
            try:
                self._check()
            finally:
                self.sim.close()
                self._folder.cleanup()

    def _check(self) -> None:
        self.sim.run()
        for name, written in self._written.items():
            client, other = self._pair(name)
            ours = [line for line in client.lines(other) if line.ours]
            theirs = [line for line in other.lines(client) if not line.ours]
            assert [line.text for line in ours] == written
            assert [line.text for line in theirs] == written
            assert not [line for line in theirs if line.is_notice]
            arrived = {MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ}
            assert {line.state for line in ours} <= arrived
            if written and self._written[str(other.name)]:
                assert MessageState.ACCEPTED not in {line.state for line in ours}
            assert not [event for event in client.events if isinstance(event, Problem)]


BrokenWorld.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestBrokenWorld = BrokenWorld.TestCase


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    return template().copy(tmp_path / "world")


def test_resending_repeats_the_same_bytes(sim: Sim) -> None:
    """Encrypt once: after lost answers, drops and a crash the same id carries the same bytes."""
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    sim.run()
    alice.write(bob, "once")
    seen: list[tuple[bytes, bytes]] = []
    for end in (alice.drop, alice.crash, alice.drop):
        for _ in range(200):
            pms = [(bytes(m.id), b) for m, b in alice.up if isinstance(m, Pm)]
            if pms:
                break
            sim.serve(alice)
            alice.receive(1)
        assert len(pms) == 1
        seen += pms
        end()
        alice.connect()
    assert len(set(seen)) == 1
    sim.run()
    assert [line.text for line in bob.lines(alice)] == ["once"]
    sim.close()
