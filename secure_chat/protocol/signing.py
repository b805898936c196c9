"""What is signed: the exact bytes under every Ed25519 signature (PROTOCOL.md 4).

Each is ``label ‖ SHA-256(fields(...))``. A label names one purpose, so that no signature made for
one can stand for another. Building these bytes needs no key; `secure_chat.crypto` signs and
verifies them.
"""

import hashlib
from enum import Enum

from msgspec import Struct

from secure_chat.protocol.addresses import DeviceAddress
from secure_chat.protocol.encoding import fields, u8, u32, u64
from secure_chat.protocol.messages import KemPrekey, SignedPrekey
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes, ServerId, Signature

EXPORTER_LABEL = b"EXPORTER-Channel-Binding"  # RFC 9266
EXPORTER_SIZE = 32
_TO_SERVER = b"client to server"


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

    @property
    def what(self) -> str:
        """What errors call such a key."""
        return _REASONS[self]


_REASONS = {
    PrekeyKind.SIGNED_X25519: "signed X25519 key",
    PrekeyKind.ONE_TIME_KEM: "one-time ML-KEM-1024 key",
    PrekeyKind.LAST_RESORT_KEM: "last-resort ML-KEM-1024 key",
}


def _signed(label: Label, *parts: bytes) -> bytes:
    return label.value + hashlib.sha256(fields(*parts)).digest()


class Channel(Struct, frozen=True):
    """One device's connection: what ties a proof to it, so that it is good nowhere else.

    ``version`` and ``features`` are those of this connection's login or registration, ``exporter``
    the TLS exporter value (32 bytes), ``hello`` the greeting's header as it was received.
    """

    version: int
    features: list[str]
    exporter: bytes
    hello: bytes
    server_id: ServerId
    device: DeviceAddress

    def parts(self) -> tuple[bytes, ...]:
        """The first fields of everything that is signed over a connection."""
        return (
            u8(self.version),
            fields(*(feature.encode() for feature in self.features)),
            self.exporter,
            self.hello,
            self.server_id,
            self.device.qualified(self.server_id),
        )


def login(channel: Channel) -> bytes:
    """What a device signs to log in."""
    return _signed(Label.LOGIN, *channel.parts(), _TO_SERVER)


def account_deletion(channel: Channel) -> bytes:
    """What the account key signs to delete the account, over the connection of a device."""
    return _signed(Label.ACCOUNT_DELETION, *channel.parts(), _TO_SERVER)


def registration(
    channel: Channel,
    *,
    invite: bytes,
    account_key: AccountKey,
    manifest: ManifestBytes,
    manifest_signature: Signature,
    signed_prekey: SignedPrekey,
    last_resort: KemPrekey,
) -> bytes:
    """What the account key and the device key both sign to register; no invite: empty bytes."""
    return _signed(
        Label.REGISTRATION,
        *channel.parts(),
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
