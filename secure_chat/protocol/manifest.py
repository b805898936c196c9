"""The signed list of an account's devices (PROTOCOL.md 4).

::

    u8 version = 1 ‖ fields(address, u64 counter, previous hash 32, u64 time in ms, device...)
    device = fields(name, Ed25519 32, X25519 32, MLS Ed25519 32)
    address = user@server-id

The first manifest has counter 1 and 32 zero bytes as previous hash, and no other has either.
Devices stand in order of name.
"""

import hashlib
from typing import Self

from msgspec import Struct

from secure_chat.errors import BadEncoding
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import DeviceName, UserId, canonical_device, qualified_account
from secure_chat.protocol.encoding import Reader, fields, u8, u64
from secure_chat.protocol.wiretypes import (
    DeviceDhKey,
    DeviceKey,
    ManifestBytes,
    ManifestHash,
    MlsKey,
    ServerId,
)

_VERSION = 1
NO_PREDECESSOR = ManifestHash(bytes(32))


class DeviceEntry(Struct, frozen=True):
    """One device of the account with its three public keys."""

    name: DeviceName
    signing_key: DeviceKey
    dh_key: DeviceDhKey
    mls_key: MlsKey


class Manifest(Struct, frozen=True):
    """The devices of an account at one counter; ``time`` in ms since 1970."""

    address: bytes
    counter: int
    previous: ManifestHash
    time: int
    devices: tuple[DeviceEntry, ...]

    @classmethod
    def first(cls, user_id: UserId, server_id: ServerId, now_ms: int, device: DeviceEntry) -> Self:
        """The manifest that a registration publishes."""
        return cls(qualified_account(user_id, server_id), 1, NO_PREDECESSOR, now_ms, (device,))

    def device(self, name: str) -> DeviceEntry | None:
        """The entry of one device, if it is listed."""
        return next((entry for entry in self.devices if entry.name == name), None)

    def encode(self) -> ManifestBytes:
        """The bytes that are signed, hashed and published."""
        head = fields(self.address, u64(self.counter), self.previous, u64(self.time))
        entries = (
            fields(fields(d.name.encode(), d.signing_key, d.dh_key, d.mls_key))
            for d in self.devices
        )
        return ManifestBytes(u8(_VERSION) + head + b"".join(entries))


def manifest_hash(encoded: bytes) -> ManifestHash:
    """What the next manifest names as its predecessor."""
    return ManifestHash(hashlib.sha256(encoded).digest())


def decode_manifest(encoded: bytes) -> Manifest:
    """Read a manifest; raise `BadEncoding` unless it is in its only form."""
    reader = Reader(encoded, "manifest")
    if reader.number(1) != _VERSION:
        raise BadEncoding(what="manifest version")
    address = reader.field()
    counter = int.from_bytes(reader.field(exactly=8), "big")
    previous = ManifestHash(reader.field(exactly=32))
    time = int.from_bytes(reader.field(exactly=8), "big")
    devices: list[DeviceEntry] = []
    while not reader.at_end:
        devices.append(_device(reader.field()))
    names = [device.name for device in devices]
    if not 1 <= len(devices) <= limits.DEVICES or names != sorted(set(names)) or counter < 1:
        raise BadEncoding(what="manifest")
    if (counter == 1) is not (previous == NO_PREDECESSOR):
        raise BadEncoding(what="manifest")
    return Manifest(address, counter, previous, time, tuple(devices))


def _device(entry: bytes) -> DeviceEntry:
    reader = Reader(entry, "manifest device")
    try:
        text = reader.field().decode("ascii")
    except UnicodeDecodeError:
        raise BadEncoding(what="manifest device") from None
    name = canonical_device(text)
    if name != text:
        raise BadEncoding(what="manifest device")
    device = DeviceEntry(
        name,
        DeviceKey(reader.field(exactly=32)),
        DeviceDhKey(reader.field(exactly=32)),
        MlsKey(reader.field(exactly=32)),
    )
    reader.finish()
    return device
