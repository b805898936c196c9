"""What is signed: the exact bytes under every Ed25519 signature (PROTOCOL.md 4).

Each is ``label ‖ SHA-256(fields(...))``. A label names one purpose, so that no signature made for
one can stand for another. Building these bytes needs no key; `secure_chat.crypto` signs and
verifies them.
"""

import hashlib
from enum import Enum

from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.encoding import fields, u8, u32, u64
from secure_chat.protocol.messages import KemPrekey, SignedPrekey
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes, ServerId, Signature

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266
EXPORTER_SIZE = 32


class Label(bytes, Enum):
    """Purposes of signatures: the one table."""

    LOGIN = b"secure_chat/1 login"
    REGISTRATION = b"secure_chat/1 registration"
    MANIFEST = b"secure_chat/1 manifest"
    PREKEY = b"secure_chat/1 prekey"
    ACCOUNT_DELETION = b"secure_chat/1 account deletion"


class PrekeyKind(bytes, Enum):
    """What a signed key is for; part of what its signature covers."""

    SIGNED_X25519 = b"signed X25519"
    ONE_TIME_KEM = b"one-time ML-KEM-1024"
    LAST_RESORT_KEM = b"last-resort ML-KEM-1024"


def _signed(label: Label, *parts: bytes) -> bytes:
    return label.value + hashlib.sha256(fields(*parts)).digest()


def _channel(
    version: int, features: list[str], exporter: bytes, hello: bytes, server_id: ServerId
) -> tuple[bytes, ...]:
    """The part that ties a proof to one connection; ``hello`` is the greeting's header bytes."""
    return (
        u8(version),
        fields(*(feature.encode() for feature in features)),
        exporter,
        hello,
        server_id,
    )


def login(
    *,
    version: int,
    features: list[str],
    exporter: bytes,
    hello: bytes,
    server_id: ServerId,
    device: DeviceAddress,
) -> bytes:
    """What a device signs to log in. ``hello`` is the greeting's header as it was received."""
    channel = _channel(version, features, exporter, hello, server_id)
    return _signed(Label.LOGIN, *channel, device.qualified(server_id), b"client to server")


def account_deletion(
    *,
    version: int,
    features: list[str],
    exporter: bytes,
    hello: bytes,
    server_id: ServerId,
    device: DeviceAddress,
) -> bytes:
    """What the account key signs to delete the account, over the connection of ``device``."""
    channel = _channel(version, features, exporter, hello, server_id)
    return _signed(
        Label.ACCOUNT_DELETION, *channel, device.qualified(server_id), b"client to server"
    )


def registration(
    *,
    version: int,
    features: list[str],
    exporter: bytes,
    hello: bytes,
    server_id: ServerId,
    device: DeviceAddress,
    invite: bytes,
    account_key: AccountKey,
    manifest: ManifestBytes,
    manifest_signature: Signature,
    signed_prekey: SignedPrekey,
    last_resort: KemPrekey,
) -> bytes:
    """What the account key and the device key both sign to register; no invite: empty bytes."""
    channel = _channel(version, features, exporter, hello, server_id)
    return _signed(
        Label.REGISTRATION,
        *channel,
        device.qualified(server_id),
        invite,
        account_key,
        manifest,
        manifest_signature,
        _published(signed_prekey),
        _published(last_resort),
    )


def _published(key: SignedPrekey | KemPrekey) -> bytes:
    return fields(u32(key.id), key.key, u64(key.expires), key.signature)


def manifest(encoded: ManifestBytes) -> bytes:
    """What the account key signs over an encoded manifest (the address is inside)."""
    return _signed(Label.MANIFEST, encoded)


def prekey(
    kind: PrekeyKind, device: DeviceAddress, server_id: ServerId, key_id: int, key: bytes,
    expires_ms: int,
) -> bytes:  # fmt: skip
    """What a device signs over each of its signed prekeys."""
    return _signed(
        Label.PREKEY,
        kind.value,
        device.qualified(server_id),
        u32(key_id),
        u64(expires_ms),
        key,
    )
