"""Files both ways in any order of rounds, lost connections, crashes and a forgetful server.

Whatever happens on the way: in the end every file is on the other side, as it was sent, once; and
nothing else is in the folder at any moment.
"""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from secure_chat.client.events import FileState
from tests.client.filing import flow, names, people
from tests.client.sim import SimClient, template

WHO = st.sampled_from(["alice", "bob"])
SIZES = st.sampled_from([0, 5_000, 49_152, 150_000, 400_000])


class TransferMachine(RuleBasedStateMachine):
    """The model: what each has sent, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.sim = template().copy(self.root / "sim")
        self.sim.run()
        self.sent: dict[str, dict[str, bytes]] = {"alice": {}, "bob": {}}
        for name in self.sent:
            (self.root / name).mkdir()  # what this person has saved
        for client, other in (people(self.sim), people(self.sim)[::-1]):
            client.write(other, "hello")
        self.sim.run()

    def teardown(self) -> None:
        for _ in range(3):
            flow(self.sim)
            for who in self.sent:
                self.save(who)
        flow(self.sim)
        for who, other in (("alice", "bob"), ("bob", "alice")):
            found = {path.name: path.read_bytes() for path in (self.root / other).iterdir()}
            assert found == self.sent[who]
        assert all(not names(c.folder / "files") for c in people(self.sim)
                   if (c.folder / "files").exists())  # fmt: skip
        self.sim.close()
        shutil.rmtree(self.root)

    def pair(self, who: str) -> tuple[SimClient, SimClient]:
        alice, bob = people(self.sim)
        return (alice, bob) if who == "alice" else (bob, alice)

    @rule(who=WHO, size=SIZES)
    def send(self, who: str, size: int) -> None:
        client, other = self.pair(who)
        name = f"{len(self.sent[who])}.bin"
        data = self.sent[who][name] = os.urandom(size)
        source = self.root / f"{who}-{name}"
        source.write_bytes(data)
        source.rename(self.root / "sim" / who / name)
        client.engine.send_file(other.name, self.root / "sim" / who / name)
        client.engine._workshop.work()
        client.settle()

    @rule(who=WHO)
    def save(self, who: str) -> None:
        """Ask for everything that is offered."""
        client, other = self.pair(who)
        for line in client.lines(other):
            if line.file and not line.ours and line.file.state is FileState.OFFERED:
                client.engine.save_file(other.name, line.number, self.root / who)
        client.settle()

    @rule(count=st.integers(1, 6))
    def rounds(self, count: int) -> None:
        for _ in range(count):
            for client in people(self.sim):
                if not client.connected:
                    client.connect()
                client.engine._workshop.work()
                client.settle()
            self.sim.round()

    @rule(who=WHO)
    def drop(self, who: str) -> None:
        client, _ = self.pair(who)
        if client.connected:
            client.drop()

    @rule(who=WHO)
    def crash(self, who: str) -> None:
        self.pair(who)[0].crash()

    @rule()
    def forget_the_half(self) -> None:
        """The server loses the end of what was not whole yet."""
        wanted = {len(data) for sent in self.sent.values() for data in sent.values()}
        for name, blob in self.sim.server.blobs.items():
            if len(blob) % 49_152 == 0 and len(blob) not in wanted:
                self.sim.server.blobs[name] = blob[: len(blob) // 2]

    @invariant()
    def nothing_else_is_there(self) -> None:
        for who, other in (("alice", "bob"), ("bob", "alice")):
            for path in (self.root / other).iterdir():
                assert path.read_bytes() == self.sent[who][path.name]


TestTransfers = TransferMachine.TestCase
TestTransfers.settings = settings(
    max_examples=6,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
