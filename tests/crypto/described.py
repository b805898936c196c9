"""The parties of vector files: devices and prekeys as the file describes them."""

from typing import Any

from secure_chat.crypto.identity import LocalDevice, PeerDevice, peer_from_manifest
from secure_chat.crypto.keys import (
    AccountSigningKey,
    DeviceDhPrivate,
    DeviceSigningKey,
    KemPrivate,
    MlsSigningKey,
    PrekeyPrivate,
)
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.prekeys import Bundle
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.messages import KemPrekey, OneTimePrekey, SignedPrekey
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import (
    KemPublic,
    ManifestBytes,
    PrekeyPublic,
    ServerId,
    Signature,
)
from tests.crypto.support import Store

Json = dict[str, Any]
unhex = bytes.fromhex


class Party:
    """A party as its vector describes it."""

    def __init__(self, described: Json) -> None:
        self.account = AccountSigningKey(unhex(described["account_seed"]))
        account, device = described["address"].split("@")
        server, name = device.split("/")
        self.device = LocalDevice(
            DeviceAddress(UserId(account), DeviceName(name)),
            ServerId(unhex(server)),
            self.account.public,
            DeviceSigningKey(unhex(described["device_seed"])),
            DeviceDhPrivate(unhex(described["dh_private"])),
            MlsSigningKey(unhex(described["mls_seed"])),
            ManifestBytes(unhex(described["manifest"])),
            Signature(unhex(described["manifest_signature"])),
        )
        signed, kem, one_time = (described[name] for name in ("signed_prekey", "kem", "one_time"))
        self.store = Store(
            {signed["id"]: PrekeyPrivate(unhex(signed["private"]))},
            {one_time["id"]: PrekeyPrivate(unhex(one_time["private"]))} if one_time else {},
            {kem["id"]: KemPrivate(unhex(kem["seed"]))},
        )
        self.signed_prekey = SignedPrekey(
            signed["id"],
            PrekeyPublic(unhex(signed["public"])),
            signed["expires"],
            Signature(unhex(signed["signature"])),
        )
        self.kem = KemPrekey(
            kem["id"],
            KemPublic(unhex(kem["public"])),
            kem["expires"],
            Signature(unhex(kem["signature"])),
        )
        self.kem_kind = PrekeyKind(kem["kind"].encode())
        self.one_time = (
            OneTimePrekey(one_time["id"], PrekeyPublic(unhex(one_time["public"])))
            if one_time
            else None
        )
        self.sessions: PeerSessions

    @property
    def peer(self) -> PeerDevice:
        device = self.device
        return peer_from_manifest(
            device.address,
            device.server_id,
            device.account_key,
            device.manifest,
            device.manifest_signature,
        )[0]

    @property
    def bundle(self) -> Bundle:
        last_resort = self.kem_kind is PrekeyKind.LAST_RESORT_KEM
        return Bundle(self.peer, self.signed_prekey, self.kem, last_resort, self.one_time)
