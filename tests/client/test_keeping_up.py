"""What time does to an engine: pings, clocks, rotation, and the end of what is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_chat.client.events import Problem
from secure_chat.client.vault import keys
from secure_chat.errors import ClockOff, ConnectionSilent, UnexpectedAnswer
from secure_chat.protocol import limits
from secure_chat.protocol.messages import (
    Accepted,
    KeysLow,
    KeysPut,
    Ok,
    Ping,
    Pong,
    Welcome,
    encode_header,
)
from secure_chat.protocol.wiretypes import DeliveryId
from tests.client.sim import START_MS, Sim, SimClient, template


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    yield sim
    sim.close()


def _tick(client: SimClient, seconds: float) -> None:
    client.pass_time(seconds)
    client.core.tick(*client.clock())
    client.settle()


def _count(client: SimClient, query: str) -> int:
    with client.engine._vault.read() as db:
        return int(db.execute(query).get)


def test_a_quiet_connection_is_pinged_and_a_dead_one_given_up(sim: Sim) -> None:
    """One ping after 45 s of silence; without an answer the connection counts as lost."""
    sim.run()
    alice = sim.clients["alice"]
    _tick(alice, limits.PING_SECONDS - 1)
    assert not alice.up
    _tick(alice, 2)
    assert [type(message) for message, _ in alice.up] == [Ping]
    _tick(alice, 1)
    assert len(alice.up) == 1
    alice.up.clear()
    alice.down.append((Pong(), b""))
    alice.receive(1)
    _tick(alice, limits.PING_SECONDS + 1)
    assert [type(message) for message, _ in alice.up] == [Ping]
    with pytest.raises(ConnectionSilent, match="has not answered"):
        _tick(alice, 30)


def test_signed_prekeys_rotate_weekly_and_old_ones_end_in_time(sim: Sim) -> None:
    """New signed keys after a week; a replaced one is kept for 37 days."""
    sim.run()
    bob = sim.clients["bob"]
    first = sim.server.accounts["bob"].signed_prekey
    _tick(bob, limits.SIGNED_PREKEY_SECONDS / 2)
    sim.run()
    assert sim.server.accounts["bob"].signed_prekey == first
    _tick(bob, limits.SIGNED_PREKEY_SECONDS / 2 + 10)
    bob.up.clear()  # pings of the quiet week
    bob.drop()
    sim.run()
    second = sim.server.accounts["bob"].signed_prekey
    assert second.id != first.id
    with bob.engine._vault.read() as db:
        assert keys.VaultPrekeys(db).signed(first.id) is not None
    for _ in range(6):
        bob.drop()
        bob.pass_time(limits.SIGNED_PREKEY_SECONDS + 10)
        sim.run()
    with bob.engine._vault.read() as db:
        assert keys.VaultPrekeys(db).signed(first.id) is None
        newest = sim.server.accounts["bob"].signed_prekey
        assert keys.VaultPrekeys(db).signed(newest.id) is not None


def test_a_used_one_time_key_is_gone_with_its_message(sim: Sim) -> None:
    """The private parts that opened a session open no second one."""
    bob, alice = sim.clients["bob"], sim.clients["alice"]
    sim.run()
    query = "SELECT count(*) FROM prekeys WHERE kind IN ('one_time', 'one_time_kem')"
    before = _count(bob, query)
    alice.write(bob, "hello")
    sim.run()
    assert [line.text for line in bob.lines(alice)] == ["hello"]
    assert _count(bob, query) == before - 2


def test_seen_ids_and_unconfirmed_contents_end_in_time(sim: Sim) -> None:
    """Delivery ids are known for 40 days; a text without receipt is kept for 30 days."""
    sim.run()
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    alice.write(bob, "no receipt comes, they are strangers")
    sim.run()
    kept, seen = "SELECT count(*) FROM outgoing", "SELECT count(*) FROM seen"
    assert (_count(alice, kept), _count(bob, seen)) == (1, 1)
    for client in (alice, bob):
        client.drop()
        _tick(client, 29 * limits.DAY)
    assert (_count(alice, kept), _count(bob, seen)) == (1, 1)
    for client in (alice, bob):
        _tick(client, 2 * limits.DAY)
    assert (_count(alice, kept), _count(bob, seen)) == (0, 1)
    _tick(bob, 10 * limits.DAY)
    assert _count(bob, seen) == 0


def test_a_clock_far_off_is_said(sim: Sim) -> None:
    """A difference of minutes to the server's clock is a problem that a person hears of."""
    alice = sim.clients["alice"]
    alice.pass_time(limits.HOUR)
    sim.run()
    problems = [event.error for event in alice.events if isinstance(event, Problem)]
    assert [type(problem) for problem in problems] == [ClockOff]
    assert "60 minutes" in str(problems[0])
    assert abs(alice.clock()[1] - START_MS) > limits.HOUR * 1000


def test_answers_to_no_question_are_refused(sim: Sim) -> None:
    """A server that makes answers up is not listened to; what harms nothing is ignored."""
    sim.run()
    alice = sim.clients["alice"]
    with pytest.raises(UnexpectedAnswer):
        alice.core.received([(Ok(4711), b"")], *alice.clock())
    welcome = sim.server.accounts["alice"].welcome()
    with pytest.raises(UnexpectedAnswer):
        alice.core.received([(welcome, b"")], *alice.clock())
    alice.core.received([(Accepted(DeliveryId(bytes(16))), b"")], *alice.clock())
    alice.drop()
    alice.connect()
    impossible = Welcome("alice", "main", 0, 2**52, 0, 0, 1, START_MS)
    with pytest.raises(UnexpectedAnswer, match="prekey"):
        alice.core.received([(impossible, b"")], *alice.clock())


def test_every_login_raises_the_version_and_no_frame_is_too_large(sim: Sim) -> None:
    """An older copy of the vault would be found out by the version; frames keep their limits."""
    sim.run()
    alice = sim.clients["alice"]
    versions = [sim.server.accounts["alice"].key_version]
    for _ in range(3):
        alice.crash()
        alice.connect()
        puts: list[KeysPut] = []
        while alice.up or alice.down:
            puts += [message for message, _ in alice.up if isinstance(message, KeysPut)]
            sim.round()
        assert all(len(encode_header(put)) <= limits.KEY_HEADER for put in puts)
        versions.append(sim.server.accounts["alice"].key_version)
    assert versions == sorted(set(versions))


def test_a_server_that_always_wants_more_keys_gets_bounded_work(sim: Sim) -> None:
    """Private parts of one-time keys are kept up to 2,000 of a kind, the newest ones."""
    sim.run()
    alice = sim.clients["alice"]
    account = sim.server.accounts["alice"]
    for _ in range(22):
        account.one_time.clear()
        alice.down.append((KeysLow(0, 100), b""))
        sim.run()
    assert _count(alice, "SELECT count(*) FROM prekeys WHERE kind = 'one_time'") == 2_000
    with alice.engine._vault.read() as db:
        source = keys.VaultPrekeys(db)
        assert all(source.one_time(key.id) is not None for key in account.one_time)
    assert len(account.one_time) == 100
