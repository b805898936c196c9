"""The libraries that benchmarks/crypto.py measures, behind one small interface.

Each `Pair` is two people of one library. The other libraries are optional: DoubleRatchet with X3DH,
and vodozemac, from PyPI.
"""

import asyncio
import importlib
import itertools
from typing import Any, Protocol

from secure_chat.crypto import prekeys
from secure_chat.crypto.identity import LocalDevice, PeerDevice, new_account, peer_from_manifest
from secure_chat.crypto.keys import KemPrivate, PrekeyPrivate
from secure_chat.crypto.peer import PeerSessions, read_initial
from secure_chat.crypto.rng import system_random
from secure_chat.protocol.addresses import FIRST_DEVICE, UserId
from secure_chat.protocol.messages import Keys
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import ServerId

NOW = 1_795_348_800_000
SERVER = ServerId(bytes(range(16)))


class Pair(Protocol):
    """Alice and Bob in one library; ``set_up`` begins a new session for the other calls."""

    name: str

    def prepare(self, count: int) -> None:
        """Make keys for so many set-ups; not measured."""

    def set_up(self) -> None:
        """Check the keys, begin, send the first message, accept it, and answer it."""

    def seal(self, count: int, text: bytes) -> list[Any]:
        """Alice encrypts so many messages in one chain."""

    def open(self, sealed: list[Any]) -> None:
        """Bob decrypts them in the order given."""

    def ping_pong(self, count: int, text: bytes) -> None:
        """Alice writes and Bob answers so many times: each message is a Diffie-Hellman step."""

    def size(self, sealed: Any) -> int:
        """The bytes of one encrypted message."""

    def state(self) -> int:
        """The bytes of Bob's stored session."""


class _Person:
    """A device with as many one-time keys as are claimed; implements `PrekeySource`."""

    def __init__(self, name: str) -> None:
        self.account, self.device = new_account(
            UserId(name), SERVER, FIRST_DEVICE, NOW, system_random
        )
        self._signed, self.signed_prekey = prekeys.new_signed_prekey(
            self.device, 1, NOW, system_random
        )
        self._one_time: dict[int, PrekeyPrivate] = {}
        self._kem: dict[int, KemPrivate] = {}
        self.bundles: list[Keys] = []

    def publish(self, count: int) -> None:
        device: LocalDevice = self.device
        for key_id in range(len(self._kem), len(self._kem) + count):
            self._one_time[key_id], one_time = prekeys.new_one_time(key_id, system_random)
            self._kem[key_id], kem = prekeys.new_kem_prekey(
                device, PrekeyKind.ONE_TIME_KEM, key_id, NOW, system_random
            )
            bundle = Keys(
                0,
                device.account_key,
                device.manifest,
                device.manifest_signature,
                device.address.device,
                self.signed_prekey,
                kem,
                False,  # noqa: FBT003 - a wire message
                one_time,
            )
            self.bundles.append(bundle)

    @property
    def peer(self) -> PeerDevice:
        device = self.device
        return peer_from_manifest(
            device.address, SERVER, device.account_key, device.manifest, device.manifest_signature
        )[0]

    def signed(self, _key_id: int, /) -> PrekeyPrivate:
        return self._signed

    def one_time(self, key_id: int, /) -> PrekeyPrivate | None:
        return self._one_time.get(key_id)

    def kem(self, key_id: int, /) -> KemPrivate | None:
        return self._kem.get(key_id)


class SecureChat:
    """Ours: PQXDH with ML-KEM-1024, encrypted headers, padding, the post-quantum step."""

    name = "secure_chat"

    def __init__(self) -> None:
        self._alice, self._bob = _Person("alice"), _Person("bob")
        self._at_alice: PeerSessions
        self._at_bob: PeerSessions

    def prepare(self, count: int) -> None:
        self._bob.publish(count)

    def set_up(self) -> None:
        alice, bob = self._alice, self._bob
        peer_from_manifest.cache_clear()  # each session is one with a stranger
        bundle = prekeys.check_bundle(bob.bundles.pop(), bob.device.address, SERVER, NOW)
        self._at_alice = PeerSessions(alice.device, bundle.peer)
        self._at_alice.start(bundle, NOW, system_random)
        first = self._at_alice.seal(b"hello", NOW, system_random)
        sender = read_initial(first)
        assert sender is not None
        self._at_bob = PeerSessions(bob.device, sender.peer)
        self._at_bob.open(first, bob, NOW)
        answer = self._at_bob.seal(b"hello", NOW, system_random)
        self._at_alice.open(answer, alice, NOW)

    def seal(self, count: int, text: bytes) -> list[bytes]:
        seal = self._at_alice.seal
        return [seal(text, NOW, system_random) for _ in range(count)]

    def open(self, sealed: list[bytes]) -> None:
        unseal, bob = self._at_bob.open, self._bob
        for body in sealed:
            unseal(body, bob, NOW)

    def ping_pong(self, count: int, text: bytes) -> None:
        alice, bob = self._at_alice, self._at_bob
        for _ in range(count):
            body = alice.seal(text, NOW, system_random)
            bob.open(body, self._bob, NOW)
            body = bob.seal(text, NOW, system_random)
            alice.open(body, self._alice, NOW)

    def size(self, sealed: bytes) -> int:
        return len(sealed)

    def state(self) -> int:
        return len(self._at_bob.serialize())


class Vodozemac:
    """Olm in Rust: three DH, no post-quantum key, no encrypted header, no padding.

    Set-up includes the two signatures that a Matrix client checks: device keys and one-time key.
    """

    name = "vodozemac"

    def __init__(self) -> None:
        self._library = importlib.import_module("vodozemac")
        self._alice, self._bob = self._library.Account(), self._library.Account()
        self._keys: list[Any] = []
        self._at_alice: Any = None
        self._at_bob: Any = None

    def prepare(self, count: int) -> None:
        self._keys = []
        self._bob.generate_one_time_keys(count)
        for key in self._bob.one_time_keys.values():
            raw = key.to_bytes()
            self._keys.append((key, raw, self._bob.sign(raw)))
        self._bob.mark_keys_as_published()
        identity = self._bob.curve25519_key.to_bytes()
        self._device = (identity, self._bob.sign(identity))

    def set_up(self) -> None:
        key, raw, signature = self._keys.pop()
        signer = self._bob.ed25519_key
        signer.verify_signature(*self._device)
        signer.verify_signature(raw, signature)
        identity = self._bob.curve25519_key
        self._at_alice = self._alice.create_outbound_session(identity, key)
        first = self._at_alice.encrypt(b"hello").to_pre_key()
        self._at_bob, _ = self._bob.create_inbound_session(self._alice.curve25519_key, first)
        self._at_alice.decrypt(self._at_bob.encrypt(b"hello"))

    def seal(self, count: int, text: bytes) -> list[Any]:
        encrypt = self._at_alice.encrypt
        return [encrypt(text).to_parts() for _ in range(count)]

    def open(self, sealed: list[Any]) -> None:
        decrypt, parse = self._at_bob.decrypt, self._library.AnyOlmMessage.from_parts
        for parts in sealed:
            decrypt(parse(*parts))

    def ping_pong(self, count: int, text: bytes) -> None:
        parse = self._library.AnyOlmMessage.from_parts
        alice, bob = self._at_alice, self._at_bob
        for _ in range(count):
            bob.decrypt(parse(*alice.encrypt(text).to_parts()))
            alice.decrypt(parse(*bob.encrypt(text).to_parts()))

    def size(self, sealed: Any) -> int:
        return len(sealed[1])

    def state(self) -> int:
        return len(self._at_bob.pickle(bytes(32)))


class DoubleRatchet:
    """The PyPI packages DoubleRatchet and X3DH with their recommended parts."""

    name = "DoubleRatchet"

    def __init__(self) -> None:
        self._ratchet = importlib.import_module("doubleratchet")
        recommended = importlib.import_module("doubleratchet.recommended")
        part = {
            name: importlib.import_module(f"doubleratchet.recommended.{name}")
            for name in (
                "aead_aes_hmac",
                "diffie_hellman_ratchet_curve25519",
                "kdf_hkdf",
                "kdf_separate_hmacs",
            )
        }
        chosen = {
            "_get_hash_function": staticmethod(lambda: recommended.HashFunction.SHA_256),
            "_get_info": staticmethod(lambda: b"benchmark"),
        }
        self._settings = {
            "diffie_hellman_ratchet_class": part[
                "diffie_hellman_ratchet_curve25519"
            ].DiffieHellmanRatchet,
            "root_chain_kdf": type("RootKdf", (part["kdf_hkdf"].KDF,), chosen),
            "message_chain_kdf": type("ChainKdf", (part["kdf_separate_hmacs"].KDF,), chosen),
            "message_chain_constant": b"\x01\x02",
            "dos_protection_threshold": 1000,
            "max_num_skipped_message_keys": 1000,
            "aead": type("Aead", (part["aead_aes_hmac"].AEAD,), chosen),
        }

        def associate(data: bytes, header: Any) -> bytes:
            numbers = header.previous_sending_chain_length, header.sending_chain_length
            return (
                data + bytes(header.ratchet_pub) + b"".join(n.to_bytes(4, "big") for n in numbers)
            )

        whole = {"_build_associated_data": staticmethod(associate)}
        self._double: Any = type("Double", (self._ratchet.DoubleRatchet,), whole)
        agreement = importlib.import_module("x3dh")
        parts = {
            "_encode_public_key": staticmethod(lambda _format, key: key),
            "_publish_bundle": lambda _self, _bundle: None,
        }
        state = type("State", (agreement.BaseState,), parts)
        self._alice, self._bob = (
            state.create(  # type: ignore[attr-defined]
                agreement.IdentityKeyFormat.CURVE_25519,
                importlib.import_module("x3dh.crypto_provider").HashFunction.SHA_256,
                b"benchmark",
            )
            for _ in range(2)
        )
        self._associated = b"associated data"
        self._at_alice: Any = None
        self._at_bob: Any = None
        self._loop = asyncio.new_event_loop()

    def prepare(self, count: int) -> None:
        self._bob.generate_pre_keys(count)
        whole = self._bob.bundle
        self._bundles = [whole._replace(pre_keys=frozenset({key})) for key in whole.pre_keys]

    def set_up(self) -> None:
        self._loop.run_until_complete(self._set_up())

    async def _set_up(self) -> None:
        bundle = self._bundles.pop()
        secret, data, header = await self._alice.get_shared_secret_active(bundle)
        double = self._double
        self._at_alice, first = await double.encrypt_initial_message(
            shared_secret=secret,
            recipient_ratchet_pub=bundle.signed_pre_key,
            message=b"hello",
            associated_data=data,
            **self._settings,
        )
        secret, data, signed = await self._bob.get_shared_secret_passive(header)
        self._at_bob, _ = await double.decrypt_initial_message(
            shared_secret=secret,
            own_ratchet_priv=signed.priv,
            message=first,
            associated_data=data,
            **self._settings,
        )
        self._associated = data
        answer = await self._at_bob.encrypt_message(b"hello", data)
        await self._at_alice.decrypt_message(answer, data)

    def seal(self, count: int, text: bytes) -> list[Any]:
        async def run() -> list[Any]:
            encrypt, data = self._at_alice.encrypt_message, self._associated
            return [await encrypt(text, data) for _ in range(count)]

        return self._loop.run_until_complete(run())

    def open(self, sealed: list[Any]) -> None:
        async def run() -> None:
            for message in sealed:
                await self._at_bob.decrypt_message(message, self._associated)

        self._loop.run_until_complete(run())

    def ping_pong(self, count: int, text: bytes) -> None:
        async def run() -> None:
            data = self._associated
            ends = itertools.cycle([(self._at_alice, self._at_bob), (self._at_bob, self._at_alice)])
            for sender, receiver in itertools.islice(ends, 2 * count):
                await receiver.decrypt_message(await sender.encrypt_message(text, data), data)

        self._loop.run_until_complete(run())

    def size(self, sealed: Any) -> int:
        header = sealed.header
        return len(header.ratchet_pub) + 8 + len(sealed.ciphertext)

    def state(self) -> int:
        return len(str(self._at_bob.json))

    def close(self) -> None:
        self._loop.close()
