"""The list of people: complete though the server was busy, and bounded though it lies."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine import people
from secure_chat.client.events import PeopleChanged, Problem
from secure_chat.errors import CODES, Code, Refused
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.messages import Error, List, Presence, UserEntry, Users, Watch
from secure_chat.server.core.settings import Settings
from tests.client.sim import Sim, SimClient, template
from tests.client.world import Client, World


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    yield sim
    sim.close()


def _until_asked(sim: Sim, client: SimClient, kind: type[List | Watch]) -> List | Watch:
    """The connection's work goes on until the client asks this; the question stays unanswered."""
    client.connect()
    while not (client.up and isinstance(client.up[0][0], kind)):
        sim.serve(client)
        client.receive(len(client.down))
    asked = client.up.popleft()[0]
    assert isinstance(asked, kind)
    return asked


def _tick(client: SimClient, seconds: float) -> None:
    client.pass_time(seconds)
    client.core.tick(*client.clock())
    client.settle()


@pytest.mark.parametrize("code", [Code.RATE_LIMITED, Code.OVERLOADED, Code.STORAGE_UNAVAILABLE])
@pytest.mark.parametrize("kind", [Watch, List])
def test_what_a_busy_server_refused_is_asked_again(
    sim: Sim, kind: type[List | Watch], code: Code
) -> None:
    """After the time that the refusal names the list comes after all, and nobody is bothered."""
    alice = sim.clients["alice"]
    asked = _until_asked(sim, alice, kind)
    busy = Error(code, CODES[code].message, asked.ref, retry_after=7.0)
    alice.events.clear()
    alice.down.append((busy, b""))
    alice.receive(1)
    _tick(alice, 6)
    assert not any(isinstance(message, kind) for message, _ in alice.up)
    assert alice.core.next_deadline <= alice.clock()[0] + 1
    _tick(alice, 1)
    sim.run()
    assert any(isinstance(e, PeopleChanged) and e.complete for e in alice.events)
    assert not any(isinstance(event, Problem) for event in alice.events)


def test_a_list_that_is_refused_for_good_is_said(sim: Sim) -> None:
    """A refusal that no repetition would change is a problem that the person hears of."""
    alice = sim.clients["alice"]
    asked = _until_asked(sim, alice, List)
    refusal = Error(Code.NOT_SUPPORTED, CODES[Code.NOT_SUPPORTED].message, asked.ref)
    alice.down.append((refusal, b""))
    alice.receive(1)
    _tick(alice, 20)
    problems = [event.error for event in alice.events if isinstance(event, Problem)]
    assert [p.code for p in problems if isinstance(p, Refused)] == [Code.NOT_SUPPORTED]
    assert not any(isinstance(message, List) for message, _ in alice.up)


@pytest.mark.parametrize("told_by", ["presence", "page"])
def test_invented_people_do_not_fill_the_memory(
    sim: Sim, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    """However many names a server makes up, a bounded number is kept; contacts have their place."""
    monkeypatch.setattr(people, "_MOST_PEOPLE", 50)
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    sim.run()
    alice.write(bob, "so bob is a contact")
    sim.run()
    for start in range(0, 300, 100):
        names = [f"ghost{n}" for n in range(start, start + 100)]
        if told_by == "presence":
            alice.down.append((Presence(names, []), b""))
        else:
            alice.core.roster.welcomed()
            alice.settle()
            sim.serve(alice)
            alice.receive(1)
            asked = alice.up.popleft()[0]
            assert isinstance(asked, List)
            alice.down.append((Users(asked.ref, [UserEntry(n, online=True) for n in names]), b""))
        alice.receive(1)
    alice.down.append((Presence(["bob"], []), b""))
    alice.receive(1)
    roster = alice.core.roster
    assert len(roster.everybody) <= 51
    assert len(roster._trust.online) <= 51
    assert roster.is_online(bob.name)


def test_a_mistyped_name_is_nobody(sim: Sim) -> None:
    """Who was asked for and does not exist is not listed; what waits for them still has a place."""
    sim.run()
    alice = sim.clients["alice"]
    alice.drop()
    alice.engine.open_conversation(UserId("bobb"))
    alice.engine.send_text(UserId("bobbb"), "who is this?")
    alice.settle()
    assert [person.user_id for person in alice.engine.people()] == ["bob"]
    assert "bobbb" in [one.user_id for one in alice.engine.conversations()]


# ---------------------------------------------------------------- a directory by name


def test_a_server_by_name_shows_contacts_and_their_presence(
    make_world: Callable[..., World],
) -> None:
    """No list, no problem: whoever is a contact is there with presence, also a new one."""
    world = make_world(Settings(registration="open", directory="by-name"))
    bob = world.person("bob")
    alice = world.person("alice")
    alice.wait(lambda: any(event.complete for event in alice.of(PeopleChanged)))
    assert [event.listed for event in alice.of(PeopleChanged) if event.complete] == [False]
    assert alice.engine.people() == []
    world.person("stranger")
    alice.send(bob, "found you by name")
    bob.has(alice, "found you by name")

    def here(client: Client, *names: str) -> bool:
        return {one.user_id for one in client.engine.people() if one.online} == set(names)

    alice.wait(lambda: here(alice, "bob"))
    bob.wait(lambda: here(bob, "alice"))
    bob.stop()
    alice.wait(lambda: here(alice))
    assert [one.user_id for one in alice.engine.people()] == ["bob"]
    again = world.again(alice)
    again.wait(lambda: any(event.complete for event in again.of(PeopleChanged)))
    assert [one.user_id for one in again.engine.people()] == ["bob"]
    assert not again.problems()


def test_presence_of_people_who_were_not_asked_after_is_ignored(sim: Sim) -> None:
    """A server by name that names others anyway fills no list."""
    alice = sim.clients["alice"]
    asked = _until_asked(sim, alice, Watch)
    alice.down.append((Error(Code.NOT_LISTED, "by name", asked.ref), b""))
    alice.down.append((Presence(["mallory", "trudy"], []), b""))
    alice.receive(2)
    assert alice.engine.people() == []
    assert not any(isinstance(event, Problem) for event in alice.events)
