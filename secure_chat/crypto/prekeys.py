"""Prekeys: making, signing and checking what a session is started with (PROTOCOL.md 6.2)."""

from dataclasses import dataclass
from typing import Protocol

from secure_chat.crypto.identity import LocalDevice, PeerDevice, peer_from_manifest
from secure_chat.crypto.keys import KemPrivate, PrekeyPrivate, check_curve_key
from secure_chat.crypto.rng import Random
from secure_chat.crypto.verify import PREKEY_VALID_MS, check_prekey
from secure_chat.errors import (
    BadAddress,
    BadBundle,
    BadCurveKey,
    BadEncoding,
    BadManifest,
    BadPrekey,
    BadSignature,
)
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.messages import KemPrekey, Keys, OneTimePrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import ServerId, Signature


class PrekeySource(Protocol):
    """Our stored private prekeys, by id; None for what is not (or no longer) there.

    One-time and last-resort KEM keys share one space of ids. The signed prekeys and last-resort
    keys that were replaced stay for `limits.PREKEY_KEPT`.
    """

    def signed(self, key_id: int, /) -> PrekeyPrivate | None:
        """The private part of a signed prekey."""

    def one_time(self, key_id: int, /) -> PrekeyPrivate | None:
        """The private part of a one-time prekey."""

    def kem(self, key_id: int, /) -> KemPrivate | None:
        """The private part of a KEM key, one-time or last-resort."""


@dataclass(frozen=True)
class Bundle:
    """The verified keys of one device that a session is started with."""

    peer: PeerDevice
    signed_prekey: SignedPrekey
    kem: KemPrekey
    kem_is_last_resort: bool
    one_time: OneTimePrekey | None

    @property
    def kem_kind(self) -> PrekeyKind:
        """What the KEM key was signed as."""
        last_resort = self.kem_is_last_resort
        return PrekeyKind.LAST_RESORT_KEM if last_resort else PrekeyKind.ONE_TIME_KEM


def new_signed_prekey(
    device: LocalDevice, key_id: int, now_ms: int, random: Random
) -> tuple[PrekeyPrivate, SignedPrekey]:
    """A signed prekey that expires after `limits.SIGNED_PREKEY_VALID`."""
    private = PrekeyPrivate.generate(random)
    expires, signature = _sign(device, PrekeyKind.SIGNED_X25519, key_id, private.public, now_ms)
    return private, SignedPrekey(key_id, private.public, expires, signature)


def new_kem_prekey(
    device: LocalDevice, kind: PrekeyKind, key_id: int, now_ms: int, random: Random
) -> tuple[KemPrivate, KemPrekey]:
    """A signed ML-KEM-1024 key; ``kind`` says one-time or last-resort."""
    if kind is PrekeyKind.SIGNED_X25519:
        raise ValueError("an ML-KEM key cannot be signed as an X25519 key")
    private = KemPrivate.generate(random)
    public = private.public
    expires, signature = _sign(device, kind, key_id, public, now_ms)
    return private, KemPrekey(key_id, public, expires, signature)


def new_one_time(key_id: int, random: Random) -> tuple[PrekeyPrivate, OneTimePrekey]:
    """A one-time prekey; unsigned, since the transcript of the session binds it."""
    private = PrekeyPrivate.generate(random)
    return private, OneTimePrekey(key_id, private.public)


def _sign(
    device: LocalDevice, kind: PrekeyKind, key_id: int, public: bytes, now_ms: int
) -> tuple[int, Signature]:
    expires = now_ms + PREKEY_VALID_MS[kind]
    signed = signing.prekey(kind, device.address, device.server_id, key_id, public, expires)
    return expires, device.signing.sign(signed)


def check_bundle(keys: Keys, address: DeviceAddress, server_id: ServerId, now_ms: int) -> Bundle:
    """The bundle as verified keys; raise `BadBundle` naming what is wrong with it.

    Checked are: the manifest's signature and address, that it lists the device, the signatures
    (over kind, address, id and expiry) and dates of the signed prekey and of the KEM key, and that
    no X25519 key is of low order. The KEM key itself is checked when it is encapsulated to. A
    bundle without KEM key cannot be written as `Keys`.
    """
    try:
        if keys.device != address.device:
            raise BadBundle(address=address, reason="They are of another device.")
        return _checked(keys, address, server_id, now_ms)
    except (BadSignature, BadManifest, BadPrekey, BadCurveKey, BadEncoding, BadAddress) as wrong:
        raise BadBundle(address=address, reason=wrong) from wrong


def _checked(keys: Keys, address: DeviceAddress, server_id: ServerId, now_ms: int) -> Bundle:
    peer, _ = peer_from_manifest(
        address, server_id, keys.account_key, keys.manifest, keys.manifest_signature
    )
    bundle = Bundle(peer, keys.signed_prekey, keys.kem, keys.kem_is_last_resort, keys.one_time)
    device_key = peer.entry.signing_key
    for kind, key in (
        (PrekeyKind.SIGNED_X25519, bundle.signed_prekey),
        (bundle.kem_kind, bundle.kem),
    ):
        check_prekey(kind, key, address, device_key, server_id, now_ms=now_ms)
    check_curve_key(peer.entry.dh_key, "device's X25519 key")
    check_curve_key(bundle.signed_prekey.key, "signed prekey")
    if bundle.one_time is not None:
        check_curve_key(bundle.one_time.key, "one-time prekey")
    return bundle
