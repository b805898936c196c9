"""Sessions as people's devices really behave: lost states, old keys, empty stocks, long waits.

The engines are stepped by hand over a server in memory, with the clocks in the test's hands.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from secure_chat.client import content
from secure_chat.client.content import ContentId
from secure_chat.client.events import Problem
from secure_chat.client.vault import keys
from secure_chat.client.vault.keys import SessionName
from secure_chat.crypto import body as bodies
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.errors import CODES, BadBundle, BadSessionState, Code, RestoredVault, Unreadable
from secure_chat.protocol import limits
from secure_chat.protocol.messages import Delivery, Error, KeysPut, List, Pm, Pong
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeliveryId
from tests.client.sim import SERVER_ID, START_MS, Sim, SimClient, template


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Sim]:
    sim = template().copy(tmp_path / "world")
    sim.run()
    yield sim
    sim.close()


def _both(sim: Sim) -> tuple[SimClient, SimClient]:
    return sim.clients["alice"], sim.clients["bob"]


def _acquainted(sim: Sim) -> tuple[SimClient, SimClient]:
    alice, bob = _both(sim)
    alice.write(bob, "a0")
    sim.run()
    bob.write(alice, "b0")
    sim.run()
    alice.write(bob, "a1")
    sim.run()
    return alice, bob


def _pass(sim: Sim, seconds: float) -> None:
    """Time passes for everybody, off line; then all come back."""
    for client in sim.clients.values():
        client.drop()
        client.pass_time(seconds)
        client.core.tick(*client.clock())
        client.settle()
    sim.run()


def _texts(client: SimClient, other: SimClient) -> list[str]:
    return [line.text for line in client.lines(other) if not line.is_notice]


def _notices(client: SimClient, other: SimClient) -> list[str]:
    return [line.problem for line in client.lines(other) if line.is_notice]


def _problems(client: SimClient) -> list[Exception]:
    return [event.error for event in client.take_events() if isinstance(event, Problem)]


def _sessions(client: SimClient) -> list[tuple[SessionName, bytes]]:
    with client.engine._vault.read() as db:
        found = [(name, keys.session(db, name)) for name in keys.session_names(db, None)]
    return [(name, state) for name, state in found if state is not None]


def _is_ready(client: SimClient) -> bool:
    return client.core._context.ready


def _spoil_sessions(client: SimClient) -> None:
    """As if another version of the program had stored them."""
    for name, state in _sessions(client):
        with client.engine._vault.write() as db:
            keys.save_session(db, name, bytes([state[0] + 9]) + state[1:])


def test_a_session_state_of_an_unknown_version_is_said_and_the_conversation_heals(sim: Sim) -> None:
    """A named error in words, another session, and what was on its way arrives once."""
    alice, bob = _acquainted(sim)
    bob.drop()
    alice.write(bob, "on its way")
    sim.round()
    _spoil_sessions(bob)
    bob.crash()
    sim.run()
    [unreadable] = [one for one in _problems(bob) if isinstance(one, BadSessionState)]
    assert "newer program stored this session, as version 11" in str(unreadable)
    assert _texts(bob, alice) == ["a0", "b0", "a1", "on its way"]
    bob.write(alice, "healed")
    sim.run()
    assert _texts(alice, bob)[-1] == "healed"
    assert any("lost its encrypted session" in line for line in _notices(alice, bob))
    bob.crash()
    bob.events.clear()
    sim.run()
    assert not _problems(bob)


def _hours(client: SimClient, hours: float) -> list[Pm]:
    """The messages that leave while the clock moves and nothing arrives but pongs."""
    sent: list[Pm] = []
    for _ in range(int(hours)):
        client.pass_time(limits.HOUR)
        client.core.tick(*client.clock())
        client.settle()
        sent += [message for message, _ in client.up if isinstance(message, Pm)]
        client.up.clear()
        client.down.append((Pong(), b""))
        client.receive(1)
    return sent


def test_one_way_talk_is_answered_after_a_day_by_itself(sim: Sim) -> None:
    """24 hours after the last message a silent turn leaves, though nothing arrives to cause it."""
    alice, bob = _acquainted(sim)
    assert not _hours(alice, 23)
    [turn] = _hours(alice, 3)
    assert turn.to == f"{bob.name}/main"
    assert not turn.transient


def test_idle_people_do_not_answer_each_others_turns(sim: Sim) -> None:
    """After the last word each side turns at most once; then there is silence on the wire."""
    alice, bob = _acquainted(sim)
    for _ in range(2):
        _pass(sim, limits.DAY)
    quiet = {name: account.sequence for name, account in sim.server.accounts.items()}
    for _ in range(4):
        _pass(sim, limits.DAY)
    assert {name: account.sequence for name, account in sim.server.accounts.items()} == quiet
    alice.write(bob, "still there?")
    sim.run()
    assert _texts(bob, alice)[-1] == "still there?"


def test_what_a_rate_limit_refused_is_asked_again(sim: Sim) -> None:
    """The list and our keys reach the server when it said, without a person's doing."""
    _, bob = _both(sim)
    bob.drop()
    bob.connect()
    refused: list[type] = []
    for _ in range(30):
        while bob.up:
            message, body = bob.up.popleft()
            if isinstance(message, List | KeysPut) and type(message) not in refused:
                refused.append(type(message))
                code = Code.RATE_LIMITED
                error = Error(code, CODES[code].message, ref=message.ref, retry_after=7.0)
                bob.down.append((error, b""))
            else:
                bob.up.appendleft((message, body))
                sim.serve(bob)
        bob.receive(len(bob.down))
    assert set(refused) == {List, KeysPut}
    assert not _is_ready(bob), "nothing is encrypted before the server has the version"
    bob.pass_time(7.1)
    assert bob.core.next_deadline <= bob.clock()[0]
    bob.core.tick(*bob.clock())
    bob.settle()
    assert {type(message) for message, _ in bob.up} == {List, KeysPut}
    sim.run()
    assert _is_ready(bob)
    assert not _problems(bob)


def test_a_last_resort_key_survives_a_peer_that_calls_it_one_time(sim: Sim) -> None:
    """Bob deletes a KEM key only if he stored it as one-time, whatever the initiator says."""
    alice, bob = _both(sim)
    account = sim.server.accounts["bob"]
    account.one_time_kem.clear()
    last_resort = account.last_resort
    name = SessionName(bob.core._context.our.address, bob.core._context.our.account_key)
    with bob.engine._vault.write() as db:
        before = keys.VaultPrekeys(db).kem(last_resort.id)
        assert before is not None
        keys.drop_used(db, last_resort.id)
        assert keys.VaultPrekeys(db).kem(last_resort.id) is not None
    bundle = check_bundle(account.claim(1), name.address, SERVER_ID, START_MS)
    assert bundle.kem_is_last_resort
    lying = dataclasses.replace(bundle, kem_is_last_resort=False)
    sessions = PeerSessions(alice.core._context.our, bundle.peer)
    sessions.start(lying, START_MS, os.urandom)
    text = content.Content(ContentId(b"t" * 16), START_MS, content.Text("truly yours"))
    body = sessions.seal(content.encode(text), START_MS, os.urandom)
    bob.down.append((Delivery(DeliveryId(b"d" * 16), 1, START_MS, "alice/main"), body))
    bob.receive(1)
    assert _texts(bob, alice) == ["truly yours"]
    with bob.engine._vault.read() as db:
        assert keys.VaultPrekeys(db).kem(last_resort.id) == before


def test_an_empty_stock_leads_to_the_last_resort_key_visibly(sim: Sim) -> None:
    """Without one-time keys a session still begins, and its first message says with what."""
    alice, bob = _both(sim)
    account = sim.server.accounts["bob"]
    account.one_time.clear()
    account.one_time_kem.clear()
    alice.write(bob, "hello")
    sim.run()
    assert _texts(bob, alice) == ["hello"]
    [(_, body)] = account.delivered
    initial = bodies.decode(body).initial
    assert initial is not None
    assert initial.kem_kind is PrekeyKind.LAST_RESORT_KEM
    assert initial.one_time_id is None
    bob.write(alice, "hi")
    sim.run()
    assert _texts(alice, bob) == ["hello", "hi"]


def test_attack_36_a_server_that_hands_out_expired_keys_gets_no_message(sim: Sim) -> None:
    """A stale bundle is refused in words, nothing leaves under it, and fresh keys mend it."""
    alice, bob = _both(sim)
    stale = sim.server.accounts["bob"].claim(1)
    _pass(sim, limits.SIGNED_PREKEY_VALID + 2 * limits.DAY)
    account = sim.server.accounts["bob"]
    fresh = account.claim
    account.claim = lambda ref: msgspec.structs.replace(stale, ref=ref)  # type: ignore[method-assign]
    alice.take_events()
    alice.write(bob, "not under keys of long ago")
    sim.run()
    [refused] = [one for one in _problems(alice) if isinstance(one, BadBundle)]
    assert "expired" in str(refused)
    assert not account.delivered
    account.claim = fresh  # type: ignore[method-assign]
    _pass(sim, limits.HOUR)
    assert _texts(bob, alice) == ["not under keys of long ago"]


def test_messages_of_thirty_days_ago_are_read_through_rotations(sim: Sim) -> None:
    """A first message made for prekeys that were replaced four times since opens after 30 days."""
    alice, bob = _both(sim)
    bob.drop()
    alice.write(bob, "first")
    alice.write(bob, "second")
    while alice.up or alice.down:
        sim.serve(alice)
        alice.receive(1)
    waiting = list(sim.server.accounts["bob"].mailbox)
    sim.server.accounts["bob"].mailbox.clear()
    first = sim.server.accounts["bob"].signed_prekey
    for _ in range(4):
        _pass(sim, limits.SIGNED_PREKEY_SECONDS + 60)
    assert sim.server.accounts["bob"].signed_prekey.id != first.id
    _pass(sim, 2 * limits.DAY)
    bob.down.extend(waiting)
    bob.receive(len(waiting))
    sim.run()
    assert _texts(bob, alice) == ["first", "second"]
    assert not _notices(bob, alice)


def test_attack_41_a_repeated_initial_message_is_never_derived_again(sim: Sim) -> None:
    """Under its own id it is acknowledged in silence, under another it is no second line."""
    alice, bob = _acquainted(sim)
    delivery, body = sim.server.accounts["bob"].delivered[0]
    assert bodies.decode(body).initial is not None
    [(_, before)] = _sessions(bob)
    bob.down.append((delivery, body))
    bob.receive(1)
    assert [state for _, state in _sessions(bob)] == [before]
    again = msgspec.structs.replace(delivery, id=DeliveryId(b"r" * 16), seq=delivery.seq + 90)
    bob.down.append((again, body))
    bob.receive(1)
    assert [state for _, state in _sessions(bob)] == [before]
    assert _texts(bob, alice) == ["a0", "b0", "a1"]
    assert any("could not be read" in line for line in _notices(bob, alice))
    sim.run()
    alice.write(bob, "still here")
    sim.run()
    assert _texts(bob, alice) == ["a0", "b0", "a1", "still here"]


def test_a_restart_by_a_clock_that_is_behind_is_answered_by_a_later_one(sim: Sim) -> None:
    """Alice lost her sessions and her clock is behind: bob begins anew, and she can read him."""
    alice, bob = _acquainted(sim)
    alice.pass_time(limits.DAY)  # the restart that counts now,
    _spoil_sessions(alice)
    alice.crash()
    sim.run()
    bob.write(alice, "on the second session")
    sim.run()
    alice.pass_time(-limits.HOUR)  # and one that ranks below it
    with alice.engine._vault.write() as db:
        for name in keys.session_names(db, None):
            keys.drop_session(db, name)
    alice.core._context.forget_sessions()
    alice.write(bob, "my clock is behind")
    sim.run()
    bob.write(alice, "can you read me?")
    sim.run()
    assert _texts(bob, alice)[-2:] == ["my clock is behind", "can you read me?"]
    assert _texts(alice, bob)[-1] == "can you read me?"
    assert not [one for one in _problems(alice) if isinstance(one, Unreadable)]


def test_a_cloned_profile_run_twice_is_noticed_by_all_and_heals(sim: Sim, tmp_path: Path) -> None:
    """A copy goes on from a ratchet that the original has moved: bob is told, then all is well.

    The original finds out at its next login that another has used its keys, and begins anew.
    """
    alice, bob = _acquainted(sim)
    original = alice.folder
    shutil.copytree(original, tmp_path / "clone")
    bob.drop()  # no receipt tells the server's mailbox, so nothing but the ratchet has moved
    for text in ("from the original 1", "from the original 2"):
        alice.write(bob, text)
        _talk_to_server(sim, alice)
    alice.engine.stop()
    clone = sim.clients["alice"] = SimClient(tmp_path / "clone", "alice")
    clone.pass_time(60)
    clone.connect()
    clone.write(bob, "from the clone 1")
    for text in ("from the clone 2", "from the clone 3"):
        clone.write(bob, text)
    _talk_to_server(sim, clone)
    sim.run()
    seen = _texts(bob, alice)
    assert seen[3:5] == ["from the original 1", "from the original 2"]
    assert "from the clone 3" in seen
    assert len(seen) == len(set(seen))
    assert any("decrypted before" in line for line in _notices(bob, alice)), "an alarm"
    clone.engine.stop()
    alice = sim.clients["alice"] = SimClient(original, "alice")
    alice.pass_time(120)
    sim.run()
    assert any(isinstance(one, RestoredVault) for one in _problems(alice))
    alice.write(bob, "healed")
    sim.run()
    bob.write(alice, "indeed")
    sim.run()
    assert _texts(bob, alice)[-2:] == ["healed", "indeed"]
    assert _texts(alice, bob)[-2:] == ["healed", "indeed"]


def _talk_to_server(sim: Sim, client: SimClient) -> None:
    """Everything between one client and the server moves; the other is away."""
    while client.up or client.down:
        sim.serve(client)
        client.receive(len(client.down))
