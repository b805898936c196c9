"""Vectors of what travels and is signed around the encryption; see make_vectors.py."""

from typing import Any

import msgspec

from _vector_scenes import NOW, SERVER, Draws, Encapsulations, Json, Party
from secure_chat.crypto.identity import new_account
from secure_chat.crypto.prekeys import check_bundle
from secure_chat.crypto.verify import check_manifest, check_successor, verify
from secure_chat.errors import Code, PeerError
from secure_chat.protocol import frames, limits, messages, signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceName, UserId, canonical_device
from secure_chat.protocol.invite import InviteLink, Pin, ServerAddress
from secure_chat.protocol.manifest import Manifest, manifest_hash
from secure_chat.protocol.wiretypes import (
    AccountKey,
    Challenge,
    DeliveryId,
    DeviceDhKey,
    InviteToken,
    ManifestBytes,
    PrekeyPublic,
    ServerId,
    Signature,
)

_DAY = 86_400_000
_GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def _frame(message: messages.Message, body: bytes = b"") -> Json:
    header = messages.encode_header(message)
    frame = frames.encode_frame(header, body)
    return {"header": header.decode(), "body": body.hex(), "frame": frame.hex()}


def wire(kem: Encapsulations) -> Json:
    """Greeting, login and registration as bytes, with what is signed."""
    draws = Draws("wire")
    party = Party("alice", kem, one_time=False)
    device = party.device
    hello = messages.Hello([1], [], SERVER, Challenge(draws(32)), "invite", NOW)
    greeting, exporter, invite = messages.encode_header(hello), draws(32), InviteToken(draws(16))
    logins = []
    for features in ([], ["one", "two"]):
        signed = signing.login(
            version=1,
            features=features,
            exporter=exporter,
            hello=greeting,
            server_id=SERVER,
            device=device.address,
        )
        login = messages.Login("alice", "main", 1, features, device.signing.sign(signed))
        logins.append({"features": features, "signed": signed.hex(), **_frame(login)})
    registrations = []
    for token in (invite, None):
        signed = signing.registration(
            version=1,
            features=[],
            exporter=exporter,
            hello=greeting,
            server_id=SERVER,
            device=device.address,
            invite=token or b"",
            account_key=device.account_key,
            manifest=device.manifest,
            manifest_signature=device.manifest_signature,
            signed_prekey=party.signed_prekey,
            last_resort=party.kem_prekey,
        )
        register = messages.Register(
            "alice",
            "main",
            1,
            [],
            device.account_key,
            device.manifest,
            device.manifest_signature,
            party.signed_prekey,
            party.kem_prekey,
            party.account.sign(signed),
            device.signing.sign(signed),
            token,
        )
        registrations.append(
            {"invite": token.hex() if token else None, "signed": signed.hex(), **_frame(register)}
        )
    signed = signing.account_deletion(
        version=1,
        features=[],
        exporter=exporter,
        hello=greeting,
        server_id=SERVER,
        device=device.address,
    )
    deletion = messages.AccountDelete(7, party.account.sign(signed))
    error = messages.Error(Code.RATE_LIMITED, 'not "now" \\ سلام\n\x01', retry_after=1.5)
    pin, spare = Pin(draws(32)), Pin(draws(32))
    links = [
        InviteLink(ServerAddress("chat.example.org", 7443)),
        InviteLink(ServerAddress("::1", 7443), SERVER, (pin, spare), invite),
    ]
    return {
        "shows": "greeting, login, registration, deletion and links: bytes and what is signed",
        "party": party.described(),
        "server_id": SERVER.hex(),
        "exporter": exporter.hex(),
        "hello": _frame(hello),
        "logins": logins,
        "registrations": registrations,
        "account_deletion": {"signed": signed.hex(), **_frame(deletion)},
        "pm": _frame(messages.Pm(DeliveryId(Draws("id")(16)), "bob/main", 2), b"opaque"),
        "error": _frame(error),
        "links": [
            {
                "host": link.server.host,
                "port": link.server.port,
                "server_id": link.server_id and link.server_id.hex(),
                "pins": [each.hex() for each in link.pins],
                "invite": link.invite and link.invite.hex(),
                "link": str(link),
            }
            for link in links
        ],
    }


# ---------------------------------------------------------------- manifests


def manifests(_: Encapsulations) -> Json:
    """A chain of manifests, and what must be refused of a manifest or of its place in a chain."""
    account, device = new_account(UserId("alice"), SERVER, FIRST_DEVICE, NOW, Draws("manifests"))
    other = new_account(UserId("alice"), SERVER, canonical_device("phone"), NOW, Draws("phone"))[1]
    first_bytes = device.manifest
    first = check_manifest(
        device.account_key,
        first_bytes,
        device.manifest_signature,
        user_id=UserId("alice"),
        server_id=SERVER,
    )
    second = msgspec.structs.replace(
        first,
        counter=2,
        previous=manifest_hash(first_bytes),
        time=NOW + 1000,
        devices=(device.entry, other.entry),
    )

    def signed(manifest: Manifest | bytes) -> Json:
        encoded = ManifestBytes(manifest if isinstance(manifest, bytes) else manifest.encode())
        signature = account.sign(signing.manifest(encoded))
        return {"manifest": encoded.hex(), "signature": signature.hex()}

    def refusal(case: Json) -> str:
        encoded = ManifestBytes(bytes.fromhex(case["manifest"]))
        signature = Signature(bytes.fromhex(case["signature"]))
        try:
            found = check_manifest(
                device.account_key,
                encoded,
                signature,
                user_id=UserId("alice"),
                server_id=SERVER,
            )
            check_successor(first, first_bytes, found)
        except PeerError as error:
            return type(error).__name__
        raise AssertionError(case)

    def changed(**values: Any) -> Json:
        return signed(msgspec.structs.replace(second, **values))

    capital = msgspec.structs.replace(other.entry, name=DeviceName("Phone"))
    wrong = {
        "no device": changed(devices=()),
        "a device twice": changed(devices=(device.entry, device.entry)),
        "devices not in order": changed(devices=(other.entry, device.entry)),
        "a device name in capitals": changed(devices=(capital,)),
        "17 devices": changed(
            devices=tuple(
                msgspec.structs.replace(device.entry, name=DeviceName(f"d{n:02}"))
                for n in range(17)
            )
        ),
        "counter 0": changed(counter=0),
        "another version": signed(b"\x02" + second.encode()[1:]),
        "cut short": signed(second.encode()[:-1]),
        "a byte too many": signed(second.encode() + b"\0"),
        "another account": changed(address=second.address.replace(b"alice", b"carol")),
        "another server": changed(address=b"alice@" + bytes(16).hex().encode()),
        "capitals in the address": changed(address=second.address.replace(b"alice", b"Alice")),
        "altered after signing": {**signed(second), "manifest": changed(time=0)["manifest"]},
        "the known manifest again": signed(first),
        "a counter skipped": changed(counter=3),
        "another predecessor": changed(previous=manifest_hash(b"")),
    }
    check_successor(first, first_bytes, second)
    return {
        "shows": "manifests: bytes, hash and signature, a successor, and what is refused after 1",
        "user_id": "alice",
        "server_id": SERVER.hex(),
        "account_seed": account.raw.hex(),
        "account_key": device.account_key.hex(),
        "chain": [
            {**_described(each), **signed(each), "hash": manifest_hash(each.encode()).hex()}
            for each in (first, second)
        ],
        "refused": [
            {"why": why, **case, "gives": {"error": refusal(case)}} for why, case in wrong.items()
        ],
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


# ---------------------------------------------------------------- bundles and signatures


def bundles(kem: Encapsulations) -> Json:
    """A claimed bundle, and bundles that no session may be started with."""
    bob, carol = Party("bob", kem), Party("carol", kem, one_time=False)
    good = bob.claimed
    change = msgspec.structs.replace

    def signed(prekey: Any, kind: signing.PrekeyKind, **values: Any) -> Any:
        """``prekey`` with other contents, signed by its rightful owner."""
        key = change(prekey, **values)
        signs = signing.prekey(kind, bob.device.address, SERVER, key.id, key.key, key.expires)
        return change(key, signature=bob.device.signing.sign(signs))

    spk, kinds = good.signed_prekey, signing.PrekeyKind
    low, one_time = PrekeyPublic(bytes(32)), good.one_time
    assert one_time is not None
    entry = change(bob.device.entry, dh_key=DeviceDhKey(bytes(32)))
    bad_device = Manifest.first(UserId("bob"), SERVER, NOW, entry).encode()
    valid = limits.SIGNED_PREKEY_VALID * 1000
    cases: list[tuple[str, Any, int]] = [
        ("good", good, NOW),
        ("good without one-time prekey", change(good, one_time=None), NOW),
        ("the last moment", good, spk.expires + _DAY - 1),
        ("the signed prekey has expired", good, spk.expires + _DAY),
        ("our clock is a day behind", good, NOW - _DAY),
        ("valid for too long", good, NOW - _DAY - 1),
        (
            "signed for longer than its kind allows",
            change(
                good, signed_prekey=signed(spk, kinds.SIGNED_X25519, expires=NOW + valid + 2 * _DAY)
            ),
            NOW,
        ),
        ("prekey id altered", change(good, signed_prekey=change(spk, id=9)), NOW),
        ("another's manifest", change(good, manifest=carol.device.manifest), NOW),
        (
            "another's account",
            change(
                good,
                account_key=carol.device.account_key,
                manifest=carol.device.manifest,
                manifest_signature=carol.device.manifest_signature,
            ),
            NOW,
        ),
        ("another's signed prekey", change(good, signed_prekey=carol.signed_prekey), NOW),
        ("a one-time key offered as last resort", change(good, kem_is_last_resort=True), NOW),
        ("another device's keys", change(good, device="phone"), NOW),
        (
            "signed prekey of low order",
            change(good, signed_prekey=signed(spk, kinds.SIGNED_X25519, key=low)),
            NOW,
        ),
        (
            "one-time prekey not canonical",
            change(good, one_time=change(one_time, key=PrekeyPublic(b"\xff" * 32))),
            NOW,
        ),
        (
            "device's X25519 key of low order",
            change(
                good,
                manifest=bad_device,
                manifest_signature=bob.account.sign(signing.manifest(bad_device)),
            ),
            NOW,
        ),
    ]

    def gives(keys: messages.Keys, now_ms: int) -> Json:
        try:
            check_bundle(keys, bob.device.address, ServerId(SERVER), now_ms)
        except PeerError as error:
            return {"error": type(error).__name__}
        return {"accepted": True}

    return {
        "shows": "headers of keys messages for bob/main, and whether their bundle is accepted",
        "server_id": SERVER.hex(),
        "cases": [
            {
                "why": why,
                "now_ms": now_ms,
                "header": messages.encode_header(keys).decode(),
                "gives": gives(keys, now_ms),
            }
            for why, keys, now_ms in cases
        ],
    }


def signatures(_: Encapsulations) -> Json:
    """Ed25519 as it is verified here: strictly."""
    account, _device = new_account(UserId("alice"), SERVER, FIRST_DEVICE, NOW, Draws("signatures"))
    encoded = ManifestBytes(b"what is signed")
    message = signing.manifest(encoded)
    good = account.sign(message)
    number = int.from_bytes(good[32:], "little")
    identity = b"\x01" + bytes(31)
    cases: list[tuple[str, bytes, bytes, bytes]] = [
        ("good", account.public, message, good),
        ("without its label", account.public, encoded, good),
        ("of another purpose", account.public, message.replace(b"manifest", b"prekey"), good),
        (
            "S not below the group's order",
            account.public,
            message,
            good[:32] + (number + _GROUP_ORDER).to_bytes(32, "little"),
        ),
        ("R altered", account.public, message, bytes([good[0] ^ 1]) + good[1:]),
        ("key and R are the neutral element", identity, message, identity + bytes(32)),
        (
            "key not canonical",
            (2**255 - 19 + 1).to_bytes(32, "little"),
            message,
            identity + bytes(32),
        ),
        ("all zero", bytes(32), message, bytes(64)),
    ]

    def gives(key: bytes, text: bytes, signature: bytes) -> Json:
        try:
            verify(AccountKey(key), text, Signature(signature))
        except PeerError as error:
            return {"error": type(error).__name__}
        return {"accepted": True}

    return {
        "shows": "signatures that hold and that do not",
        "label": signing.Label.MANIFEST.value.decode(),
        "cases": [
            {
                "why": why,
                "key": key.hex(),
                "message": text.hex(),
                "signature": signature.hex(),
                "gives": gives(key, text, signature),
            }
            for why, key, text, signature in cases
        ],
    }
