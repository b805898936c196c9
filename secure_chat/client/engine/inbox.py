"""Receiving, as a pipeline of named steps; every delivery ends in exactly one way.

1. *deduplicate*: a delivery id that was handled is acknowledged in silence, if the body is the
   same;
2. *identify*: whose sessions can open it, the stamped sender's first; an initial message names its
   sender by keys, and the server's stamp must agree;
3. *open*: decrypt; nothing changes if that fails;
4. *take in*: the new ratchet state, the plaintext, the deletion of a used one-time key and the
   delivery id, in one transaction;
5. *acknowledge*, after the transaction is on disk.

What a blocked person sends goes the same way, so that sessions stay whole, but its content is
dropped in step 4: it is not stored, answered, nor said. So is what a stranger sends beyond the room
of a request; one stranger too many is refused in step 3 (`vault.requests`).

What fails in 2-4 becomes a line in the conversation, is remembered and acknowledged, so that no
message stalls the ones behind it.
"""

import hashlib
import logging

import apsw
from msgspec import Struct

from secure_chat.bugs import described
from secure_chat.client import content
from secure_chat.client.engine.contents import Contents
from secure_chat.client.engine.context import Context
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.said import Said
from secure_chat.client.vault import contacts, habits, history, identity, keys, requests
from secure_chat.client.vault.contacts import Contact, Identity
from secure_chat.client.vault.keys import SessionName, VaultPrekeys
from secure_chat.crypto.peer import InitialSender, Opened, PeerSessions, read_initial
from secure_chat.errors import (
    BadAddress,
    BadEncoding,
    LocalError,
    OwnMessage,
    PeerError,
    Reason,
    RequestFull,
    ReusedDeliveryId,
    SecureChatError,
    SenderDiffers,
    SenderUnknown,
    SessionLost,
    TooManyRequests,
    Unreadable,
)
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import DeviceAddress, UserId
from secure_chat.protocol.messages import Ack, Delivery

_log = logging.getLogger(__name__)

UNREADABLE = "unreadable"
REQUEST_FULL = "{user_id} sent more than is kept before you accept: the rest is not here."
_SOMEBODY = Reason("somebody")
_FULL = "request-full"
_QUIET_SECONDS = float(limits.HOUR)  # between two words about strangers who are not heard


class _Open(Struct, frozen=True):
    """An opened message with the sessions that opened it."""

    name: SessionName
    sessions: PeerSessions
    opened: Opened


class Inbox:
    """Takes in deliveries, in the order in which they come."""

    def __init__(self, context: Context, trust: TrustKeeper, contents: Contents) -> None:
        self._context = context
        self._trust = trust
        self._contents = contents
        self._to_acknowledge = 0
        self._quiet_until = 0.0

    def deliver(self, delivery: Delivery, body: bytes) -> None:
        """Handle one delivery; it is acknowledged by the next `acknowledge`."""
        digest = hashlib.sha256(body).digest()
        known = self._deduplicate(delivery, digest)
        if known is None:
            self._handle(delivery, body, digest)
        elif known != digest:
            self._context.problem(ReusedDeliveryId(), _stamped_user(delivery))
        self._to_acknowledge = max(self._to_acknowledge, delivery.seq)

    def acknowledge(self) -> None:
        """Tell the server how far the vault has everything: once for all that came together."""
        if self._to_acknowledge:
            self._context.send(Ack(self._to_acknowledge))
            self._to_acknowledge = 0

    def disconnected(self) -> None:
        """Sequences of the old connection come again."""
        self._to_acknowledge = 0

    # ------------------------------------------------------------ the steps

    def _deduplicate(self, delivery: Delivery, digest: bytes) -> bytes | None:
        """The digest under which this delivery id is known."""
        with self._context.vault.read() as db:
            known = keys.was_seen(db, delivery.id)
        if known == digest and delivery.seq:
            # Seen before, perhaps under another sequence: that one is safe here as well.
            with self._context.vault.write() as db:
                identity.set_acked(db, delivery.seq)
        return known

    def _handle(self, delivery: Delivery, body: bytes, digest: bytes) -> None:
        try:
            with self._context.transaction() as db:
                self._remember(db, delivery, digest)
                opened = self._open(db, delivery, body)
                self._take_in(db, opened, live=not delivery.seq)
        except PeerError as wrong:
            self._refuse(delivery, digest, wrong)
        except LocalError:
            raise  # the vault: nothing is remembered, and the server keeps the message
        except Exception as bug:
            # A mistake of this program must not make one message stop all that follow.
            _log.error("a message could not be handled: %s", described(bug))
            self._refuse(
                delivery,
                digest,
                BadEncoding(what=Reason("message ({kind})", kind=type(bug).__name__)),
            )

    def _open(self, db: apsw.Connection, delivery: Delivery, body: bytes) -> _Open:
        stamped = _stamp(delivery)
        if stamped is not None and stamped.user_id == self._context.user_id:
            raise OwnMessage
        initial = read_initial(body)
        if initial is None:
            found = self._open_with_known(db, stamped, body)
        else:
            _must_agree(stamped, initial.address)
            found = self._open_initial(db, initial, body)
        _must_agree(stamped, found.name.address)
        return found

    def _open_initial(self, db: apsw.Connection, initial: InitialSender, body: bytes) -> _Open:
        """The sender is known by its manifest; that it holds the keys shows when it opens."""
        context = self._context
        _must_have_room(db, initial)
        name = SessionName(initial.address, initial.account_key)
        sessions = context.sessions(db, name)
        if sessions is None or not sessions.peer.same_keys(initial.peer):
            sessions = PeerSessions(context.our, initial.peer)
        opened = sessions.open(body, VaultPrekeys(db), context.now_ms)
        told = Identity(initial.account_key, initial.manifest_bytes, initial.manifest.counter)
        self._trust.learn(db, initial.address.user_id, told, by_device=initial.peer.entry)
        return _Open(name, sessions, opened)

    def _open_with_known(
        self, db: apsw.Connection, stamped: DeviceAddress | None, body: bytes
    ) -> _Open:
        """Sessions are found by their keys: the stamped sender's are tried first, then all."""
        context = self._context
        first = None if stamped is None else stamped.user_id
        reason: PeerError | None = None
        for name in keys.session_names(db, first):
            sessions = context.sessions(db, name)
            if sessions is None or not self._is_current(db, name):
                continue
            try:
                opened = sessions.open(body, VaultPrekeys(db), context.now_ms)
            except PeerError as wrong:
                # The first refusal is the stamped sender's: the one that says most.
                reason = reason or wrong
                continue
            return _Open(name, sessions, opened)
        if reason is not None and first is not None:
            raise reason
        raise SenderUnknown(claimed=first or _SOMEBODY)

    def _is_current(self, db: apsw.Connection, name: SessionName) -> bool:
        contact = contacts.get(db, name.address.user_id)
        return name.account_key in _accepted_keys(contact)

    def _take_in(self, db: apsw.Connection, found: _Open, *, live: bool) -> None:
        context, opened = self._context, found.opened
        taken = _decoded(opened.content)
        if isinstance(taken, content.Content) and isinstance(taken.payload, content.Turn):
            found.sessions.opened_a_turn(opened.session_id)
        context.store_sessions(db, found.name, found.sessions)
        for used in (opened.used_one_time, opened.used_kem):
            if used is not None:
                keys.drop_used(db, used)
        user_id = found.name.address.user_id
        if habits.is_blocked(db, user_id):
            self._contents.drop(db, found.name, taken)
            return
        if not _is_withdrawal(taken) and requests.is_full(db, user_id, len(opened.content)):
            self._contents.drop(db, found.name, taken)
            self._say_full(db, user_id)
            return
        if isinstance(taken, BadEncoding):
            # It was the contact's own words, so the ratchet has moved on; only the content is bad.
            self._say_unreadable(db, user_id, taken)
        else:
            self._contents.take_in(db, found.name, taken, live=live)
        if opened.outranked:
            self._contents.start_again(user_id)
        if found.sessions.wants_turn(context.now_ms):
            self._contents.wants_turn(db, user_id)

    def _remember(self, db: apsw.Connection, delivery: Delivery, digest: bytes) -> None:
        keys.mark_seen(db, delivery.id, digest, self._context.now_ms)
        identity.set_acked(db, delivery.seq)

    def _refuse(self, delivery: Delivery, digest: bytes, wrong: PeerError) -> None:
        """The message is skipped, with a line that says so."""
        user_id = _stamped_user(delivery)
        with self._context.transaction() as db:
            self._remember(db, delivery, digest)
            if user_id is not None and habits.is_blocked(db, user_id):
                return
            self._say_unreadable(db, user_id, wrong)
        if user_id is not None and isinstance(wrong, _SESSION_LOST):
            self._contents.could_not_read(user_id)

    def _say_unreadable(
        self, db: apsw.Connection, user_id: UserId | None, wrong: PeerError
    ) -> None:
        if isinstance(wrong, RequestFull | TooManyRequests):
            self._say_quietly(wrong)
            return
        if user_id is not None and requests.is_full(db, user_id):
            self._say_quietly(RequestFull(user_id=user_id))
            return
        if user_id is not None and requests.is_one_too_many(db, user_id):
            self._say_quietly(TooManyRequests(user_id=user_id))
            return
        error: SecureChatError = wrong
        if not isinstance(wrong, SenderDiffers | OwnMessage | SenderUnknown):
            error = Unreadable(sender=user_id or _SOMEBODY, reason=wrong)
        if user_id is not None and user_id != self._context.user_id:
            kind = f"{UNREADABLE} {type(wrong).__name__}"
            self._trust.notice(db, user_id, kind, Said.of(error))
        self._context.problem(error, user_id)

    def _say_full(self, db: apsw.Connection, user_id: UserId) -> None:
        """Once: a line where the rest would stand, and a word now."""
        if not history.has_notice(db, user_id, _FULL):
            self._trust.notice(db, user_id, _FULL, Said(REQUEST_FULL, user_id=user_id))
            self._context.problem(RequestFull(user_id=user_id), user_id)

    def _say_quietly(self, wrong: RequestFull | TooManyRequests) -> None:
        """Not each time: strangers can write as often as they like."""
        if self._context.now >= self._quiet_until:
            self._quiet_until = self._context.now + _QUIET_SECONDS
            self._context.problem(wrong)


_SESSION_LOST = (SessionLost, SenderUnknown)
"""Refusals that another session would heal."""


def _decoded(data: bytes) -> content.Content | BadEncoding:
    try:
        return content.decode(data)
    except BadEncoding as wrong:
        return wrong


def _must_have_room(db: apsw.Connection, initial: InitialSender) -> None:
    """Nothing is kept of one stranger too many, nor of more keys of one who sent enough."""
    user_id = initial.address.user_id
    if requests.is_one_too_many(db, user_id):
        raise TooManyRequests(user_id=user_id)
    known = _accepted_keys(contacts.get(db, user_id))
    if initial.account_key not in known and requests.is_full(db, user_id):
        raise RequestFull(user_id=user_id)


def _is_withdrawal(taken: content.Content | BadEncoding) -> bool:
    """Whether it takes a message back: that is heard of anybody."""
    return isinstance(taken, content.Content) and isinstance(taken.payload, content.Delete)


def _accepted_keys(contact: Contact) -> set[bytes]:
    """Under which keys a contact's messages are read: an announced change is read, and said."""
    return {i.account_key for i in (contact.identity, contact.pending) if i is not None}


def _stamp(delivery: Delivery) -> DeviceAddress | None:
    return None if delivery.sender is None else DeviceAddress.parse(delivery.sender)


def _stamped_user(delivery: Delivery) -> UserId | None:
    try:
        stamped = _stamp(delivery)
    except BadAddress:
        return None
    return None if stamped is None else stamped.user_id


def _must_agree(stamped: DeviceAddress | None, proven: DeviceAddress) -> None:
    if stamped is not None and stamped != proven:
        raise SenderDiffers(claimed=stamped, proven=proven)
