"""Manifests and prekey bundles: `secure_chat.crypto.verify`, `identity` and `prekeys`."""

import json
from collections.abc import Callable

import msgspec
import pytest

from secure_chat.crypto.identity import new_account
from secure_chat.crypto.prekeys import check_bundle, new_kem_prekey
from secure_chat.crypto.verify import PREKEY_VALID_MS, check_manifest, check_prekey, check_successor
from secure_chat.errors import (
    BadBundle,
    BadEncoding,
    BadManifest,
    BadPrekey,
    BadSignature,
    Code,
    DeadRandomness,
    ManifestFork,
    ManifestGap,
    ManifestRollback,
)
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceAddress, DeviceName, UserId
from secure_chat.protocol.manifest import Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.messages import (
    HeaderError,
    Keys,
    decode_server_header,
    encode_header,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import KemPublic, PrekeyPublic, ServerId
from tests.crypto.support import DAY_MS, NOW, SERVER, Person, seeded

BOB = Person("bob", stock=3)
MALLORY = Person("mallory", stock=3)
ADDRESS = BOB.device.address


def _bundle() -> Keys:
    keys = BOB.claim()
    BOB.refill(1)
    return keys


def test_a_published_bundle_verifies() -> None:
    """An honest bundle gives the device with its keys and the manifest's counter."""
    keys = _bundle()
    bundle = check_bundle(keys, ADDRESS, SERVER, NOW)
    assert bundle.peer == BOB.peer
    assert (bundle.signed_prekey, bundle.kem, bundle.one_time) == (
        keys.signed_prekey,
        keys.kem,
        keys.one_time,
    )


def _replaced(**changes: object) -> Callable[[Keys], Keys]:
    return lambda keys: msgspec.structs.replace(keys, **changes)


def _signed_key(**changes: object) -> Callable[[Keys], Keys]:
    return lambda keys: msgspec.structs.replace(
        keys, signed_prekey=msgspec.structs.replace(keys.signed_prekey, **changes)
    )


def _kem_key(**changes: object) -> Callable[[Keys], Keys]:
    return lambda keys: msgspec.structs.replace(
        keys, kem=msgspec.structs.replace(keys.kem, **changes)
    )


SWAPS: dict[str, Callable[[Keys], Keys]] = {
    "another account key": _replaced(account_key=MALLORY.device.account_key),
    "another manifest": _replaced(manifest=MALLORY.device.manifest),
    "a whole other identity": _replaced(
        account_key=MALLORY.device.account_key,
        manifest=MALLORY.device.manifest,
        manifest_signature=MALLORY.device.manifest_signature,
    ),
    "another device": _replaced(device="phone"),
    "another's signed prekey": _replaced(signed_prekey=MALLORY.signed_prekey),
    "another's KEM key": _replaced(kem=MALLORY.last_resort, kem_is_last_resort=True),
    "another X25519 key": _signed_key(key=MALLORY.signed_prekey.key),
    "another key id": _signed_key(id=77),
    "a later expiry": _signed_key(expires=BOB.signed_prekey.expires + 1),
    "a later expiry of the KEM key": _kem_key(expires=BOB.claim().kem.expires + 1),
    "another KEM key id": _kem_key(id=77),
    "a malformed KEM key": _kem_key(key=KemPublic(b"\xff" * 1568)),
    "a one-time KEM key offered as last resort": _replaced(kem_is_last_resort=True),
    "a last-resort key offered as one-time": _replaced(
        kem=BOB.last_resort, kem_is_last_resort=False
    ),
}


@pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS.keys())
def test_attack_38_keys_of_another_kind_owner_or_date_are_refused(
    swap: Callable[[Keys], Keys],
) -> None:
    """Every signature covers kind, owner, id and expiry: no swapped key starts a session."""
    with pytest.raises(BadBundle) as refused:
        check_bundle(swap(_bundle()), ADDRESS, SERVER, NOW)
    assert str(ADDRESS) in str(refused.value)


def test_attack_38_a_signature_for_one_kind_holds_for_no_other() -> None:
    """A KEM key is never checked as an X25519 key, nor the reverse."""
    device_key = BOB.peer.entry.signing_key
    with pytest.raises(BadPrekey):
        check_prekey(
            PrekeyKind.SIGNED_X25519, BOB.last_resort, ADDRESS, device_key, SERVER, now_ms=NOW
        )
    with pytest.raises(BadPrekey):
        check_prekey(
            PrekeyKind.ONE_TIME_KEM, BOB.signed_prekey, ADDRESS, device_key, SERVER, now_ms=NOW
        )
    with pytest.raises(BadSignature):
        check_prekey(
            PrekeyKind.ONE_TIME_KEM, BOB.last_resort, ADDRESS, device_key, SERVER, now_ms=NOW
        )


def test_attack_36_a_bundle_without_its_post_quantum_key_does_not_exist() -> None:
    """A server that takes the KEM key out, or its kind, sends something that is no `keys` at all.

    So no client can be brought to a handshake with X25519 alone: there is no form for it.
    """
    header = encode_header(_bundle())
    assert isinstance(decode_server_header(header), Keys)
    fields = json.loads(header)
    without = {name: value for name, value in fields.items() if name != "kem"}
    for downgraded in (
        without,
        {**fields, "kem": None},
        {**fields, "kem": fields["signed_prekey"]},
        {name: value for name, value in fields.items() if name != "kem_is_last_resort"},
    ):
        with pytest.raises(HeaderError) as refused:
            decode_server_header(json.dumps(downgraded, separators=(",", ":")).encode())
        assert refused.value.code is Code.BAD_FIELD
        assert "kem" in str(refused.value) or "size" in str(refused.value).lower()


def test_attack_36_expired_and_far_future_prekeys_are_refused() -> None:
    """A stale bundle is refused after its signed expiry; so is one dated far ahead."""
    keys = _bundle()
    last_day = NOW + PREKEY_VALID_MS[PrekeyKind.SIGNED_X25519]
    check_bundle(keys, ADDRESS, SERVER, last_day)
    with pytest.raises(BadBundle, match="expired"):
        check_bundle(keys, ADDRESS, SERVER, last_day + DAY_MS)
    with pytest.raises(BadBundle, match="too long"):
        check_bundle(keys, ADDRESS, SERVER, NOW - 2 * DAY_MS)


@pytest.mark.parametrize("low", [0, 1, 2**255 - 20])
@pytest.mark.parametrize("slot", ["signed prekey", "one-time prekey", "device key"])
def test_attack_37_a_low_order_key_in_any_slot_of_a_bundle_is_refused(slot: str, low: int) -> None:
    """Even its rightful owner cannot publish a low-order key in any X25519 slot."""
    bad = low.to_bytes(32, "little")
    keys = _bundle()
    if slot == "one-time prekey":
        assert keys.one_time is not None
        one_time = msgspec.structs.replace(keys.one_time, key=PrekeyPublic(bad))
        keys = msgspec.structs.replace(keys, one_time=one_time)
    elif slot == "signed prekey":
        old = keys.signed_prekey
        signed = signing.prekey(PrekeyKind.SIGNED_X25519, ADDRESS, SERVER, old.id, bad, old.expires)
        keys = _signed_key(key=PrekeyPublic(bad), signature=BOB.device.signing.sign(signed))(keys)
    else:
        entry = msgspec.structs.replace(BOB.device.entry, dh_key=bad)
        manifest = Manifest.first(UserId("bob"), SERVER, NOW, entry).encode()
        keys = msgspec.structs.replace(
            keys,
            manifest=manifest,
            manifest_signature=BOB.account.sign(signing.manifest(manifest)),
        )
    with pytest.raises(BadBundle, match="low order"):
        check_bundle(keys, ADDRESS, SERVER, NOW)


def test_a_manifest_holds_for_one_account_on_one_server() -> None:
    """A signed manifest is refused for another name and on another server."""
    device = BOB.device
    for user_id, server_id in ((UserId("eve"), SERVER), (UserId("bob"), ServerId(bytes(16)))):
        with pytest.raises(BadManifest):
            check_manifest(
                device.account_key,
                device.manifest,
                device.manifest_signature,
                user_id=user_id,
                server_id=server_id,
            )


def test_manifests_only_go_forward_along_their_hash_chain() -> None:
    """Rollback, gap and fork are told apart; the true successor is accepted."""
    old_encoded = BOB.device.manifest
    old = decode_manifest(old_encoded)
    follows = msgspec.structs.replace(old, counter=2, previous=manifest_hash(old_encoded))
    check_successor(old, old_encoded, follows)
    cases = {
        ManifestRollback: msgspec.structs.replace(old, time=old.time + 1),
        ManifestGap: msgspec.structs.replace(follows, counter=3),
        ManifestFork: msgspec.structs.replace(follows, previous=old.previous),
    }
    for error, new in cases.items():
        with pytest.raises(error):
            check_successor(old, old_encoded, new)


def test_only_the_first_manifest_has_no_predecessor() -> None:
    """Zeros as previous hash mean counter 1, and counter 1 zeros: nobody starts a chain midway."""
    first = decode_manifest(BOB.device.manifest)
    assert (first.counter, first.previous) == (1, bytes(32))
    for changed in (
        msgspec.structs.replace(first, previous=manifest_hash(b"another")),
        msgspec.structs.replace(first, counter=2),
    ):
        encoded = changed.encode()
        keys = msgspec.structs.replace(
            _bundle(),
            manifest=encoded,
            manifest_signature=BOB.account.sign(signing.manifest(encoded)),
        )
        with pytest.raises(BadEncoding):
            decode_manifest(encoded)
        with pytest.raises(BadBundle, match="Malformed manifest"):
            check_bundle(keys, ADDRESS, SERVER, NOW)


def test_a_device_that_the_manifest_does_not_list_gets_no_session() -> None:
    """The server cannot add a device to an account."""
    keys = msgspec.structs.replace(_bundle(), device="phone")
    with pytest.raises(BadBundle, match="lists no device"):
        check_bundle(keys, DeviceAddress(UserId("bob"), DeviceName("phone")), SERVER, NOW)


def test_attack_51_no_account_from_a_stuck_source() -> None:
    """A source that returns one good-looking value for ever makes no account."""
    value = seeded("value")(64)
    with pytest.raises(DeadRandomness):
        new_account(UserId("bob"), SERVER, FIRST_DEVICE, NOW, lambda size: value[:size])


def test_a_kem_key_is_not_made_as_an_x25519_key() -> None:
    """The mistake is caught where it is made."""
    with pytest.raises(ValueError, match="X25519"):
        new_kem_prekey(BOB.device, PrekeyKind.SIGNED_X25519, 1, NOW, seeded("x"))
