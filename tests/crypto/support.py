"""People with devices and prekeys, for the tests of the encryption."""

import dataclasses
import functools
import hashlib
from dataclasses import dataclass, field

import msgspec

from secure_chat.crypto import body as bodies
from secure_chat.crypto import prekeys
from secure_chat.crypto.identity import LocalDevice, PeerDevice, new_account, peer_from_manifest
from secure_chat.crypto.keys import (
    AccountSigningKey,
    KemPrivate,
    PrekeyPrivate,
    encapsulate_768,
    encapsulate_1024,
)
from secure_chat.crypto.peer import Opened, PeerSessions, read_initial
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.rng import Random
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceName, UserId
from secure_chat.protocol.manifest import Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.messages import KemPrekey, Keys, OneTimePrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeviceDhKey, PrekeyPublic, ServerId

SERVER = ServerId(bytes(range(16)))
NOW = 1_795_348_800_000  # 2026-11-22, in ms
DAY_MS = 86_400_000


def seeded(seed: str) -> Random:
    """A reproducible source of randomness: SHA-256 in counter mode."""
    counter = 0

    def random(size: int) -> bytes:
        nonlocal counter
        out = b""
        while len(out) < size:
            out += hashlib.sha256(f"{seed}/{counter}".encode()).digest()
            counter += 1
        return out[:size]

    return random


@functools.cache
def encapsulate_large(public: bytes) -> tuple[bytes, bytes]:
    """ML-KEM-1024, the same for a key each time: its randomness cannot be told, and runs repeat."""
    return encapsulate_1024(public)


@functools.cache
def encapsulate_small(public: bytes) -> tuple[bytes, bytes]:
    """ML-KEM-768 in the same way."""
    return encapsulate_768(public)


@dataclass
class Store:
    """Private prekeys as an engine would keep them; implements `PrekeySource`."""

    signed_keys: dict[int, PrekeyPrivate] = field(default_factory=dict)
    one_time_keys: dict[int, PrekeyPrivate] = field(default_factory=dict)
    kem_keys: dict[int, KemPrivate] = field(default_factory=dict)

    def signed(self, key_id: int, /) -> PrekeyPrivate | None:
        return self.signed_keys.get(key_id)

    def one_time(self, key_id: int, /) -> PrekeyPrivate | None:
        return self.one_time_keys.get(key_id)

    def kem(self, key_id: int, /) -> KemPrivate | None:
        return self.kem_keys.get(key_id)


class Person:
    """Somebody with an account and a device with published prekeys; with ``first``, the next one.

    ``first`` is the person of the account's first device, whose manifest then lists both.
    """

    def __init__(
        self,
        name: str,
        *,
        now_ms: int = NOW,
        stock: int = 2,
        seed: str = "",
        first: "Person | None" = None,
    ) -> None:
        self.random = seeded(f"person {name} {seed}")
        self.account: AccountSigningKey
        self.device: LocalDevice
        user_id, _, device = name.partition("/")
        device_name = DeviceName(device) if device else FIRST_DEVICE
        self.account, self.device = new_account(
            UserId(user_id), SERVER, device_name, now_ms, self.random
        )
        if first is not None:
            self._join(first)
        self.store = Store()
        self.one_time: list[OneTimePrekey] = []
        self.one_time_kem: list[KemPrekey] = []
        self.signed_prekey: SignedPrekey
        self.last_resort: KemPrekey
        self._next_id = 1
        self.rotate(now_ms)
        self.refill(stock, now_ms)

    def _join(self, first: "Person") -> None:
        old = decode_manifest(first.device.manifest)
        new = msgspec.structs.replace(
            old,
            counter=old.counter + 1,
            previous=manifest_hash(first.device.manifest),
            devices=tuple(sorted((*old.devices, self.device.entry), key=lambda each: each.name)),
        ).encode()
        signature = first.account.sign(signing.manifest(new))
        self.account = first.account
        for person in (first, self):
            person.device = dataclasses.replace(
                person.device,
                account_key=first.account.public,
                manifest=new,
                manifest_signature=signature,
            )

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def rotate(self, now_ms: int) -> None:
        """New signed prekey and last-resort key; the old private parts stay."""
        private, self.signed_prekey = prekeys.new_signed_prekey(
            self.device, self._id(), now_ms, self.random
        )
        self.store.signed_keys[self.signed_prekey.id] = private
        kem, self.last_resort = prekeys.new_kem_prekey(
            self.device, PrekeyKind.LAST_RESORT_KEM, self._id(), now_ms, self.random
        )
        self.store.kem_keys[self.last_resort.id] = kem

    def begin_anew(self, now_ms: int) -> None:
        """As a restored old vault does: no prekey of before is used again."""
        self.store = Store()
        self.one_time, self.one_time_kem = [], []
        self.rotate(now_ms)
        self.refill(1, now_ms)

    def refill(self, stock: int, now_ms: int = NOW) -> None:
        for _ in range(stock):
            private, public = prekeys.new_one_time(self._id(), self.random)
            self.store.one_time_keys[public.id] = private
            self.one_time.append(public)
            kem, kem_public = prekeys.new_kem_prekey(
                self.device, PrekeyKind.ONE_TIME_KEM, self._id(), now_ms, self.random
            )
            self.store.kem_keys[kem_public.id] = kem
            self.one_time_kem.append(kem_public)

    def claim(self) -> Keys:
        """What a server answers to keys_get: each one-time key once."""
        one_time = self.one_time.pop(0) if self.one_time else None
        kem = self.one_time_kem.pop(0) if self.one_time_kem else self.last_resort
        return Keys(
            ref=0,
            account_key=self.device.account_key,
            manifest=self.device.manifest,
            manifest_signature=self.device.manifest_signature,
            device=self.device.address.device,
            signed_prekey=self.signed_prekey,
            kem=kem,
            kem_is_last_resort=kem is self.last_resort,
            one_time=one_time,
        )

    @property
    def peer(self) -> PeerDevice:
        """How others see this device."""
        device = self.device
        return peer_from_manifest(
            device.address,
            SERVER,
            device.account_key,
            device.manifest,
            device.manifest_signature,
        )[0]


class Link:
    """One end of a conversation: the sessions of ``person`` with ``other``."""

    def __init__(self, person: Person, other: Person) -> None:
        self.person = person
        self.other = other
        self.now = NOW
        self.sessions = PeerSessions(person.device, other.peer)

    def start(self, *, anew: bool = False) -> None:
        """Claim a bundle of the other and begin a session."""
        bundle = check_bundle(self.other.claim(), self.other.device.address, SERVER, self.now)
        random = self.person.random
        self.sessions.start(bundle, self.now, random, anew=anew, encapsulate=encapsulate_large)

    def seal(self, text: str) -> bytes:
        return self.sessions.seal(text.encode(), self.now, self.person.random)

    def open(self, body: bytes) -> str:
        """Decrypt, and delete used one-time keys as an engine must."""
        return self.opened(body).content.decode()

    def opened(self, body: bytes) -> Opened:
        store = self.person.store
        opened = self.sessions.open(body, store, self.now, encapsulate=encapsulate_small)
        if opened.used_one_time is not None:
            del store.one_time_keys[opened.used_one_time]
        if opened.used_kem is not None:
            del store.kem_keys[opened.used_kem]
        return opened

    def reload(self) -> None:
        """As after a restart of the program."""
        self.sessions = PeerSessions.load(self.person.device, self.sessions.serialize())

    def lose(self) -> None:
        """As after the loss of all sessions."""
        self.sessions = PeerSessions(self.person.device, self.other.peer)


def pair(*, stock: int = 2, seed: str = "") -> tuple[Link, Link]:
    """Alice and Bob, who have not spoken yet."""
    alice, bob = (Person(name, stock=stock, seed=seed) for name in ("alice", "bob"))
    return Link(alice, bob), Link(bob, alice)


def talking(*, seed: str = "") -> tuple[Link, Link]:
    """Alice and Bob after a first message and its answer."""
    alice, bob = pair(seed=seed)
    alice.start()
    assert bob.open(alice.seal("hello")) == "hello"
    assert alice.open(bob.seal("hello yourself")) == "hello yourself"
    return alice, bob


def handshake_with(slot: str, point: bytes) -> None:
    """A whole handshake in which a hostile party uses ``point`` as its key in one slot.

    Whoever places the key signs it as the rightful owner, so that no signature saves the victim.
    """
    alice, bob = pair(seed="slots")
    hostile = alice.person if slot in {"initiator's device key", "ephemeral key"} else bob.person
    if slot.endswith("device key"):
        _republish(hostile, DeviceDhKey(point))
    keys = bob.person.claim()
    if slot == "signed prekey":
        old = keys.signed_prekey
        signed = signing.prekey(
            PrekeyKind.SIGNED_X25519, bob.person.device.address, SERVER, old.id, point, old.expires
        )
        signature = bob.person.device.signing.sign(signed)
        new = msgspec.structs.replace(old, key=PrekeyPublic(point), signature=signature)
        keys = msgspec.structs.replace(keys, signed_prekey=new)
    if slot == "one-time prekey":
        keys = msgspec.structs.replace(keys, one_time=OneTimePrekey(1, PrekeyPublic(point)))
    bundle = check_bundle(keys, bob.person.device.address, SERVER, NOW)
    sessions = PeerSessions(alice.person.device, bundle.peer)
    sessions.start(bundle, NOW, alice.person.random)
    body = sessions.seal(b"", NOW, alice.person.random)
    if slot == "ephemeral key":
        cut = bodies.decode(body)
        assert cut.initial is not None
        body = cut.initial._replace(ephemeral=PrekeyPublic(point)).encode() + cut.sealed
    sender = read_initial(body)
    assert sender is not None
    at_bob = PeerSessions(bob.person.device, sender.peer)
    before = at_bob.serialize()
    try:
        at_bob.open(body, bob.person.store, NOW)
    finally:
        assert at_bob.serialize() == before


def _republish(person: Person, dh_key: DeviceDhKey) -> None:
    """Sign a manifest that names ``dh_key``."""
    device = person.device
    entry = msgspec.structs.replace(device.entry, dh_key=dh_key)
    manifest = Manifest.first(device.address.user_id, SERVER, NOW, entry).encode()
    person.device = dataclasses.replace(
        device,
        manifest=manifest,
        manifest_signature=person.account.sign(signing.manifest(manifest)),
    )


def offer_in_ratchet(end: Link, point: bytes) -> bytes:
    """A sealed message of ``end`` whose header names ``point`` as its new ratchet key."""
    ratchet = end.sessions._sessions[0].ratchet
    step = ratchet._sending_step(end.person.random)
    ratchet.root, ratchet.our_key, ratchet.next_sending_header = step[:3]
    ratchet.sending = step.chain
    assert ratchet.our_key is not None
    ratchet.our_key._public = point
    return end.seal("with a bad key")
