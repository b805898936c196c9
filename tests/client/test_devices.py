"""An account with several devices: the engine talks with each of them as one person.

The second device is scripted: its keys are in a manifest with counter 2, signed by the account.
"""

import dataclasses
import os
from collections import deque
from collections.abc import Iterator

import msgspec
import pytest

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId
from secure_chat.client.events import MessageState
from secure_chat.crypto.identity import LocalDevice
from secure_chat.crypto.keys import DeviceDhPrivate, DeviceSigningKey, MlsSigningKey
from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.crypto.prekeys import check_bundle, new_kem_prekey, new_signed_prekey
from secure_chat.crypto.rng import system_random
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import DeviceAddress, DeviceName
from secure_chat.protocol.manifest import DeviceEntry, Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.messages import Accepted, Delivery, ManifestPut, Ok
from secure_chat.protocol.signing import PrekeyKind
from tests.client.world import Client, World
from tests.support.accounts import Account, now_ms
from tests.support.raw_client import RawClient

PHONE = DeviceName("phone")


class Device:
    """A scripted device: a connection, its keys, and its sessions with one engine's device."""

    def __init__(self, raw: RawClient) -> None:
        self.raw = raw
        self._sessions: PeerSessions | None = None
        self._arrived: deque[tuple[Delivery, bytes]] = deque()

    @property
    def local(self) -> LocalDevice:
        return self.raw.account.device

    def receive(self) -> Content:
        """The next content that the engine sent to this device."""
        delivery, body = self._arrived.popleft() if self._arrived else self.raw.next_delivery()
        if self._sessions is None:
            initial = read_initial(body)
            assert initial is not None
            self._sessions = PeerSessions(self.local, initial.peer)
        opened = self._sessions.open(body, self.raw.account, now_ms())
        self.raw.ack(delivery.seq)
        return content.decode(opened.content)

    def receive_text(self) -> str:
        """The next text; receipts and other silent contents are passed over."""
        while True:
            payload = self.receive().payload
            if isinstance(payload, content.Text):
                return payload.text

    def send(self, to: Client, text: str) -> None:
        """A text to somebody's first device; a session is begun if there is none."""
        if self._sessions is None:
            address = DeviceAddress.parse(f"{to.name}/main")
            answer = self.raw.claim(str(address))
            bundle = check_bundle(answer, address, self.local.server_id, now_ms())
            self._sessions = PeerSessions(self.local, bundle.peer)
            self._sessions.start(bundle, now_ms(), system_random)
        counter = decode_manifest(self.local.manifest).counter
        made = Content(ContentId(os.urandom(16)), now_ms(), content.Text(text), own_counter=counter)
        body = self._sessions.seal(content.encode(made), now_ms(), system_random)
        sent = self.raw.put(f"{to.name}/main", body)
        while True:
            message, body = self.raw.wire.receive()
            if isinstance(message, Delivery):
                self._arrived.append((message, body))
            elif isinstance(message, Accepted):
                assert message.id == sent
                return


def _second(first: Device, port: int) -> Device:
    """Another device of the account, announced by the first one, signed by the account key."""
    old, account = first.local, first.raw.account
    device_key = DeviceSigningKey.generate(system_random)
    dh = DeviceDhPrivate.generate(system_random)
    mls = MlsSigningKey.generate(system_random)
    entry = DeviceEntry(PHONE, device_key.public, dh.public, mls.public)
    before = decode_manifest(old.manifest)
    manifest = Manifest(
        before.address,
        before.counter + 1,
        manifest_hash(old.manifest),
        before.time + 1,
        (*before.devices, entry),
    ).encode()
    signature = account.signing_key.sign(signing.manifest(manifest))
    answer = first.raw.request(ManifestPut(first.raw.ref(), manifest, signature))
    assert isinstance(answer, Ok)
    account.device = dataclasses.replace(old, manifest=manifest, manifest_signature=signature)
    local = LocalDevice(
        DeviceAddress(old.address.user_id, PHONE),
        old.server_id,
        old.account_key,
        device_key,
        dh,
        mls,
        manifest,
        signature,
    )
    private, signed = new_signed_prekey(local, 1, now_ms(), system_random)
    kem_private, kem = new_kem_prekey(local, PrekeyKind.LAST_RESORT_KEM, 2, now_ms(), system_random)
    raw = RawClient.login(
        port, Account(account.signing_key, local, signed, kem, {1: private}, {2: kem_private})
    )
    put = raw.account.more_keys(raw.ref(), 2, 2)
    raw.wire.send(msgspec.structs.replace(put, signed_prekey=signed, last_resort=kem))
    raw.wire.expect(Ok)
    return Device(raw)


@pytest.fixture
def main(world: World) -> Iterator[Device]:
    with RawClient.register(world.server.port, "bob") as raw:
        raw.publish()
        yield Device(raw)


def test_every_device_of_a_contact_gets_each_text_and_may_write(world: World, main: Device) -> None:
    """A device that joins is found by the engine itself, and what either writes is one talk.

    The server's `devices_changed` makes the engine fetch the manifest; the text on its way then
    goes to both, and is confirmed when either has it.
    """
    alice = world.person("alice")
    alice.send("bob", "to the only device")
    assert main.receive_text() == "to the only device"
    main.send(alice, "from the first device")
    alice.has("bob", "to the only device", "from the first device")

    phone = _second(main, world.server.port)
    with phone.raw:
        alice.send("bob", "to both")
        assert main.receive_text() == "to both"
        assert phone.receive_text() == "to both"
        alice.all_are("bob", MessageState.ACCEPTED)
        phone.send(alice, "from the phone")
        main.send(alice, "and from the first")
        alice.has("bob", "from the phone", "and from the first")
        alice.send("bob", "to both again")
        assert main.receive_text() == "to both again"
        assert phone.receive_text() == "to both again"
        assert not alice.notices("bob")
        assert not alice.problems()


def test_a_device_that_writes_first_is_known_by_its_manifest(world: World, main: Device) -> None:
    """Its first message carries the newer manifest, which must follow the known one."""
    alice = world.person("alice")
    main.send(alice, "one")
    alice.has("bob", "one")
    phone = _second(main, world.server.port)
    with phone.raw:
        phone.send(alice, "two")
        alice.has("bob", "one", "two")
        alice.send("bob", "to both at once")
        assert main.receive_text() == "to both at once"
        assert phone.receive_text() == "to both at once"
        assert not alice.notices("bob")
