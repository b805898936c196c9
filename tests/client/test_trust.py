"""What a client takes for somebody's devices, and which of its own keys a first message uses up."""

import msgspec
import pytest

from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.vault import contacts
from secure_chat.client.vault.contacts import Identity
from secure_chat.client.vault.keys import VaultPrekeys
from secure_chat.crypto import body as bodies
from secure_chat.errors import ManifestFork, ManifestRollback
from secure_chat.protocol.manifest import Manifest, manifest_hash
from secure_chat.protocol.messages import Pm
from secure_chat.protocol.signing import PrekeyKind
from tests.client.sim import Sim, SimClient


def _people(sim: Sim) -> tuple[SimClient, SimClient]:
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    alice.write(bob, "hello")
    sim.run()
    return alice, bob


def _learn(client: SimClient, of: SimClient, manifest: Manifest, **more: object) -> Identity:
    context = client.core._context
    with context.transaction() as db:
        known = contacts.get(db, of.name).identity
        assert known is not None
        told = Identity(known.account_key, manifest.encode(), manifest.counter)
        learnt = TrustKeeper(context).learn(db, of.name, told, **more)  # type: ignore[arg-type]
    assert learnt.identity is not None
    return learnt.identity


def test_a_server_cannot_take_a_contact_back_to_older_devices(sim: Sim) -> None:
    """Manifests only go forward, along their chain; a refusal changes nothing. What was long under
    way from a device that is still listed is read."""
    alice, bob = _people(sim)
    with alice.engine._vault.read() as db:
        known = contacts.get(db, bob.name).identity
    assert known is not None
    first, change = known.manifest, msgspec.structs.replace
    device = first.devices[0]
    second = change(first, counter=2, previous=manifest_hash(known.manifest_bytes))
    assert _learn(alice, bob, second).counter == 2
    refused = {
        "older": (first, ManifestRollback),
        "another of the same counter": (change(second, time=second.time + 1), ManifestFork),
        "of another chain": (change(second, counter=3), ManifestFork),
    }
    for manifest, error in refused.values():
        with pytest.raises(error):
            _learn(alice, bob, manifest)
    gone = change(device, name="gone")
    with pytest.raises(ManifestRollback):
        _learn(alice, bob, first, by_device=gone)
    with alice.engine._vault.read() as db:
        kept = contacts.get(db, bob.name).identity
    assert kept == _learn(alice, bob, second)
    assert _learn(alice, bob, first, by_device=device).counter == 2
    later = change(second, counter=5, previous=manifest_hash(b"not seen here"))
    assert _learn(alice, bob, later).counter == 5


def test_a_first_message_deletes_the_keys_that_it_used(sim: Sim) -> None:
    """Private one-time keys go in the transaction that stores the message."""
    sim.run()
    alice, bob = sim.clients["alice"], sim.clients["bob"]
    alice.write(bob, "hello")
    sent: list[bytes] = []
    while not sent:
        sim.serve(alice)
        alice.receive(len(alice.down))
        sent = [body for message, body in alice.up if isinstance(message, Pm)]
    initial = bodies.decode(sent[0]).initial
    assert initial is not None
    assert initial.one_time_id is not None
    assert initial.kem_kind is PrekeyKind.ONE_TIME_KEM
    with bob.engine._vault.read() as db:
        prekeys = VaultPrekeys(db)
        assert prekeys.one_time(initial.one_time_id) is not None
        assert prekeys.kem(initial.kem_id) is not None
    sim.run()
    assert [line.text for line in bob.lines(alice)] == ["hello"]
    with bob.engine._vault.read() as db:
        prekeys = VaultPrekeys(db)
        assert prekeys.one_time(initial.one_time_id) is None
        assert prekeys.kem(initial.kem_id) is None
        assert prekeys.signed(initial.signed_prekey_id) is not None
