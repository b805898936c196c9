"""Project Wycheproof's vectors, run through our own functions.

The files are not part of this repository: they are looked for in ``shared/vectors/wycheproof`` in
the folders above, or where SECURE_CHAT_VECTORS points. Without them these tests are skipped, and
say so.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_chat.crypto import aead, keys
from secure_chat.crypto.kdf import hkdf
from secure_chat.crypto.keys import DeviceDhPrivate, StepPrivate
from secure_chat.crypto.verify import verify
from secure_chat.errors import BadBundle, BadCurveKey, BadKemKey, BadSignature, PeerError
from secure_chat.protocol.wiretypes import AccountKey, Signature
from tests.crypto.support import handshake_with, offer_in_ratchet, talking

_P = 2**255 - 19


def _folder() -> Path | None:
    places = (
        [Path(os.environ["SECURE_CHAT_VECTORS"])] if "SECURE_CHAT_VECTORS" in os.environ else []
    )
    places += [parent / "shared" / "vectors" for parent in Path(__file__).resolve().parents]
    return next((p / "wycheproof" for p in places if (p / "wycheproof").is_dir()), None)


def _tests(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    folder = _folder()
    if folder is None:
        pytest.skip(f"shared/vectors/wycheproof is absent: {name} was NOT run")
    for group in json.loads((folder / name).read_text())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def test_x25519() -> None:
    """Every agreement is right, or refused: low order and second spellings of a key."""
    agreed = refused = 0
    for _, test in _tests("x25519_test.json"):
        public, expected = bytes.fromhex(test["public"]), bytes.fromhex(test["shared"])
        canonical = int.from_bytes(public, "little") < _P
        private = DeviceDhPrivate(bytes.fromhex(test["private"]))
        try:
            assert private.agree(public, "key") == expected, test["tcId"]
            agreed += 1
        except BadCurveKey:
            assert not canonical or expected == bytes(32), test["tcId"]
            refused += 1
    assert agreed > 400
    assert refused > 30


def test_attack_50_ed25519() -> None:
    """Every valid signature verifies, every invalid one raises `BadSignature`."""
    seen = 0
    for group, test in _tests("ed25519_test.json"):
        key = AccountKey(bytes.fromhex(group["publicKey"]["pk"]))
        message, signature = bytes.fromhex(test["msg"]), Signature(bytes.fromhex(test["sig"]))
        if test["result"] == "valid":
            verify(key, message, signature)
        else:
            with pytest.raises(BadSignature):
                verify(key, message, signature)
        seen += 1
    assert seen > 100


def test_chacha20_poly1305() -> None:
    """Sealing gives the vector's bytes, unsealing refuses every altered one."""
    seen = 0
    for group, test in _tests("chacha20_poly1305_test.json"):
        names = ("key", "iv", "aad", "msg", "ct", "tag")
        key, nonce, associated, message, sealed, tag = (bytes.fromhex(test[n]) for n in names)
        under = aead.cipher(key)
        if group["ivSize"] != aead.NONCE * 8:
            with pytest.raises(ValueError, match="once"):
                aead.unseal(under, nonce, sealed + tag, associated)
        elif test["result"] == "valid":
            assert under.encrypt(nonce, message, associated) == sealed + tag
            assert aead.unseal(under, nonce, sealed + tag, associated) == message
        else:
            assert aead.unseal(under, nonce, sealed + tag, associated) is None
        seen += 1
    assert seen > 300


def test_hkdf_sha256() -> None:
    """HKDF gives the vector's bytes; impossible sizes are an error of the caller."""
    seen = 0
    for _, test in _tests("hkdf_sha256_test.json"):
        salt, ikm, info = (bytes.fromhex(test[name]) for name in ("salt", "ikm", "info"))
        if test["result"] == "valid":
            assert hkdf(salt, ikm, info, test["size"]).hex() == test["okm"]
        else:
            with pytest.raises(ValueError, match=r"\d"):
                hkdf(salt, ikm, info, test["size"])
        seen += 1
    assert seen > 80


def test_attack_40_ml_kem_1024_encapsulation_keys() -> None:
    """Coefficients at or above the modulus are refused in every position tried; no such key is
    ever encapsulated to."""
    seen = 0
    for _, test in _tests("mlkem_1024_encaps_test.json"):
        key = bytes.fromhex(test["ek"])
        if test["result"] == "valid":
            secret, ciphertext = keys.encapsulate_1024(key)
            assert (len(secret), len(ciphertext)) == (32, keys.KEM_CIPHERTEXT)
        else:
            with pytest.raises(BadKemKey):
                keys.encapsulate_1024(key)
            seen += 1
    assert seen > 0


def test_ml_kem_768_decapsulation() -> None:
    """Seeds give the vector's keys, ciphertexts its secrets (with implicit rejection)."""
    seen = 0
    for _, test in _tests("mlkem_768_test.json"):
        seed, ciphertext = bytes.fromhex(test["seed"]), bytes.fromhex(test["c"])
        if test["result"] == "valid":
            private = StepPrivate(seed)
            assert private.public.hex() == test["ek"]
            assert private.decapsulate(ciphertext).hex() == test["K"]
        else:
            with pytest.raises(PeerError):
                StepPrivate(seed).decapsulate(ciphertext)
        seen += 1
    assert seen > 100


def _bad_points() -> list[bytes]:
    tests = [test for _, test in _tests("x25519_test.json")]
    return sorted(
        {
            bytes.fromhex(test["public"])
            for test in tests
            if int(test["shared"], 16) == 0
            or int.from_bytes(bytes.fromhex(test["public"]), "little") >= _P
        }
    )


def test_attack_37_bad_points_in_every_slot_of_the_handshake() -> None:
    """Low-order and non-canonical keys abort as signed prekey, one-time key, device key (both
    ways) and ephemeral key; every state stays as it was."""
    points = _bad_points()
    assert len(points) > 10
    for point in points:
        for slot in ("signed prekey", "one-time prekey", "responder's device key"):
            with pytest.raises(BadBundle, match=r"low order|canonical"):
                handshake_with(slot, point)
        for slot in ("initiator's device key", "ephemeral key"):
            with pytest.raises(BadCurveKey):
                handshake_with(slot, point)


def test_attack_37_bad_points_as_ratchet_keys() -> None:
    """A peer that sends such a key inside a sealed header is refused; the state stays."""
    for point in _bad_points():
        alice, bob = talking()
        before = bob.sessions.serialize()
        body = offer_in_ratchet(alice, point)
        with pytest.raises(BadCurveKey):
            bob.open(body)
        assert bob.sessions.serialize() == before
