"""What the server holds on us, and our account's end: real engines, a real server, real TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.engine.wants import WantsDeletion, WantsServersData
from secure_chat.client.events import (
    AccountDeletion,
    ConnectionChanged,
    ConnectionState,
    KeyChanged,
    MessageState,
    ServersData,
    Trust,
)
from secure_chat.client.profile import remove_profile
from secure_chat.errors import (
    Code,
    NotConnected,
    ProfileInUse,
    ProfileMissing,
    Refused,
    UnexpectedAnswer,
)
from secure_chat.protocol.held import encode_rows, held_row
from secure_chat.protocol.messages import AccountDelete, HeldData, MyData
from secure_chat.server.store import departures
from tests.client.sim import Sim, template
from tests.client.world import Client, World


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    yield sim
    sim.close()


def _deletions(client: Client) -> list[AccountDeletion]:
    return client.of(AccountDeletion)


def test_the_engine_reads_the_whole_book(world: World) -> None:
    """Keys, devices and the message that waits for another are there, in pages or not."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "first")
    bob.has(alice, "first")
    bob.stop()
    alice.send(bob, "waits at the server")
    alice.all_are(bob, MessageState.ACCEPTED, MessageState.DELIVERED, MessageState.READ)
    alice.engine.my_data()
    alice.wait(lambda: bool(alice.of(ServersData)))
    data = alice.of(ServersData)[0]
    assert data.problem is None
    tables = [row.table for row in data.rows]
    assert tables.count("accounts") == 1
    assert tables.count("one_time_kem_keys") > 90  # more than one page
    assert tables.count("deliveries") >= 1  # and perhaps a receipt
    assert tables[-1] == "memory"
    names = {row.values["user_id"] for row in data.rows if row.table == "accounts"}
    assert names == {"alice"}


def test_a_person_leaves_and_comes_back_with_another_key(world: World) -> None:
    """Deleted: gone for others; the name stays reserved; freed: contacts see a changed key."""
    alice, bob = world.person("alice"), world.person("bob")
    alice.send(bob, "hello")
    bob.has(alice, "hello")
    bob.send(alice, "hello yourself")
    alice.has(bob, "hello yourself")
    safety = alice.engine.safety(bob.name)
    assert safety is not None
    alice.engine.mark_verified(bob.name, "".join(safety.safety_number))
    bob.engine.delete_account()
    bob.wait(lambda: bool(_deletions(bob)))
    assert _deletions(bob) == [AccountDeletion()]
    bob.wait(lambda: bob.state is ConnectionState.STOPPED)
    why = bob.of(ConnectionChanged)[-1].problem
    assert isinstance(why, Refused)
    assert why.code is Code.ACCOUNT_DELETED
    assert bob.texts(alice) == ["hello", "hello yourself"]  # the history is the person's
    alice.send(bob, "are you there?")
    alice.wait(lambda: MessageState.HELD in alice.states(bob))
    assert world.server.store.ask(lambda db: departures.free(db, "bob"))
    bob.stop()
    bob.folder.rename(bob.folder.with_name("bob-before"))
    again = world.person("bob")
    again.send(alice, "it is me, with a new phone")
    alice.wait(lambda: bool(alice.of(KeyChanged)))
    assert alice.of(KeyChanged)[0].was_verified
    known = alice.engine.safety(again.name)
    assert known is not None
    assert known.trust is Trust.CHANGED


def test_a_name_that_is_not_freed_is_taken(world: World) -> None:
    """The next one who wants the name of a deleted account is refused."""
    bob = world.person("bob")
    bob.engine.delete_account()
    bob.wait(lambda: bool(_deletions(bob)))
    bob.stop()
    bob.folder.rename(bob.folder.with_name("bob-before"))
    thief = world.person("bob", start=False)
    thief.engine.start()
    thief.wait(lambda: thief.state is ConnectionState.STOPPED)
    why = thief.of(ConnectionChanged)[-1].problem
    assert isinstance(why, Refused)
    assert why.code is Code.NAME_TAKEN


def test_without_a_connection_nothing_is_deleted_later(sim: Sim) -> None:
    """Offline both are refused at once; nothing leaves with the next connection."""
    sim.run()
    alice = sim.clients["alice"]
    alice.drop()
    alice.engine.delete_account()
    alice.engine.my_data()
    alice.settle()
    ended = [e.problem for e in alice.events if isinstance(e, AccountDeletion | ServersData)]
    assert [type(problem) for problem in ended] == [NotConnected, NotConnected]
    alice.connect()
    assert not any(isinstance(message, AccountDelete | MyData) for message, _ in alice.up)


@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_is_found_out_at_the_next_login(sim: Sim, arrived: bool) -> None:
    """The connection breaks over a deletion: the next login tells whether it had arrived."""
    sim.run()
    alice = sim.clients["alice"]
    alice.core.intent(WantsDeletion(alice.name), *alice.clock())
    alice.settle()
    assert isinstance(alice.up[-1][0], AccountDelete)
    alice.drop()
    assert not any(isinstance(event, AccountDeletion) for event in alice.events)
    alice.connect()
    if arrived:
        alice.core._not_let_in(Refused(Code.LOGIN_REFUSED))
        alice.settle()
    else:
        sim.run()
    ended = [event.problem for event in alice.events if isinstance(event, AccountDeletion)]
    assert [type(problem) for problem in ended] == [type(None) if arrived else NotConnected]


def test_a_server_that_answers_nonsense_is_not_believed(sim: Sim) -> None:
    """A page that is no list of rows ends the connection, and is never shown."""
    sim.run()
    alice = sim.clients["alice"]
    for body in (b"", b"[1]", b'[{"table":1,"values":{}}]', b'{"table":"x"}', b"\xff", b"[" * 9999):
        alice.core.intent(WantsServersData(alice.name), *alice.clock())
        alice.settle()
        asked = alice.up.pop()[0]
        assert isinstance(asked, MyData)
        alice.down.append((HeldData(asked.ref), body))
        with pytest.raises(UnexpectedAnswer):
            alice.receive(1)
        alice.drop()
        sim.run()


def test_rows_without_end_do_not_fill_the_memory(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that always says "more" is asked a bounded number of times."""
    monkeypatch.setattr("secure_chat.client.engine.ourselves._MOST_ROWS", 50)
    sim.run()
    alice = sim.clients["alice"]
    alice.core.intent(WantsServersData(alice.name), *alice.clock())
    alice.settle()
    page = encode_rows([held_row("invented", {"n": 1})] * 10)
    pages = 0
    while not any(isinstance(event, ServersData) for event in alice.events):
        asked = alice.up.pop()[0]
        assert isinstance(asked, MyData)
        alice.down.append((HeldData(asked.ref, "again"), page))
        alice.receive(1)
        pages += 1
        assert pages < 10
    assert pages == 5


def test_a_profile_is_removed_with_all_it_holds(world: World) -> None:
    """Not while it is in use, and no folder that is no profile; afterwards nothing is left."""
    alice = world.person("alice")
    with pytest.raises(ProfileInUse):
        remove_profile(alice.folder)
    alice.stop()
    (alice.folder / "more").mkdir()
    (alice.folder / "more" / "file").write_text("x")
    remove_profile(alice.folder)
    assert not alice.folder.exists()
    alice.folder.mkdir()
    (alice.folder / "letter.txt").write_text("not a profile")
    with pytest.raises(ProfileMissing):
        remove_profile(alice.folder)
    assert (alice.folder / "letter.txt").exists()
