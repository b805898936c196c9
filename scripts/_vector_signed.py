"""Vectors of what is signed: manifests, bundles, signatures; see make_vectors.py."""

from collections.abc import Callable
from typing import Any

import msgspec

from _vector_scenes import NOW, SERVER, Draws, Encapsulations, Json, Party
from secure_chat.crypto.identity import LocalDevice, new_account
from secure_chat.crypto.keys import AccountSigningKey
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.verify import check_manifest, check_successor, verify
from secure_chat.errors import PeerError
from secure_chat.protocol import limits, messages, signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceName, UserId, canonical_device
from secure_chat.protocol.manifest import (
    NO_PREDECESSOR,
    DeviceEntry,
    Manifest,
    decode_manifest,
    manifest_hash,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeviceDhKey,
    ManifestBytes,
    PrekeyPublic,
    Signature,
)

_DAY = 86_400_000
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
_ALICE = UserId("alice")
_change = msgspec.structs.replace


def _judged(check: Callable[[], object]) -> Json:
    """What a receiver says: that it accepts, or which rule is broken."""
    try:
        check()
    except PeerError as error:
        return {"error": type(error).__name__}
    return {"accepted": True}


# ---------------------------------------------------------------- manifests


def manifests(_: Encapsulations) -> Json:
    """A chain of manifests, and what must be refused of a manifest or of its place in a chain."""
    account, device = new_account(_ALICE, SERVER, FIRST_DEVICE, NOW, Draws("manifests"))
    other = new_account(_ALICE, SERVER, canonical_device("phone"), NOW, Draws("phone"))[1]
    first = decode_manifest(device.manifest)
    second = _change(
        first,
        counter=2,
        previous=manifest_hash(device.manifest),
        time=NOW + 1000,
        devices=(device.entry, other.entry),
    )

    def judged(case: Json) -> Json:
        return _judged(lambda: _follow(device, first, case))

    chain = [{**_described(each), **_signed(account, each)} for each in (first, second)]
    assert judged(chain[1]) == {"accepted": True}
    refused = {
        **{why: _signed(account, each) for why, each in _bad_forms(second, other.entry).items()},
        **{why: _signed(account, each) for why, each in _bad_places(first, second).items()},
        "altered after signing": {
            **_signed(account, second),
            "manifest": _change(second, time=0).encode().hex(),
        },
    }
    return {
        "shows": "manifests: bytes, hash and signature, a successor, and what is refused after 1",
        "user_id": "alice",
        "server_id": SERVER.hex(),
        "account_seed": account.raw.hex(),
        "account_key": device.account_key.hex(),
        "chain": [
            {**each, "hash": manifest_hash(bytes.fromhex(each["manifest"])).hex()} for each in chain
        ],
        "refused": [{"why": why, **case, "gives": judged(case)} for why, case in refused.items()],
    }


def _signed(account: AccountSigningKey, manifest: Manifest | bytes) -> Json:
    encoded = ManifestBytes(manifest if isinstance(manifest, bytes) else manifest.encode())
    signature = account.sign(signing.manifest(encoded))
    return {"manifest": encoded.hex(), "signature": signature.hex()}


def _follow(device: LocalDevice, known: Manifest, case: Json) -> None:
    """Judge a case as a server does that knows ``known``."""
    found = check_manifest(
        device.account_key,
        ManifestBytes(bytes.fromhex(case["manifest"])),
        Signature(bytes.fromhex(case["signature"])),
        user_id=_ALICE,
        server_id=SERVER,
    )
    check_successor(known, device.manifest, found)


def _bad_forms(good: Manifest, other: DeviceEntry) -> dict[str, Manifest | bytes]:
    """What is no manifest at all, or is not in its only form."""
    device = good.devices[0]
    capital = _change(other, name=DeviceName("Phone"))
    many = tuple(_change(device, name=DeviceName(f"d{n:02}")) for n in range(17))
    return {
        "no device": _change(good, devices=()),
        "a device twice": _change(good, devices=(device, device)),
        "devices not in order": _change(good, devices=(other, device)),
        "a device name in capitals": _change(good, devices=(capital,)),
        "17 devices": _change(good, devices=many),
        "counter 0": _change(good, counter=0),
        "counter 1 with a predecessor": _change(good, counter=1),
        "a later one without a predecessor": _change(good, previous=NO_PREDECESSOR),
        "another version": b"\x02" + good.encode()[1:],
        "cut short": good.encode()[:-1],
        "a byte too many": good.encode() + b"\0",
    }


def _bad_places(known: Manifest, good: Manifest) -> dict[str, Manifest]:
    """What is a manifest, and does not belong here."""
    return {
        "another account": _change(good, address=good.address.replace(b"alice", b"carol")),
        "another server": _change(good, address=b"alice@" + bytes(16).hex().encode()),
        "capitals in the address": _change(good, address=good.address.replace(b"alice", b"Alice")),
        "the known manifest again": known,
        "a counter skipped": _change(good, counter=3),
        "another predecessor": _change(good, previous=manifest_hash(b"")),
    }


def _described(manifest: Manifest) -> Json:
    return {
        "address": manifest.address.decode(),
        "counter": manifest.counter,
        "previous": manifest.previous.hex(),
        "time_ms": manifest.time,
        "devices": [
            {
                "name": each.name,
                "device_key": each.signing_key.hex(),
                "dh_key": each.dh_key.hex(),
                "mls_key": each.mls_key.hex(),
            }
            for each in manifest.devices
        ],
    }


# ---------------------------------------------------------------- bundles

Offered = tuple[messages.Keys, int]
"""What a server hands out, and the time at which it is judged."""


def bundles(kem: Encapsulations) -> Json:
    """A claimed bundle, and bundles that no session may be started with."""
    bob, carol = Party("bob", kem), Party("carol", kem, one_time=False)
    offers = {**_at_times(bob), **_exchanged(bob, carol), **_bad_points(bob)}
    return {
        "shows": "headers of keys messages for bob/main, and whether their bundle is accepted",
        "server_id": SERVER.hex(),
        "cases": [_bundle_case(bob, why, *offer) for why, offer in offers.items()],
    }


def _bundle_case(bob: Party, why: str, keys: messages.Keys, now_ms: int) -> Json:
    return {
        "why": why,
        "now_ms": now_ms,
        "header": messages.encode_header(keys).decode(),
        "gives": _judged(lambda: check_bundle(keys, bob.device.address, SERVER, now_ms)),
    }


def _resigned(bob: Party, **values: Any) -> messages.SignedPrekey:
    """Bob's signed prekey with other contents, signed by him."""
    key = _change(bob.signed_prekey, **values)
    kind, address = PrekeyKind.SIGNED_X25519, bob.device.address
    signs = signing.prekey(kind, address, SERVER, key.id, key.key, key.expires)
    return _change(key, signature=bob.device.signing.sign(signs))


def _at_times(bob: Party) -> dict[str, Offered]:
    """Good ones, and the ends of their time."""
    good, expires = bob.claimed, bob.signed_prekey.expires
    too_long = NOW + limits.SIGNED_PREKEY_VALID * 1000 + 2 * _DAY
    return {
        "good": (good, NOW),
        "good without one-time prekey": (_change(good, one_time=None), NOW),
        "the last moment": (good, expires + _DAY - 1),
        "the signed prekey has expired": (good, expires + _DAY),
        "our clock is a day behind": (good, NOW - _DAY),
        "valid for too long": (good, NOW - _DAY - 1),
        "signed for longer than its kind allows": (
            _change(good, signed_prekey=_resigned(bob, expires=too_long)),
            NOW,
        ),
    }


def _exchanged(bob: Party, carol: Party) -> dict[str, Offered]:
    """Parts of Carol's, or parts in another's place."""
    good, theirs = bob.claimed, carol.device
    all_of_carol = _change(
        good,
        account_key=theirs.account_key,
        manifest=theirs.manifest,
        manifest_signature=theirs.manifest_signature,
    )
    another_id = _change(good, signed_prekey=_change(bob.signed_prekey, id=9))
    return {
        "prekey id altered": (another_id, NOW),
        "another's manifest": (_change(good, manifest=theirs.manifest), NOW),
        "another's account": (all_of_carol, NOW),
        "another's signed prekey": (_change(good, signed_prekey=carol.signed_prekey), NOW),
        "a one-time key offered as last resort": (_change(good, kem_is_last_resort=True), NOW),
        "another device's keys": (_change(good, device="phone"), NOW),
    }


def _bad_points(bob: Party) -> dict[str, Offered]:
    """X25519 keys that 6.1 refuses, in each of their places."""
    good, low, one_time = bob.claimed, bytes(32), bob.claimed.one_time
    assert one_time is not None
    not_canonical = _change(one_time, key=PrekeyPublic(b"\xff" * 32))
    entry = _change(bob.device.entry, dh_key=DeviceDhKey(low))
    manifest = Manifest.first(UserId("bob"), SERVER, NOW, entry).encode()
    signature = bob.account.sign(signing.manifest(manifest))
    return {
        "signed prekey of low order": (
            _change(good, signed_prekey=_resigned(bob, key=PrekeyPublic(low))),
            NOW,
        ),
        "one-time prekey not canonical": (_change(good, one_time=not_canonical), NOW),
        "device's X25519 key of low order": (
            _change(good, manifest=manifest, manifest_signature=signature),
            NOW,
        ),
    }


# ---------------------------------------------------------------- signatures


def signatures(_: Encapsulations) -> Json:
    """Ed25519 as it is verified here: strictly."""
    account, _device = new_account(_ALICE, SERVER, FIRST_DEVICE, NOW, Draws("signatures"))
    encoded = ManifestBytes(b"what is signed")
    message = signing.manifest(encoded)
    good = account.sign(message)
    too_large = int.from_bytes(good[32:], "little") + _GROUP_ORDER
    neutral = b"\x01" + bytes(31)
    not_canonical = (2**255 - 19 + 1).to_bytes(32, "little")
    cases: list[tuple[str, bytes, bytes, bytes]] = [
        ("good", account.public, message, good),
        ("without its label", account.public, encoded, good),
        ("of another purpose", account.public, message.replace(b"manifest", b"prekey"), good),
        (
            "S not below the group's order",
            account.public,
            message,
            good[:32] + too_large.to_bytes(32, "little"),
        ),
        ("R altered", account.public, message, bytes([good[0] ^ 1]) + good[1:]),
        ("key and R are the neutral element", neutral, message, neutral + bytes(32)),
        ("key not canonical", not_canonical, message, neutral + bytes(32)),
        ("all zero", bytes(32), message, bytes(64)),
    ]
    return {
        "shows": "signatures that hold and that do not",
        "label": signing.Label.MANIFEST.value.decode(),
        "cases": [_signature_case(*case) for case in cases],
    }


def _signature_case(why: str, key: bytes, text: bytes, signature: bytes) -> Json:
    return {
        "why": why,
        "key": key.hex(),
        "message": text.hex(),
        "signature": signature.hex(),
        "gives": _judged(lambda: verify(AccountKey(key), text, Signature(signature))),
    }
