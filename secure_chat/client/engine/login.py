"""Getting in: keys at the first greeting, registration, login by signature over the channel.

A registration whose answer was lost (a crash, a broken connection) may have succeeded, so from then
on a login is tried first, and only its refusal leads to another registration.
"""

import enum
from collections.abc import Callable

from msgspec import Struct

from secure_chat.client.engine.context import Context
from secure_chat.client.engine.prekeys import KeyStock
from secure_chat.client.vault import identity
from secure_chat.crypto.identity import LocalDevice, new_account
from secure_chat.errors import CODES, Code, ProtocolError, Refused, WrongServer
from secure_chat.protocol import signing
from secure_chat.protocol.addresses import DeviceName
from secure_chat.protocol.invite import Pin
from secure_chat.protocol.messages import FEATURES, VERSION, Hello, Login, Register
from secure_chat.protocol.wiretypes import InviteToken, ServerId, Signature


class Greeting(Struct, frozen=True):
    """The server's greeting as it was received, and the channel's exporter value (RFC 9266)."""

    hello: Hello
    hello_bytes: bytes
    exporter: bytes
    pin: Pin | None = None  # of the key that the server showed

    @property
    def features(self) -> list[str]:
        """The optional parts of the protocol that both ends know, as a login names them."""
        return [one for one in self.hello.features if one in FEATURES]

    def channel(self, our: LocalDevice) -> signing.Channel:
        """What our device's proofs on this connection are over."""
        return signing.Channel(
            VERSION, self.features, self.exporter, self.hello_bytes, our.server_id, our.address
        )


class Next(enum.Enum):
    """What a refusal before the welcome leads to."""

    STOP = enum.auto()
    LATER = enum.auto()
    AT_ONCE = enum.auto()


class Entry:
    """Registers or logs in, once for each connection."""

    def __init__(
        self,
        context: Context,
        stock: KeyStock,
        device: DeviceName,
        invite: Callable[[], InviteToken | None],
    ) -> None:
        self._context = context
        self._stock = stock
        self._device = device
        self._registers = False  # on this connection
        self._invite = invite  # asked each time: a person may paste another link

    def greeted(self, greeting: Greeting) -> None:
        """Answer the greeting. Raises `WrongServer`, `ProtocolError` (no version in common)."""
        if VERSION not in greeting.hello.versions:
            raise ProtocolError(Code.UNSUPPORTED_VERSION)
        self._make_account(greeting.hello.server_id)
        context = self._context
        context.features = greeting.features
        with context.vault.read() as db:
            standing = identity.standing(db)
        self._registers = not (standing.registered or standing.register_sent)
        if not self._registers:
            context.send(self._login(greeting))
            return
        register = self._register(greeting)
        with context.transaction() as db:
            # On disk before a byte leaves: see the module's text.
            identity.set_register_sent(db, sent=True)
        context.send(register)

    def refused(self, refusal: Refused) -> Next:
        """What to do after the server refused to let us in."""
        with self._context.transaction() as db:
            standing = identity.standing(db)
            if (
                refusal.code is Code.LOGIN_REFUSED
                and standing.register_sent
                and not standing.registered
            ):
                identity.set_register_sent(db, sent=False)
                return Next.AT_ONCE
        if refusal.code is Code.RATE_LIMITED and self._registers:
            with self._context.transaction() as db:
                # It was not even looked at.
                identity.set_register_sent(db, sent=False)
        if refusal.code in {Code.CHALLENGE_USED, Code.CHALLENGE_EXPIRED}:
            return Next.LATER
        return Next.LATER if CODES[refusal.code].retry else Next.STOP

    def _make_account(self, server_id: ServerId) -> None:
        context = self._context
        if context.account is None:
            signing_key, device = new_account(
                context.user_id, server_id, self._device, context.now_ms, context.random
            )
            account = identity.Account(signing_key, device)
            with context.transaction() as db:
                identity.save_account(db, account)
            context.account = account
        elif context.our.server_id != server_id:
            known = context.our.server_id.hex()
            raise WrongServer(server="The server", found=server_id.hex(), expected=known)

    def _login(self, greeting: Greeting) -> Login:
        our = self._context.our
        signature = our.signing.sign(signing.login(greeting.channel(our)))
        return Login(our.address.user_id, our.address.device, VERSION, greeting.features, signature)

    def _register(self, greeting: Greeting) -> Register:
        account = self._context.account
        assert account is not None
        our = account.device
        signed_prekey, last_resort = self._stock.for_registration()
        invite = self._invite()
        proof = signing.registration(
            greeting.channel(our),
            invite=invite or b"",
            account_key=our.account_key,
            manifest=our.manifest,
            manifest_signature=our.manifest_signature,
            signed_prekey=signed_prekey,
            last_resort=last_resort,
        )
        return Register(
            user_id=our.address.user_id,
            device=our.address.device,
            version=VERSION,
            features=greeting.features,
            account_key=our.account_key,
            manifest=our.manifest,
            manifest_signature=our.manifest_signature,
            signed_prekey=signed_prekey,
            last_resort=last_resort,
            account_signature=Signature(account.signing.sign(proof)),
            device_signature=Signature(our.signing.sign(proof)),
            invite=invite,
        )
