"""Getting in: registration and login (PROTOCOL.md 4 and 5).

The order of the checks is part of the protocol: version and features, challenge, mode and invite,
name, keys and signatures, and last whether the name is free. A stranger without an invite learns
nothing about names; a login answers alike, after the same work, whatever was wrong with it.
"""

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection

from secure_chat.crypto import verify
from secure_chat.errors import BadAddress, BadSignature, Code, PeerError
from secure_chat.protocol import messages, signing
from secure_chat.protocol.addresses import (
    FIRST_DEVICE,
    DeviceAddress,
    UserId,
    canonical_device,
    canonical_user_id,
)
from secure_chat.protocol.messages import Login, Register, Welcome
from secure_chat.protocol.wiretypes import DeviceKey, ServerId
from secure_chat.server.core import desk
from secure_chat.server.core.prekeys import check_prekey
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.session import Session, Stage
from secure_chat.server.core.settings import Settings
from secure_chat.server.steady import SteadyClock
from secure_chat.server.store import Store, invites, keys, mail, people
from secure_chat.server.store.keys import Stock
from secure_chat.server.store.mail import DeviceState

# RFC 8032 7.1, test 1: a key that verifies like any other. Its private key is public, which does
# not matter: a login that is checked against it is refused whatever the answer.
_NOBODY: Final = DeviceKey(
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
)


class Found(Struct, frozen=True):
    """A device whose login is good, as the disk has it."""

    state: DeviceState
    stock: Stock


class Admission:
    """Checks who may come in; calls ``enter`` for whoever does."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rates: Rates,
        enter: Callable[[Session, Found], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._enter = enter
        self._rates = rates

    def reconfigure(self, settings: Settings) -> None:
        """Follow other settings from now on."""
        self._settings = settings

    def register(self, session: Session, asked: Register, now: float) -> None:
        """Create an account, then log its device in."""
        if not self._may_try(session, asked, now):
            return
        mode = self._settings.registration
        if mode == "closed":
            session.refuse(Code.REGISTRATION_CLOSED)
            return
        if mode == "invite" and asked.invite is None:
            session.refuse(Code.BAD_INVITE)
            return
        wait = self._rates.registrations.take(session.network, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, retry_after=wait)
            return
        self._check(session, self._registration(session, asked), self._create_for(session))

    def login(self, session: Session, asked: Login, now: float) -> None:
        """Log a device in."""
        if not self._may_try(session, asked, now):
            return
        wait = self._rates.logins.take(session.network, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, retry_after=wait)
            return
        self._check(session, self._proof(session, asked), self._let_in_for(session))

    def _may_try(self, session: Session, asked: Register | Login, now: float) -> bool:
        """Version, features and challenge; a challenge is good for one attempt."""
        if asked.version not in messages.VERSIONS:
            session.refuse(Code.UNSUPPORTED_VERSION)
        elif not set(asked.features) <= set(session.offered):
            session.refuse(Code.UNSUPPORTED_FEATURE)
        elif session.challenged:
            session.refuse(Code.CHALLENGE_USED)
        elif now - session.opened_at > self._settings.login_seconds:
            session.refuse(Code.CHALLENGE_EXPIRED)
        else:
            session.challenged = True
            session.features = asked.features
            return True
        return False

    def _check(
        self, session: Session, job: Callable[[Connection], Any], done: Callable[[Any], None]
    ) -> None:
        session.stage = Stage.CHECKING

        def failed() -> None:
            session.stage = Stage.GREETED

        desk.ask(session, self._store.check, job, done, failed=failed)

    # ------------------------------------------------------------ registration

    def _registration(
        self, session: Session, asked: Register
    ) -> Callable[[Connection], Code | people.NewAccount]:
        """The checks, in their order, for the checking thread."""
        token = asked.invite if self._settings.registration == "invite" else None
        hello, exporter = session.hello, session.connection.exporter
        server_id, clock = self._store.server_id, self._store.clock

        def job(connection: Connection) -> Code | people.NewAccount:
            if token is not None and not invites.is_good(connection, token, clock.now_ms()):
                return Code.BAD_INVITE
            try:
                address = DeviceAddress(
                    canonical_user_id(asked.user_id), canonical_device(asked.device)
                )
            except BadAddress:
                return Code.BAD_USER_ID
            try:
                device_key = check_registration(asked, address, server_id, hello, exporter, clock)
            except BadSignature:
                return Code.BAD_SIGNATURE
            except PeerError:
                return Code.BAD_KEYS
            return people.NewAccount(
                address.user_id, address.device, device_key, asked.account_key, asked.manifest,
                asked.manifest_signature, 1, asked.signed_prekey, asked.last_resort, token,
            )  # fmt: skip

        return job

    def _create_for(self, session: Session) -> Callable[[people.NewAccount], None]:
        clock = self._store.clock

        def create(new: people.NewAccount) -> None:
            def job(connection: Connection) -> Code | Found:
                created = people.register(connection, new, clock.now_ms())
                if isinstance(created, Code):
                    return created
                state = mail.load_device(connection, new.user_id, new.device)
                assert state is not None
                return Found(state, keys.stock(connection, created))

            def failed() -> None:
                session.stage = Stage.GREETED

            desk.ask(
                session,
                self._store.write,
                job,
                lambda found: self._enter(session, found),
                failed=failed,
            )

        return create

    # ------------------------------------------------------------ login

    def _proof(self, session: Session, asked: Login) -> Callable[[Connection], Code | Found]:
        hello, exporter = session.hello, session.connection.exporter
        server_id = self._store.server_id

        def job(connection: Connection) -> Code | Found:
            address = _address_of(asked)
            # Not into the mailbox yet: how long that takes would say that there is one.
            state = mail.load_device(connection, address.user_id, address.device, loads=False)
            usable = state is not None and not state.revoked
            signed = signing.login(
                signing.Channel(asked.version, asked.features, exporter, hello, server_id, address)
            )
            key = DeviceKey(state.signing_key) if state is not None and usable else _NOBODY
            try:
                verify.verify(key, signed, asked.signature)
            except BadSignature:
                return Code.LOGIN_REFUSED
            if state is None or not usable:
                return Code.LOGIN_REFUSED
            if state.disabled:  # told only to whoever holds the key
                return Code.ACCOUNT_DISABLED
            state = mail.with_loads(connection, state)
            return Found(state, keys.stock(connection, state.device_id))

        return job

    def _let_in_for(self, session: Session) -> Callable[[Found], None]:
        return lambda found: self._enter(session, found)


def _address_of(asked: Login) -> DeviceAddress:
    """Whose login it is; an impossible name becomes one that nobody can have."""
    try:
        return DeviceAddress(canonical_user_id(asked.user_id), canonical_device(asked.device))
    except BadAddress:
        return DeviceAddress(UserId(""), FIRST_DEVICE)


def check_registration(
    asked: Register,
    address: DeviceAddress,
    server_id: ServerId,
    hello: bytes,
    exporter: bytes,
    clock: SteadyClock,
) -> DeviceKey:
    """The device key of a registration whose every key and signature is right.

    Raises `BadSignature`, or another `PeerError` for keys that are malformed, expired, or of
    somebody else.
    """
    manifest = verify.check_manifest(
        asked.account_key,
        asked.manifest,
        asked.manifest_signature,
        user_id=address.user_id,
        server_id=server_id,
    )
    device = manifest.device(address.device)
    if device is None or manifest.counter != 1 or len(manifest.devices) != 1:
        raise BadAddress(text=str(address))
    signed = signing.registration(
        signing.Channel(asked.version, asked.features, exporter, hello, server_id, address),
        invite=asked.invite or b"",
        account_key=asked.account_key,
        manifest=asked.manifest,
        manifest_signature=asked.manifest_signature,
        signed_prekey=asked.signed_prekey,
        last_resort=asked.last_resort,
    )
    verify.verify(asked.account_key, signed, asked.account_signature)
    verify.verify(device.signing_key, signed, asked.device_signature)
    for kind, key in (
        (signing.PrekeyKind.SIGNED_X25519, asked.signed_prekey),
        (signing.PrekeyKind.LAST_RESORT_KEM, asked.last_resort),
    ):
        check_prekey(kind, key, address, device.signing_key, server_id, clock)
    return device.signing_key


def welcome(found: Found, acked: int, now_ms: int) -> Welcome:
    """What a device is told when it is in."""
    return Welcome(
        found.state.user_id,
        found.state.device,
        acked,
        found.stock.version,
        found.stock.one_time,
        found.stock.one_time_kem,
        found.state.manifest_counter,
        now_ms,
    )
