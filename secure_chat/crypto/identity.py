"""Who takes part: our own device with its private keys, and a peer's device (PROTOCOL.md 6.1)."""

import functools
from dataclasses import dataclass

from secure_chat.crypto.keys import (
    AccountSigningKey,
    DeviceDhPrivate,
    DeviceSigningKey,
    MlsSigningKey,
)
from secure_chat.crypto.rng import Random, draw_other
from secure_chat.crypto.verify import check_manifest
from secure_chat.errors import BadManifest, Reason
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.manifest import DeviceEntry, Manifest
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes, ServerId, Signature


@dataclass(frozen=True)
class LocalDevice:
    """Our device, with all the private keys that it uses every day.

    The account's signing key is not among them: it is needed for a new manifest only.
    """

    address: DeviceAddress
    server_id: ServerId
    account_key: AccountKey
    signing: DeviceSigningKey
    dh: DeviceDhPrivate
    mls: MlsSigningKey
    manifest: ManifestBytes
    manifest_signature: Signature

    @property
    def entry(self) -> DeviceEntry:
        """What the manifest says of this device."""
        return DeviceEntry(
            self.address.device, self.signing.public, self.dh.public, self.mls.public
        )


@dataclass(frozen=True)
class PeerDevice:
    """A device of somebody else, as a verified manifest describes it."""

    address: DeviceAddress
    server_id: ServerId
    account_key: AccountKey
    entry: DeviceEntry
    manifest_counter: int

    def same_keys(self, other: "PeerDevice") -> bool:
        """Whether both describe one device with the same keys (the counters may differ)."""
        return (self.address, self.server_id, self.account_key, self.entry) == (
            other.address,
            other.server_id,
            other.account_key,
            other.entry,
        )


def new_account(
    user_id: UserId, server_id: ServerId, device_name: DeviceName, now_ms: int, random: Random
) -> tuple[AccountSigningKey, LocalDevice]:
    """Keys and first manifest of a new account. Raises `DeadRandomness`."""
    seeds: list[bytes] = []
    for _ in range(4):
        seeds.append(draw_other(random, 32, *seeds))
    account = AccountSigningKey(seeds[0])
    signing_key, dh, mls = (
        DeviceSigningKey(seeds[1]),
        DeviceDhPrivate(seeds[2]),
        MlsSigningKey(seeds[3]),
    )
    entry = DeviceEntry(device_name, signing_key.public, dh.public, mls.public)
    manifest = Manifest.first(user_id, server_id, now_ms, entry).encode()
    device = LocalDevice(
        DeviceAddress(user_id, device_name),
        server_id,
        account.public,
        signing_key,
        dh,
        mls,
        manifest,
        account.sign(signing.manifest(manifest)),
    )
    return account, device


@functools.lru_cache(maxsize=64)  # pure; an initial message is looked at before it is opened
def peer_from_manifest(
    address: DeviceAddress,
    server_id: ServerId,
    account_key: AccountKey,
    encoded: ManifestBytes,
    signature: Signature,
) -> tuple[PeerDevice, Manifest]:
    """The device ``address`` out of a manifest that is checked here.

    Raises what `check_manifest` raises, and `BadManifest` if the device is not listed.
    """
    manifest = check_manifest(
        account_key, encoded, signature, user_id=address.user_id, server_id=server_id
    )
    entry = manifest.device(address.device)
    if entry is None:
        reason = Reason("it lists no device {device}", device=address.device)
        raise BadManifest(user_id=address.user_id, reason=reason)
    return PeerDevice(address, server_id, account_key, entry, manifest.counter), manifest
