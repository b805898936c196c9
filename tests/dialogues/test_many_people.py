"""Twenty real clients, one server that is killed and restarted, people who come and go."""

import random
from pathlib import Path

import pytest

from secure_chat.client.engine import ChatEngine
from secure_chat.client.events import MessageState
from secure_chat.client.profile import create_profile, open_profile
from tests.client.world import OPEN, Client
from tests.support.processes import PASSWORD, ServerProcess

TAKEN = {MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ}
PATIENCE = 120  # a client that was refused for a while tries again later and later


class People:
    """Engines with vaults of their own, and who wrote what to whom."""

    def __init__(self, server: ServerProcess, folder: Path, count: int) -> None:
        self._folder = folder
        self.names = [f"person{n:02d}" for n in range(count)]
        self.written: dict[tuple[str, str], list[str]] = {}
        self.here: dict[str, Client] = {}
        for name in self.names:
            profile = create_profile(folder / name, server.link(), name, PASSWORD)
            self._begin(name, ChatEngine(profile)).online()

    def _begin(self, name: str, engine: ChatEngine) -> Client:
        engine.set_privacy(OPEN)
        client = self.here[name] = Client(engine, self._folder / name)
        engine.start()
        return client

    def write(self, chance: random.Random) -> None:
        name, other = chance.sample(self.names, 2)
        if name in self.here:
            line = self.written.setdefault((name, other), [])
            line.append(f"{name} to {other}, number {len(line)}")
            self.here[name].send(other, line[-1])

    def leave(self, name: str) -> None:
        if (client := self.here.pop(name, None)) is not None:
            client.stop()

    def come_back(self, name: str) -> None:
        if name not in self.here:
            self._begin(name, ChatEngine(open_profile(self._folder / name, PASSWORD)))

    def everything_arrived(self) -> None:
        """What was written is there, once and in order, and the server took all of it.

        Who never wrote back confirms nothing: a stranger learns nothing from a message.
        """
        for (name, other), lines in self.written.items():
            writer, reader = self.here[name], self.here[other]

            def arrived(
                name: str = name, reader: Client = reader, lines: list[str] = lines
            ) -> bool:
                return [t for t in reader.texts(name) if t.startswith(f"{name} to")] == lines

            def taken(other: str = other, writer: Client = writer) -> bool:
                return set(writer.states(other)) <= TAKEN

            try:
                reader.wait(arrived, PATIENCE)
                writer.wait(taken, PATIENCE)
            except AssertionError:
                ours = [(m.text, m.state, m.problem) for m in writer.lines(other)]
                theirs = [(m.text, m.state, m.problem) for m in reader.lines(name)]
                raise AssertionError(f"{name}: {ours}; {other}: {theirs}") from None


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_is_lost_among_twenty_people(own_server: ServerProcess, tmp_path: Path) -> None:
    """Forty rounds of talk with kills and restarts of the server, and people who come and go."""
    chance = random.Random(20)
    people = People(own_server, tmp_path, 20)
    try:
        for turn in range(40):
            for _ in range(25):
                people.write(chance)
            for name in chance.sample(people.names, 3):
                people.leave(name)
            if turn % 4 == 1:
                own_server.kill()
                own_server.start()
            elif turn % 4 == 3:
                assert own_server.stop() == 0
                own_server.start()
            for name in chance.sample(people.names, 6):
                people.come_back(name)
        for name in people.names:
            people.come_back(name)
        people.everything_arrived()
        assert sum(map(len, people.written.values())) > 500
        assert "Traceback" not in own_server.log
        assert "internal error" not in own_server.log
    finally:
        for name in people.names:
            people.leave(name)
