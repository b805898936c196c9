"""C publishes B's X25519 and ML-KEM keys as its own: a message for C is still none for B."""

from dataclasses import replace

import pytest

from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.rng import system_random
from secure_chat.errors import PeerError
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.manifest import DeviceEntry, Manifest
from secure_chat.protocol.messages import KemPrekey, SignedPrekey, Welcome
from secure_chat.protocol.signing import PrekeyKind
from tests.support.accounts import Account, now_ms
from tests.support.processes import ServerProcess
from tests.support.raw_client import RawClient
from tests.support.wire import Wire


def borrower(name: str, of: Account) -> Account:
    """An account with signing keys of its own and the encryption keys of another."""
    own = Account.new(name, of.device.server_id)
    entry = DeviceEntry(
        own.address.device, own.device.signing.public, of.device.dh.public, own.device.mls.public
    )
    manifest = Manifest.first(own.address.user_id, of.device.server_id, now_ms(), entry).encode()
    signature = own.signing_key.sign(signing.manifest(manifest))
    own = replace(own, device=replace(own.device, manifest=manifest, manifest_signature=signature))
    curve, kem = of.signed_prekey, of.last_resort
    return replace(
        own,
        signed_prekey=SignedPrekey(
            curve.id, curve.key, curve.expires,
            own.device.signing.sign(_prekey(own, PrekeyKind.SIGNED_X25519, curve)),
        ),
        last_resort=KemPrekey(
            kem.id, kem.key, kem.expires,
            own.device.signing.sign(_prekey(own, PrekeyKind.LAST_RESORT_KEM, kem)),
        ),
    )  # fmt: skip


def _prekey(account: Account, kind: PrekeyKind, key: SignedPrekey | KemPrekey) -> bytes:
    device = account.device
    return signing.prekey(kind, device.address, device.server_id, key.id, key.key, key.expires)


def sealed_for(writer: RawClient, address: DeviceAddress, text: bytes) -> bytes:
    """What a client that follows the protocol sends to a device, from what the server says."""
    ours = writer.account.device
    bundle = check_bundle(writer.claim(str(address)), address, ours.server_id, now_ms())
    sessions = PeerSessions(ours, bundle.peer)
    sessions.start(bundle, now_ms(), system_random)
    return sessions.seal(text, now_ms(), system_random)


def opened_by(reader: Account, body: bytes) -> bytes:
    """What a device reads in a first message; raises `PeerError`."""
    initial = read_initial(body)
    assert initial is not None
    sessions = PeerSessions(reader.device, initial.peer)
    return sessions.open(body, reader, now_ms()).content


def test_attack_14_a_message_for_who_borrowed_keys_is_none_for_their_owner(
    server: ServerProcess,
) -> None:
    """B holds every private key that C's bundle needs, and still cannot be given A's words."""
    with (
        RawClient.register(server.port, "alice-14") as alice,
        RawClient.register(server.port, "bob-14") as bob,
        Wire(server.port) as wire,
    ):
        mallory = borrower("mallory-14", bob.account)
        wire.send(mallory.register(wire))  # the server cannot know whose encryption keys they are
        wire.expect(Welcome)
        body = sealed_for(alice, mallory.address, b"for Mallory")
        alice.pm(bob.address, body)  # Mallory's server hands it to Bob
        _, arrived = bob.next_delivery()
        with pytest.raises(PeerError):
            opened_by(bob.account, arrived)
        honest = sealed_for(alice, bob.account.address, b"for Bob")
        assert opened_by(bob.account, honest).startswith(b"for Bob")
