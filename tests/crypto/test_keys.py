"""Keys, randomness and signatures: `secure_chat.crypto.rng`, `keys` and `verify`."""

import contextlib
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_chat.crypto import keys
from secure_chat.crypto.keys import AccountSigningKey, DeviceDhPrivate, KemPrivate, Secret
from secure_chat.crypto.rng import draw, draw_other, system_random
from secure_chat.crypto.verify import verify
from secure_chat.errors import BadCurveKey, BadEncoding, BadKemKey, BadSignature, DeadRandomness
from secure_chat.protocol.wiretypes import AccountKey, Signature
from tests.crypto.support import Person, seeded

SECRETS = [
    keys.AccountSigningKey,
    keys.DeviceSigningKey,
    keys.MlsSigningKey,
    keys.DeviceDhPrivate,
    keys.PrekeyPrivate,
    keys.RatchetPrivate,
    keys.KemPrivate,
    keys.StepPrivate,
]


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_never_prints_and_cannot_be_pickled(kind: type[Secret]) -> None:
    """repr, str and format show only the type; pickle and copy refuse."""
    secret = kind.generate(seeded("print"))
    assert repr(secret) == str(secret) == f"{secret}" == f"<{kind.__name__} redacted>"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(secret)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_restored_from_its_bytes(kind: type[Secret]) -> None:
    """``Type(raw)`` gives the same key; another size or type is not equal or refused."""
    secret = kind.generate(seeded("restore"))
    again = kind(secret.raw)
    assert again == secret
    assert again.public == secret.public  # type: ignore[attr-defined]
    assert secret != secret.raw
    with pytest.raises(BadEncoding):
        kind(secret.raw[:-1])


def test_secrets_of_different_types_are_never_equal() -> None:
    """A key for one purpose does not compare equal to the same bytes for another."""
    raw = bytes(range(32))
    assert DeviceDhPrivate(raw) != keys.PrekeyPrivate(raw)


def _constant(size: int) -> bytes:
    return b"\x5a" * size


def _period_four(size: int) -> bytes:
    return (b"\x01\x02\x03\x04" * size)[:size]


def _halves(size: int) -> bytes:
    return seeded("half")(size // 2) * 2


@pytest.mark.parametrize("source", [_constant, _period_four, _halves, lambda size: b"x"])
def test_attack_51_a_dead_source_of_randomness_aborts(source: object) -> None:
    """No key and no account is ever made from a source that visibly repeats."""
    for size in (16, 32, 64):
        with pytest.raises(DeadRandomness):
            draw(source, size)  # type: ignore[arg-type]
    with pytest.raises(DeadRandomness):
        AccountSigningKey.generate(source)  # type: ignore[arg-type]


def test_attack_51_a_source_that_gives_the_same_key_twice_aborts() -> None:
    """A source stuck on one good-looking value is noticed when a second key is drawn."""
    stuck = seeded("stuck")(32)
    with pytest.raises(DeadRandomness):
        draw_other(lambda size: stuck[:size], 32, stuck)
    assert system_random(32) != system_random(32)


@given(st.binary(min_size=0, max_size=200))
def test_attack_50_only_the_signed_message_verifies(message: bytes) -> None:
    """Ed25519 accepts the message and nothing else; every error is `BadSignature`."""
    key = AccountSigningKey(bytes(range(32)))
    signature = key.sign(message)
    verify(key.public, message, signature)
    for forged in (message + b"\0", b"\0" + message):
        with pytest.raises(BadSignature):
            verify(key.public, forged, signature)


def test_attack_50_odd_signatures_and_keys_are_refused() -> None:
    """Short or long values, S plus the group's order, and low-order keys never verify."""
    key = AccountSigningKey(bytes(range(32)))
    good = key.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    large_s = (int.from_bytes(good[32:], "little") + order).to_bytes(32, "little")
    bad: list[tuple[bytes, bytes]] = [
        (key.public, good[:-1]),
        (key.public, good + b"\0"),
        (key.public, b""),
        (key.public[:-1], good),
        (b"", good),
        (key.public, good[:32] + large_s),
        (bytes([1]) + bytes(31), bytes([1]) + bytes(63)),  # identity as key, R = identity, S = 0
        (bytes(32), bytes(64)),
    ]
    for public, signature in bad:
        with pytest.raises(BadSignature):
            verify(AccountKey(public), b"message", Signature(signature))


_P = 2**255 - 19


@pytest.mark.parametrize("number", [0, 1, _P - 1, _P, _P + 1, 2**255 - 1, 2**255, 2**256 - 1])
def test_attack_37_low_order_and_noncanonical_keys_abort_an_agreement(number: int) -> None:
    """No shared secret comes of a low-order key or of a second spelling of any key."""
    with pytest.raises(BadCurveKey):
        DeviceDhPrivate(bytes(range(32))).agree(number.to_bytes(32, "little"), "key")


@given(st.binary(max_size=40))
def test_any_bytes_agree_or_are_refused_by_name(their_key: bytes) -> None:
    """Garbage as a public key raises only `BadCurveKey`."""
    with contextlib.suppress(BadCurveKey):
        assert len(DeviceDhPrivate(bytes(range(32))).agree(their_key, "key")) == 32


def test_attack_40_malformed_kem_keys_and_ciphertexts_are_refused() -> None:
    """Wrong sizes and coefficients above the modulus raise `BadKemKey`."""
    private = KemPrivate(bytes(range(64)))
    public = private.public
    for bad in (public[:-1], public + b"\0", b"", b"\xff" * len(public)):
        with pytest.raises(BadKemKey):
            keys.encapsulate_1024(bad)
    with pytest.raises(BadKemKey):
        keys.encapsulate_768(b"\xff" * keys.STEP_KEY)
    for size in (0, keys.KEM_CIPHERTEXT - 1, keys.KEM_CIPHERTEXT + 1):
        with pytest.raises(BadKemKey):
            private.decapsulate(bytes(size))


def test_kem_secrets_agree() -> None:
    """What one side encapsulates the other decapsulates, for both parameter sets."""
    large = KemPrivate.generate(seeded("large"))
    secret, ciphertext = keys.encapsulate_1024(large.public)
    assert large.decapsulate(ciphertext) == secret
    small = keys.StepPrivate.generate(seeded("small"))
    secret, ciphertext = keys.encapsulate_768(small.public)
    assert small.decapsulate(ciphertext) == secret


def test_private_keys_do_not_print_inside_a_device() -> None:
    """The repr of a whole device shows no private key."""
    person = Person("alice")
    shown = repr(person.device)
    assert "redacted" in shown
    for secret in (person.device.dh, person.device.signing, person.device.mls):
        assert secret.raw.hex() not in shown
        assert repr(secret.raw) not in shown
