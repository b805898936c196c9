"""What verifies and cannot decrypt: the only module of crypto that the server may import.

It imports nothing else of crypto, so the import graph shows that the server is blind.
"""

from nacl import bindings
from nacl.exceptions import CryptoError

from secure_chat.errors import (
    BadManifest,
    BadPrekey,
    BadSignature,
    ManifestFork,
    ManifestGap,
    ManifestRollback,
)
from secure_chat.protocol import limits, signing
from secure_chat.protocol.addresses import DeviceAddress, UserId, qualified_account
from secure_chat.protocol.manifest import Manifest, decode_manifest, manifest_hash
from secure_chat.protocol.messages import KemPrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import (
    AccountKey,
    DeviceKey,
    ManifestBytes,
    MlsKey,
    ServerId,
    Signature,
)

_MS = 1000

PREKEY_VALID_MS = {
    PrekeyKind.SIGNED_X25519: limits.SIGNED_PREKEY_VALID * _MS,
    PrekeyKind.LAST_RESORT_KEM: limits.SIGNED_PREKEY_VALID * _MS,
    PrekeyKind.ONE_TIME_KEM: limits.ONE_TIME_KEM_VALID * _MS,
}
"""How long after its making a prekey of each kind expires."""


def verify(
    key: AccountKey | DeviceKey | MlsKey, message: bytes, signature: Signature, what: str = "data"
) -> None:
    """Raise `BadSignature` unless ``signature`` is ``key``'s over ``message``.

    Strict Ed25519 as libsodium checks it: S below the group's order, the key and R in canonical
    form and not of low order.
    """
    # The bindings do not look at the key's length: without this they would read past its end.
    if len(key) != AccountKey.size or len(signature) != Signature.size:
        raise BadSignature(what=what)
    try:
        bindings.crypto_sign_open(signature + message, key)
    except CryptoError:
        raise BadSignature(what=what) from None


def check_manifest(
    account_key: AccountKey,
    encoded: ManifestBytes,
    signature: Signature,
    *,
    user_id: UserId,
    server_id: ServerId,
) -> Manifest:
    """The manifest, once it is known to be ``user_id``'s on this server and signed by its account.

    Raises `BadSignature`, `BadEncoding`, `BadAddress` or `BadManifest`.
    """
    verify(account_key, signing.manifest(encoded), signature, "manifest")
    manifest = decode_manifest(encoded)
    if manifest.address != qualified_account(user_id, server_id):
        raise BadManifest(user_id=user_id, reason="it is for another account or server")
    return manifest


def check_successor(old: Manifest, old_encoded: bytes, new: Manifest) -> None:
    """Raise a `ManifestConflict` unless ``new`` directly follows ``old``.

    `ManifestRollback` for a counter that is not larger, `ManifestGap` for one that skips,
    `ManifestFork` for another predecessor.
    """
    facts = {"counter": new.counter, "known": old.counter}
    if new.counter <= old.counter:
        raise ManifestRollback(**facts)
    if new.counter > old.counter + 1:
        raise ManifestGap(**facts)
    if new.previous != manifest_hash(old_encoded):
        raise ManifestFork(**facts)


def check_prekey(
    kind: PrekeyKind,
    key: SignedPrekey | KemPrekey,
    device: DeviceAddress,
    device_key: DeviceKey,
    server_id: ServerId,
    *,
    now_ms: int,
) -> None:
    """Raise `BadPrekey` (expired, valid for too long, of another type) or `BadSignature`.

    The signature covers the kind, so that no key passes for one of another kind. A difference of
    clocks up to `limits.CLOCK_SKEW` is forgiven.
    """
    what = kind.what
    skew = limits.CLOCK_SKEW * _MS
    if isinstance(key, SignedPrekey) is not (kind is PrekeyKind.SIGNED_X25519):
        raise BadPrekey(what=what, key_id=key.id, reason="it is a key of another type")
    signed = signing.prekey(kind, device, server_id, key.id, key.key, key.expires)
    verify(device_key, signed, key.signature, what)
    if key.expires + skew <= now_ms:
        raise BadPrekey(what=what, key_id=key.id, reason="it has expired")
    if key.expires > now_ms + PREKEY_VALID_MS[kind] + skew:
        raise BadPrekey(what=what, key_id=key.id, reason="it claims to be valid for too long")
