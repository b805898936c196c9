"""The committed vectors hold for this code, and the script makes exactly these files again."""

import hashlib
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_chat import errors
from secure_chat.crypto import kdf, padding, pqxdh
from secure_chat.crypto.aead import NONCE
from secure_chat.crypto.fingerprint import account_fingerprint, qr_content, safety_number
from secure_chat.crypto.keys import (
    DeviceDhPrivate,
    KemPrivate,
    PrekeyPrivate,
    StepPrivate,
)
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.state import VERSION
from secure_chat.errors import BadCurveKey, BadEncoding
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.manifest import DeviceEntry, Manifest
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import (
    AccountKey,
    ServerId,
)
from tests.crypto.described import Json, Party, unhex

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "tests" / "vectors"
CONVERSATIONS = sorted(
    file.stem for file in FOLDER.glob("*.json") if file.stem.startswith(("session", "invalid"))
)


def _load(name: str) -> Json:
    loaded: Json = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def _recorded(draws: list[str]) -> Callable[[int], bytes]:
    remaining: Iterator[str] = iter(draws)

    def random(size: int) -> bytes:
        data = unhex(next(remaining))
        assert len(data) == size
        return data

    return random


def _recorded_keys(draws: list[str]) -> Callable[[int], bytes]:
    """As `_recorded`; nonces, which the vector leaves out, are any. Empty: all were drawn."""
    numbers = itertools.count()
    remaining = list(draws)

    def random(size: int) -> bytes:
        if size == 0:
            return b"".join(map(unhex, remaining))
        if size == NONCE:
            return hashlib.sha256(str(next(numbers)).encode()).digest()[:size]
        data = unhex(remaining.pop(0))
        assert len(data) == size
        return data

    return random


def _encapsulation(step: Json) -> Callable[[bytes], tuple[bytes, bytes]]:
    given = step["encapsulation"]
    return lambda _: (unhex(given["secret"]), unhex(given["ciphertext"]))


class Scene:
    """Runs the steps of one conversation."""

    def __init__(self, vector: Json) -> None:
        self.parties = {name: Party(each) for name, each in vector["parties"].items()}
        alice, bob = self.parties["alice"], self.parties["bob"]
        alice.sessions = PeerSessions(alice.device, bob.peer)
        bob.sessions = PeerSessions(bob.device, alice.peer)

    def run(self, step: Json) -> None:
        who = self.parties[step["who"]]
        other = self.parties["bob" if step["who"] == "alice" else "alice"]
        if step["do"] == "start":
            self.start(step, who, other)
        elif step["do"] == "seal":
            self.seal(step, who)
        elif step["do"] == "open":
            self.open(step, who)
        elif step["do"] == "seal and lose":
            random = _recorded_keys(step["random"])
            for _ in range(step["times"]):
                who.sessions.seal(b"", step["now_ms"], random)
            assert random(0) == b""
        else:
            assert step["do"] == "lose all sessions"
            who.sessions = PeerSessions(who.device, other.peer)

    def start(self, step: Json, who: Party, other: Party) -> None:
        who.sessions.start(
            other.bundle,
            step["now_ms"],
            _recorded(step["random"]),
            anew=step["anew"],
            encapsulate=_encapsulation(step),
        )
        session = who.sessions._sessions[0]
        assert session.ratchet.associated_data.hex() == step["gives"]["transcript_hash"]
        assert session.prefix.hex() == step["gives"]["prefix"]
        assert session.id.hex() == step["gives"]["session_id"]

    def seal(self, step: Json, who: Party) -> None:
        body = who.sessions.seal(
            step["content"].encode(), step["now_ms"], _recorded(step["random"])
        )
        assert body.hex() == step["gives"]["body"]

    def open(self, step: Json, who: Party) -> None:
        def attempt() -> Json:
            encapsulate = {"encapsulate": _encapsulation(step)} if "encapsulation" in step else {}
            opened = who.sessions.open(
                unhex(step["body"]), who.store, step["now_ms"], **encapsulate
            )
            for key_id, keys in (
                (opened.used_one_time, who.store.one_time_keys),
                (opened.used_kem, who.store.kem_keys),
            ):
                if key_id is not None:
                    del keys[key_id]
            assert opened.outranked == step["gives"].get("outranked", False)
            return {
                "content": opened.content.decode(),
                "session_id": opened.session_id.hex(),
                "new_session": opened.new_session,
            }

        expected = step["gives"]
        if "error" in expected:
            before = who.sessions.serialize()
            with pytest.raises(getattr(errors, expected["error"])) as refused:
                attempt()
            assert type(refused.value).__name__ == expected["error"]
            assert who.sessions.serialize() == before
        else:
            gives = attempt()
            assert gives == {name: expected[name] for name in gives}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_of_the_vectors(name: str) -> None:
    """Every step gives the recorded bytes or the recorded error, stored and loaded in between."""
    vector = _load(name)
    scene = Scene(vector)
    assert vector["steps"]
    for step in vector["steps"]:
        scene.run(step)
        for party in scene.parties.values():
            party.sessions = PeerSessions.load(party.device, party.sessions.serialize())


def test_the_parties_keys_and_signatures() -> None:
    """Public keys, manifest and signatures follow from the seeds as the vector says."""
    for described in _load("handshake-transcript")["parties"].values():
        party = Party(described)
        device = party.device
        assert device.account_key.hex() == described["account_key"]
        assert device.signing.public.hex() == described["device_key"]
        assert device.dh.public.hex() == described["dh_key"]
        assert device.mls.public.hex() == described["mls_key"]
        entry = DeviceEntry(
            device.address.device, device.signing.public, device.dh.public, device.mls.public
        )
        manifest = Manifest.first(
            device.address.user_id, device.server_id, described["manifest_time_ms"], entry
        ).encode()
        assert manifest == device.manifest
        assert party.account.sign(signing.manifest(manifest)) == device.manifest_signature
        assert party.store.signed_keys[1].public == party.signed_prekey.key
        assert party.store.kem_keys[2].public == party.kem.key
        for kind, key in (
            (PrekeyKind.SIGNED_X25519, party.signed_prekey),
            (party.kem_kind, party.kem),
        ):
            signed = signing.prekey(
                kind, device.address, device.server_id, key.id, key.key, key.expires
            )
            assert device.signing.sign(signed) == key.signature


def test_the_handshakes_transcript_and_keys() -> None:
    """T, the DH outputs and the derived keys of a handshake with and without one-time prekey."""
    vector = _load("handshake-transcript")
    alice, bob = Party(vector["parties"]["alice"]), Party(vector["parties"]["bob"])
    ephemeral = PrekeyPrivate(unhex(vector["ephemeral_private"]))
    ciphertext = unhex(vector["ciphertext"])
    assert bob.one_time is not None
    for case in vector["cases"]:
        used = case["one_time_prekey_used"]
        prekeys = pqxdh.Prekeys(
            1,
            bob.signed_prekey.key,
            3 if used else None,
            bob.one_time.key if used else b"",
            bob.kem_kind,
            2,
            bob.kem.key,
        )
        digest = pqxdh.transcript_hash(
            alice.peer, bob.peer, prekeys, ephemeral.public, ciphertext, vector["restart"]
        )
        assert digest.hex() == case["transcript_hash"]
        assert bob.store.kem_keys[2].decapsulate(ciphertext).hex() == case["kem_secret"]
        keys = pqxdh._session_keys(
            digest, [unhex(each) for each in case["dh"]], unhex(case["kem_secret"])
        )
        assert keys.root.raw.hex() == case["root_key"]
        assert keys.initiator_header.raw.hex() == case["initiator_header_key"]
        assert keys.responder_header.raw.hex() == case["responder_header_key"]


def test_the_functions() -> None:
    """Key derivation, padding and refused keys, each by itself."""
    vector = _load("functions")
    case = vector["chain_step"]
    message_key, chain_key = kdf.chain_step(kdf.ChainKey(unhex(case["chain_key"])))
    assert message_key.raw.hex() == case["gives"]["message_key"]
    assert chain_key.raw.hex() == case["gives"]["chain_key"]
    for name in ("root_step", "root_step_with_mix"):
        case = vector[name]
        mix = None
        if "secret" in case:
            secret = kdf.StepSecret(unhex(case["secret"]))
            mix = kdf.Mix(case["step"], secret, unhex(case["binding"]))
        keys = kdf.root_step(kdf.RootKey(unhex(case["root_key"])), unhex(case["dh"]), mix)
        names = ("root_key", "chain_key", "next_header_key")
        assert [key.raw.hex() for key in keys] == [case["gives"][each] for each in names]
    for case in vector["padding"]:
        assert padding.pad(unhex(case["plaintext"])).hex() == case["padded"]
    for bad in vector["bad_padding"]:
        with pytest.raises(BadEncoding):
            padding.unpad(unhex(bad))
    private = DeviceDhPrivate(unhex(vector["x25519"]["private"]))
    for refused in vector["x25519"]["refused"]:
        with pytest.raises(BadCurveKey):
            private.agree(unhex(refused), "key")


def test_the_fingerprints_and_the_safety_number() -> None:
    """What people compare is the same for ever."""
    vector = _load("fingerprints")
    sides = [
        (UserId(a["user_id"]), AccountKey(unhex(a["account_key"]))) for a in vector["accounts"]
    ]
    for (_, key), account in zip(sides, vector["accounts"], strict=True):
        assert account_fingerprint(key) == account["fingerprint"]
    server_id = ServerId(unhex(vector["server_id"]))
    assert " ".join(safety_number(sides[1], sides[0], server_id)) == vector["safety_number"]
    assert qr_content(sides[0], sides[1], server_id) == vector["qr_shown_by_alice"]


def test_the_encapsulations() -> None:
    """Each recorded ciphertext decapsulates to its secret under the key of its seed."""
    cases = _load("ml-kem-encapsulations")["cases"]
    assert {case["parameters"] for case in cases} == {"ML-KEM-768", "ML-KEM-1024"}
    for case in cases:
        private: KemPrivate | StepPrivate = (
            KemPrivate(unhex(case["seed"]))
            if case["parameters"] == "ML-KEM-1024"
            else StepPrivate(unhex(case["seed"]))
        )
        assert private.public.hex() == case["public"]
        assert private.decapsulate(unhex(case["ciphertext"])).hex() == case["secret"]


def test_the_script_makes_these_files_again(tmp_path: Path) -> None:
    """The committed files are exactly what scripts/make_vectors.py writes, but for old states."""
    shutil.copy(FOLDER / "ml-kem-encapsulations.json", tmp_path)
    script = ROOT / "scripts" / "make_vectors.py"
    subprocess.run([sys.executable, script, "--out", tmp_path], check=True, capture_output=True)
    made = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    committed = {file.name: file.read_bytes() for file in FOLDER.iterdir()}
    for version in range(1, VERSION):
        del committed[f"stored-states-{version}.json"]
    assert made.keys() == committed.keys()
    assert [name for name in made if made[name] != committed[name]] == []
