"""The people and conversations that vectors are made of; see make_vectors.py."""

import hashlib
import json
from pathlib import Path
from typing import Any

from secure_chat.crypto import keys, prekeys
from secure_chat.crypto.aead import NONCE
from secure_chat.crypto.identity import PeerDevice, new_account, peer_from_manifest
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.prekeys import Bundle, check_bundle
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import FIRST_DEVICE, UserId
from secure_chat.protocol.messages import KemPrekey, Keys, OneTimePrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import ServerId

Json = dict[str, Any]
SERVER = ServerId(bytes(range(16)))
NOW = 1_795_348_800_000  # 2026-11-22, in ms
DAY = 86_400_000


class Draws:
    """Reproducible randomness that remembers what it gave."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._counter = 0
        self._given: list[str] = []

    def __call__(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            out += hashlib.sha256(
                f"secure_chat vectors {self._seed} {self._counter}".encode()
            ).digest()
            self._counter += 1
        self._given.append(out[:size].hex())
        return out[:size]

    def given(self) -> list[str]:
        """What was drawn since the last call."""
        given, self._given = self._given, []
        return given


class Encapsulations:
    """Recorded results of ML-KEM encapsulation, by public key."""

    def __init__(self, file: Path) -> None:
        self._file = file
        old = json.loads(file.read_text())["cases"] if file.exists() else []
        self._known: dict[str, Json] = {each["public"]: each for each in old}
        self._used: dict[str, Json] = {}
        self._seeds: dict[str, tuple[str, str]] = {}
        self.last: Json = {}

    def knows(self, private: keys.KemPrivate | keys.StepPrivate) -> None:
        """Remember whose public key this is, so that the case can name the seed."""
        name = "ML-KEM-1024" if isinstance(private, keys.KemPrivate) else "ML-KEM-768"
        self._seeds[private.public.hex()] = (name, private.raw.hex())

    def _of(self, public: bytes, fresh: keys.Encapsulate) -> tuple[bytes, bytes]:
        case = self._known.get(public.hex())
        if case is None:
            secret, ciphertext = fresh(public)
            case = {"public": public.hex(), "ciphertext": ciphertext.hex(), "secret": secret.hex()}
            self._known[public.hex()] = case
        parameters, seed = self._seeds.get(public.hex(), ("", ""))
        case = {"parameters": parameters, "seed": seed, **case}
        self._used[public.hex()] = case
        self.last = {name: case[name] for name in ("ciphertext", "secret")}
        return bytes.fromhex(case["secret"]), bytes.fromhex(case["ciphertext"])

    def large(self, public: bytes) -> tuple[bytes, bytes]:
        """ML-KEM-1024."""
        return self._of(public, keys.encapsulate_1024)

    def small(self, public: bytes) -> tuple[bytes, bytes]:
        """ML-KEM-768."""
        return self._of(public, keys.encapsulate_768)

    def taken(self) -> Json:
        """The result of the last encapsulation, once."""
        last, self.last = self.last, {}
        return last

    def file(self) -> Json:
        """All cases in use, as a vector file of their own."""
        return {
            "shows": "decapsulating with the key of this seed (d, then z) gives the secret",
            "cases": list(self._used.values()),
        }


class Party:
    """Somebody with a device, prekeys and sessions."""

    def __init__(self, name: str, kem: Encapsulations, *, one_time: bool = True) -> None:
        self.name = name
        self.draws = Draws(name)
        self.kem = kem
        self.account, self.device = new_account(UserId(name), SERVER, FIRST_DEVICE, NOW, self.draws)
        signed, self.signed_prekey = prekeys.new_signed_prekey(self.device, 1, NOW, self.draws)
        kind = PrekeyKind.ONE_TIME_KEM if one_time else PrekeyKind.LAST_RESORT_KEM
        private_kem, self.kem_prekey = prekeys.new_kem_prekey(self.device, kind, 2, NOW, self.draws)
        kem.knows(private_kem)
        self.signed_keys = {1: signed}
        self.kem_keys = {2: private_kem}
        self.one_time_keys: dict[int, keys.PrekeyPrivate] = {}
        self.one_time: OneTimePrekey | None = None
        if one_time:
            self.one_time_keys[3], self.one_time = prekeys.new_one_time(3, self.draws)
        self.kem_kind = kind
        self.draws.given()
        self.sessions: PeerSessions

    @property
    def peer(self) -> PeerDevice:
        device = self.device
        return peer_from_manifest(
            device.address, SERVER, device.account_key, device.manifest, device.manifest_signature
        )[0]

    @property
    def claimed(self) -> Keys:
        """What the server hands out of this device's keys."""
        device = self.device
        return Keys(
            ref=0,
            account_key=device.account_key,
            manifest=device.manifest,
            manifest_signature=device.manifest_signature,
            device=device.address.device,
            signed_prekey=self.signed_prekey,
            kem=self.kem_prekey,
            kem_is_last_resort=self.kem_kind is PrekeyKind.LAST_RESORT_KEM,
            one_time=self.one_time,
        )

    @property
    def bundle(self) -> Bundle:
        return check_bundle(self.claimed, self.device.address, SERVER, NOW)

    def source(self) -> "Source":
        return Source(self)

    def described(self) -> Json:
        """Everything about the party, private keys included."""
        device = self.device
        return {
            "address": device.address.qualified(SERVER).decode(),
            "account_seed": self.account.raw.hex(),
            "account_key": self.account.public.hex(),
            "device_seed": device.signing.raw.hex(),
            "device_key": device.signing.public.hex(),
            "dh_private": device.dh.raw.hex(),
            "dh_key": device.dh.public.hex(),
            "mls_seed": device.mls.raw.hex(),
            "mls_key": device.mls.public.hex(),
            "manifest_time_ms": NOW,
            "manifest": device.manifest.hex(),
            "manifest_signature": device.manifest_signature.hex(),
            "signed_prekey": _signed_prekey(self.signed_prekey, self.signed_keys[1]),
            "kem": {
                "kind": self.kem_kind.value.decode(),
                **_kem(self.kem_prekey, self.kem_keys[2]),
            },
            "one_time": self.one_time
            and {
                "id": self.one_time.id,
                "private": self.one_time_keys[3].raw.hex(),
                "public": self.one_time.key.hex(),
            },
        }


class Source:
    """A party's prekeys as `PrekeySource`."""

    def __init__(self, party: Party) -> None:
        self._party = party

    def signed(self, key_id: int, /) -> keys.PrekeyPrivate | None:
        return self._party.signed_keys.get(key_id)

    def one_time(self, key_id: int, /) -> keys.PrekeyPrivate | None:
        return self._party.one_time_keys.get(key_id)

    def kem(self, key_id: int, /) -> keys.KemPrivate | None:
        return self._party.kem_keys.get(key_id)


def _signed_prekey(key: SignedPrekey, private: keys.PrekeyPrivate) -> Json:
    return {
        "id": key.id,
        "private": private.raw.hex(),
        "public": key.key.hex(),
        "expires": key.expires,
        "signature": key.signature.hex(),
    }


def _kem(key: KemPrekey, private: keys.KemPrivate) -> Json:
    return {
        "id": key.id,
        "seed": private.raw.hex(),
        "public": key.key.hex(),
        "expires": key.expires,
        "signature": key.signature.hex(),
    }


class Scene:
    """A conversation between Alice and Bob that writes itself down step by step."""

    def __init__(self, kem: Encapsulations, shows: str, *, one_time: bool = True) -> None:
        self.kem = kem
        self.now = NOW
        self.alice, self.bob = (Party(name, kem, one_time=one_time) for name in ("alice", "bob"))
        self.alice.sessions = PeerSessions(self.alice.device, self.bob.peer)
        self.bob.sessions = PeerSessions(self.bob.device, self.alice.peer)
        self.steps: list[Json] = []
        self.file = {
            "shows": shows,
            "parties": {party.name: party.described() for party in (self.alice, self.bob)},
            "steps": self.steps,
        }

    def other(self, who: Party) -> Party:
        return self.bob if who is self.alice else self.alice

    def start(self, who: Party, *, anew: bool = False) -> None:
        their = self.other(who)
        who.sessions.start(their.bundle, self.now, who.draws, anew=anew, encapsulate=self.kem.large)
        session = who.sessions._sessions[0]
        ratchet = session.ratchet
        self.steps.append(
            {
                "do": "start",
                "who": who.name,
                "now_ms": self.now,
                "anew": anew,
                "random": who.draws.given(),
                "encapsulation": self.kem.taken(),
                "gives": {
                    "restart": session.restart,
                    "transcript_hash": ratchet.associated_data.hex(),
                    "root_key": ratchet.root.raw.hex(),
                    "initiator_header_key": ratchet.next_sending_header.raw.hex(),
                    "responder_header_key": ratchet.next_receiving_header.raw.hex(),
                    "session_id": session.id.hex(),
                    "prefix": session.prefix.hex(),
                },
            }
        )

    def seal(self, who: Party, content: str) -> bytes:
        kept = [each.id for each in who.sessions._sessions]
        body = who.sessions.seal(content.encode(), self.now, who.draws)
        session = next(each for each in who.sessions._sessions if each.id == kept[0])
        offer = getattr(session.ratchet.pq, "offer", None)
        if offer is not None:
            self.kem.knows(offer)
        self.steps.append(
            {
                "do": "seal",
                "who": who.name,
                "now_ms": self.now,
                "content": content,
                "random": who.draws.given(),
                "gives": {"body": body.hex(), "root_key": session.ratchet.root.raw.hex()},
            }
        )
        return body

    def lose(self, who: Party, times: int) -> None:
        """Messages that never arrive; their bytes matter to nobody."""
        random = []
        for _ in range(times):
            who.sessions.seal(b"", self.now, who.draws)
            random += [each for each in who.draws.given() if len(each) > 2 * NONCE]
        self.steps.append(
            {
                "do": "seal and lose",
                "who": who.name,
                "now_ms": self.now,
                "times": times,
                "random": random,
            }
        )

    def forget(self, who: Party) -> None:
        """As after the loss of the vault."""
        who.sessions = PeerSessions(who.device, self.other(who).peer)
        self.steps.append({"do": "lose all sessions", "who": who.name})

    def open(self, who: Party, body: bytes, why: str = "") -> None:
        before = who.sessions.serialize()
        gives: Json
        try:
            opened = who.sessions.open(body, who.source(), self.now, encapsulate=self.kem.small)
            session = next(s for s in who.sessions._sessions if s.id == opened.session_id)
            gives = {
                "content": opened.content.decode(),
                "session_id": opened.session_id.hex(),
                "new_session": opened.new_session,
                "root_key": session.ratchet.root.raw.hex(),
            }
            if opened.outranked:
                gives["outranked"] = True
            if opened.used_one_time is not None:
                del who.one_time_keys[opened.used_one_time]
                gives["used_one_time"] = opened.used_one_time
            if opened.used_kem is not None:
                del who.kem_keys[opened.used_kem]
                gives["used_kem"] = opened.used_kem
        except SecureChatError as error:
            assert who.sessions.serialize() == before
            gives = {"error": type(error).__name__}
        step: Json = {"do": "open", "who": who.name, "now_ms": self.now, "body": body.hex()}
        if why:
            step["why"] = why
        if encapsulation := self.kem.taken():
            step["encapsulation"] = encapsulation
        self.steps.append({**step, "gives": gives})

    def say(self, who: Party, content: str) -> None:
        self.open(self.other(who), self.seal(who, content))
