"""What accounts and devices publish and look up: the list, prekeys, manifests."""

from functools import partial

from sqlalchemy import Connection

from secure_chat.crypto import verify
from secure_chat.errors import BadAddress, Code, PeerError
from secure_chat.protocol import limits, messages
from secure_chat.protocol.addresses import DeviceAddress, canonical_user_id
from secure_chat.protocol.messages import (
    Keys,
    KeysGet,
    KeysLow,
    KeysPut,
    List,
    ManifestGet,
    ManifestPut,
    Ok,
    Presence,
    UserEntry,
    Users,
    Watch,
)
from secure_chat.protocol.signing import PrekeyKind
from secure_chat.protocol.wiretypes import DeviceKey
from secure_chat.server.core import desk
from secure_chat.server.core.lookups import Lookups
from secure_chat.server.core.mailboxes import Mailboxes
from secure_chat.server.core.prekeys import check_prekey
from secure_chat.server.core.presence import PresenceBoard
from secure_chat.server.core.rates import Rates
from secure_chat.server.core.session import Session
from secure_chat.server.store import Store, keys, mail, people
from secure_chat.server.store.keys import Claimed, Stock
from secure_chat.server.store.people import Published, Replacement

_Signed = tuple[PrekeyKind, messages.SignedPrekey | messages.KemPrekey]


class Directory:
    """Answers everything that is no message and no login."""

    def __init__(
        self,
        store: Store,
        rates: Rates,
        presence: PresenceBoard,
        mailboxes: Mailboxes,
        lookups: Lookups,
    ) -> None:
        self._store = store
        self._lookups = lookups
        self._presence = presence
        self._mailboxes = mailboxes
        self._rates = rates

    # ------------------------------------------------------------ the list

    def users(self, session: Session, asked: List, _now: float) -> None:
        """A page of the accounts, where they are listed."""
        if self._lookups.by_name:
            session.refuse(Code.NOT_LISTED, ref=asked.ref)
            return

        def job(connection: Connection) -> list[str]:
            return people.list_page(connection, asked.after.lower(), asked.limit + 1)

        def done(names: list[str]) -> None:
            page = [UserEntry(n, self._presence.is_online(n)) for n in names[: asked.limit]]
            session.say(Users(asked.ref, page, len(names) > asked.limit))

        desk.ask(session, self._store.read, job, done, ref=asked.ref)

    def watch(self, session: Session, asked: Watch, _now: float) -> None:
        """Presence updates, of everybody or of some, or no more."""
        if asked.presence and not asked.names and self._lookups.by_name:
            session.refuse(Code.NOT_LISTED, ref=asked.ref)
            return
        try:
            names = frozenset(canonical_user_id(name) for name in asked.names)
        except BadAddress:
            session.refuse(Code.BAD_USER_ID, ref=asked.ref)
            return
        self._presence.watch(session, wanted=asked.presence, names=names or None)
        here: list[str] = sorted(name for name in names if self._presence.is_online(name))
        if asked.presence:
            for start in range(0, len(here), limits.PRESENCE_PER_FRAME):
                session.say(Presence(here[start : start + limits.PRESENCE_PER_FRAME]))
        session.say(Ok(asked.ref))

    def _may_ask(self, session: Session, ref: int, now: float) -> bool:
        """Whether an account may ask for a name; else it is refused."""
        wait = self._lookups.wait(session.account_id, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, ref=ref, retry_after=wait)
        return not wait

    def _not_there(self, session: Session, ref: int, now: float) -> None:
        self._lookups.missed(session.account_id, now)
        session.refuse(Code.UNKNOWN_USER, ref=ref)

    # ------------------------------------------------------------ prekeys

    def keys_put(self, session: Session, asked: KeysPut, _now: float) -> None:
        """Check a device's keys, then publish them."""
        address, device_id = session.device, session.device_id
        server_id, clock = self._store.server_id, self._store.clock

        def check(connection: Connection) -> Code | None:
            state = mail.load_device(connection, address.user_id, address.device, loads=False)
            if state is None or state.revoked:
                return Code.UNKNOWN_USER
            key = DeviceKey(state.signing_key)
            try:
                for kind, prekey in _signed_keys(asked):
                    check_prekey(kind, prekey, address, key, server_id, clock)
            except PeerError:
                return Code.BAD_KEYS
            return None

        def publish(connection: Connection) -> None:
            keys.publish(connection, device_id, asked)

        def published(_: bool) -> None:
            mailbox = self._mailboxes.get(str(address))
            if mailbox is not None:
                mailbox.told_low = False
            session.say(Ok(asked.ref))

        def checked(_: bool) -> None:
            desk.ask(session, self._store.write, publish, published, ref=asked.ref)

        desk.ask(session, self._store.check, check, checked, ref=asked.ref)

    def keys_get(self, session: Session, asked: KeysGet, now: float) -> None:
        """Hand out a bundle; its one-time keys are gone then."""
        wait = self._rates.bundles.take(session.account_id, now)
        if wait:
            session.refuse(Code.RATE_LIMITED, ref=asked.ref, retry_after=wait)
            return
        if not self._may_ask(session, asked.ref, now):
            return
        try:
            address = DeviceAddress.parse(asked.to)
        except BadAddress:
            self._not_there(session, asked.ref, now)
            return
        # Nobody drains a stock, alone or with accounts made for it: beyond their share they get the
        # last-resort key, whose use both sides see.
        to = str(address)
        one_time = not (
            self._rates.one_time_keys.take((session.account_id, to), now)
            or self._rates.one_time_keys_of_address.take((session.network, to), now)
        )

        def job(connection: Connection) -> Code | Claimed:
            return keys.claim(connection, address.user_id, address.device, one_time=one_time)

        desk.ask(
            session,
            self._store.write,
            job,
            partial(self._claimed, session, asked, address),
            ref=asked.ref,
            failed=partial(self._lookups.missed, session.account_id, now),
        )

    def _claimed(
        self, session: Session, asked: KeysGet, address: DeviceAddress, claimed: Claimed
    ) -> None:
        account = claimed.published
        session.say(
            Keys(
                asked.ref,
                account.account_key,
                account.manifest,
                account.manifest_signature,
                address.device,
                claimed.signed_prekey,
                claimed.kem,
                claimed.kem_is_last_resort,
                claimed.one_time,
            )
        )
        self._tell_low(address, claimed.left)

    def _tell_low(self, address: DeviceAddress, left: Stock) -> None:
        """Ask the device for more keys, once until it publishes some."""
        mailbox = self._mailboxes.get(str(address))
        if mailbox is None or mailbox.session is None or mailbox.told_low:
            return
        if min(left.one_time, left.one_time_kem) < limits.ONE_TIME_REFILL_BELOW:
            mailbox.told_low = True
            mailbox.session.say(KeysLow(left.one_time, left.one_time_kem))

    # ------------------------------------------------------------ manifests

    def manifest_get(self, session: Session, asked: ManifestGet, now: float) -> None:
        """An account's newest manifest."""
        if not self._may_ask(session, asked.ref, now):
            return
        try:
            user_id = canonical_user_id(asked.user_id)
        except BadAddress:
            self._not_there(session, asked.ref, now)
            return

        def job(connection: Connection) -> Code | Published:
            return people.published(connection, user_id) or Code.UNKNOWN_USER

        def done(account: Published) -> None:
            session.say(
                messages.Manifest(
                    asked.ref, account.account_key, account.manifest, account.manifest_signature
                )
            )

        missed = partial(self._lookups.missed, session.account_id, now)
        desk.ask(session, self._store.read, job, done, ref=asked.ref, failed=missed)

    def manifest_put(self, session: Session, asked: ManifestPut, _now: float) -> None:
        """Publish the next manifest of one's own account."""
        user_id, server_id = session.device.user_id, self._store.server_id

        def check(connection: Connection) -> Code | Replacement:
            old = people.published(connection, user_id)
            if old is None:
                return Code.UNKNOWN_USER
            try:
                new = verify.check_manifest(
                    old.account_key,
                    asked.manifest,
                    asked.manifest_signature,
                    user_id=user_id,
                    server_id=server_id,
                )
            except PeerError:
                return Code.BAD_KEYS
            try:
                verify.check_successor(old.decoded(), old.manifest, new)
            except PeerError:
                return Code.MANIFEST_CONFLICT
            return Replacement(user_id, asked.manifest, asked.manifest_signature, new)

        def checked(new: Replacement) -> None:
            desk.ask(
                session,
                self._store.write,
                lambda connection: people.replace_manifest(connection, new),
                lambda left_out: self._replaced(session, asked, new, left_out),
                ref=asked.ref,
            )

        desk.ask(session, self._store.check, check, checked, ref=asked.ref)

    def _replaced(
        self, session: Session, asked: ManifestPut, new: Replacement, left_out: list[str]
    ) -> None:
        self._mailboxes.manifest_changed(new.user_id, new.decoded.counter)
        session.say(Ok(asked.ref))
        for device in left_out:
            mailbox = self._mailboxes.get(f"{new.user_id}/{device}")
            if mailbox is not None and mailbox.session is not None:
                mailbox.session.refuse(Code.LOGIN_REFUSED)


def _signed_keys(put: KeysPut) -> list[_Signed]:
    """Every key of an upload that carries a signature, with what it is for."""
    signed: list[_Signed] = []
    if put.signed_prekey is not None:
        signed.append((PrekeyKind.SIGNED_X25519, put.signed_prekey))
    if put.last_resort is not None:
        signed.append((PrekeyKind.LAST_RESORT_KEM, put.last_resort))
    signed += [(PrekeyKind.ONE_TIME_KEM, key) for key in put.one_time_kem]
    return signed
