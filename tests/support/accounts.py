"""The keys of scripted accounts, made with the product's own crypto, and what they sign."""

import secrets
import time
from dataclasses import dataclass, field

from secure_chat.crypto.identity import LocalDevice, new_account
from secure_chat.crypto.keys import AccountSigningKey, KemPrivate, PrekeyPrivate
from secure_chat.crypto.prekeys import new_kem_prekey, new_one_time, new_signed_prekey
from secure_chat.crypto.rng import system_random
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import FIRST_DEVICE, DeviceAddress, canonical_user_id
from secure_chat.protocol.messages import (
    VERSION,
    KemPrekey,
    KeysPut,
    Login,
    OneTimePrekey,
    Register,
    SignedPrekey,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import InviteToken, ServerId, Signature
from tests.support.wire import Wire

_FIRST_KEY_ID = 1
_LAST_RESORT_ID = 2
_ONE_TIME_FROM = 100


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass
class Account:
    """All private keys of a scripted account; also a `PrekeySource`."""

    signing_key: AccountSigningKey
    device: LocalDevice
    signed_prekey: SignedPrekey
    last_resort: KemPrekey
    signed_private: dict[int, PrekeyPrivate]
    kem_private: dict[int, KemPrivate]
    one_time_private: dict[int, PrekeyPrivate] = field(default_factory=dict)
    version: int = 0
    _next_id: int = _ONE_TIME_FROM

    @classmethod
    def new(cls, name: str, server_id: ServerId) -> "Account":
        """Fresh keys for ``name`` on a server."""
        signing_key, device = new_account(
            canonical_user_id(name), server_id, FIRST_DEVICE, now_ms(), system_random
        )
        private, public = new_signed_prekey(device, _FIRST_KEY_ID, now_ms(), system_random)
        kem_private, kem = new_kem_prekey(
            device, PrekeyKind.LAST_RESORT_KEM, _LAST_RESORT_ID, now_ms(), system_random
        )
        return cls(
            signing_key,
            device,
            public,
            kem,
            {_FIRST_KEY_ID: private},
            {_LAST_RESORT_ID: kem_private},
        )

    @property
    def address(self) -> DeviceAddress:
        """``name/main``."""
        return self.device.address

    @property
    def name(self) -> str:
        """The account's name."""
        return self.device.address.user_id

    # PrekeySource

    def signed(self, key_id: int, /) -> PrekeyPrivate | None:
        return self.signed_private.get(key_id)

    def one_time(self, key_id: int, /) -> PrekeyPrivate | None:
        return self.one_time_private.get(key_id)

    def kem(self, key_id: int, /) -> KemPrivate | None:
        return self.kem_private.get(key_id)

    # what is sent

    def register(self, wire: Wire, invite: InviteToken | None = None) -> Register:
        """A registration for this connection, properly signed."""
        signed = self.registration_bytes(wire, invite)
        return Register(
            user_id=self.name,
            device=self.address.device,
            version=VERSION,
            features=wire.hello.features,
            account_key=self.device.account_key,
            manifest=self.device.manifest,
            manifest_signature=self.device.manifest_signature,
            signed_prekey=self.signed_prekey,
            last_resort=self.last_resort,
            account_signature=self.signing_key.sign(signed),
            device_signature=self.device.signing.sign(signed),
            invite=invite,
        )

    def channel(self, wire: Wire) -> signing.Channel:
        """What proofs on this connection are over."""
        hello = wire.hello
        return signing.Channel(
            VERSION, hello.features, wire.exporter, wire.hello_bytes, hello.server_id, self.address
        )

    def registration_bytes(self, wire: Wire, invite: InviteToken | None = None) -> bytes:
        """What account and device key sign to register over this connection."""
        return signing.registration(
            self.channel(wire),
            invite=invite or b"",
            account_key=self.device.account_key,
            manifest=self.device.manifest,
            manifest_signature=self.device.manifest_signature,
            signed_prekey=self.signed_prekey,
            last_resort=self.last_resort,
        )

    def login_bytes(self, wire: Wire) -> bytes:
        """What the device key signs to log in over this connection."""
        return signing.login(self.channel(wire))

    def deletion_bytes(self, wire: Wire) -> bytes:
        """What the account key signs to delete the account over this connection."""
        return signing.account_deletion(self.channel(wire))

    def login(self, wire: Wire, signature: Signature | None = None) -> Login:
        """A login for this connection, properly signed unless a signature is given."""
        return Login(
            user_id=self.name,
            device=self.address.device,
            version=VERSION,
            features=wire.hello.features,
            signature=signature or self.device.signing.sign(self.login_bytes(wire)),
        )

    def more_keys(self, ref: int, curve: int, kem: int) -> KeysPut:
        """Fresh one-time keys of both kinds to publish."""
        self.version += 1
        return KeysPut(
            ref,
            self.version,
            one_time=[self._new_one_time() for _ in range(curve)],
            one_time_kem=[self._new_kem() for _ in range(kem)],
        )

    def _new_one_time(self) -> OneTimePrekey:
        private, public = new_one_time(self._id(), system_random)
        self.one_time_private[public.id] = private
        return public

    def _new_kem(self) -> KemPrekey:
        private, public = new_kem_prekey(
            self.device, PrekeyKind.ONE_TIME_KEM, self._id(), now_ms(), system_random
        )
        self.kem_private[public.id] = private
        return public

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id


def some_server_id() -> ServerId:
    """The id of a server that does not exist."""
    return ServerId(secrets.token_bytes(16))
