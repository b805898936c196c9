"""Sending: one content at a time in each conversation, encrypted once, repeated until accepted.

A conversation waits while one of its messages is on the way, while a question about the other's
keys is open, after a refusal (until the time the server named, or the person's word), and while the
other's key is one that nobody has accepted. Other conversations go on.
"""

from collections.abc import Callable, Iterable

import apsw
from msgspec import Struct

from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.owing import owe_session_lost, owe_turn
from secure_chat.client.engine.sealing import Sealed, seal
from secure_chat.client.engine.trust import BLOCKED, TrustKeeper
from secure_chat.client.events import (
    ChangeSent,
    ConversationChanged,
    MessageChanged,
    MessageState,
)
from secure_chat.client.said import Said
from secure_chat.client.vault import contacts, habits, history, outbox, talk
from secure_chat.client.vault.contacts import Contact, Identity
from secure_chat.client.vault.keys import SessionName
from secure_chat.client.vault.outbox import Owed
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.prekeys import Bundle, check_bundle
from secure_chat.errors import CODES, Code, Refused, SecureChatError
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.messages import Error, Keys, KeysGet, Manifest, ManifestGet, Pm
from secure_chat.protocol.wiretypes import DeliveryId

_FIRST_WAIT = 5.0
_LONGEST_WAIT = 300.0


class _Lane:
    """Where one conversation's outbox stands on this connection."""

    def __init__(self) -> None:
        self.on_the_way: set[DeliveryId] = set()
        self.asking = False
        self.looked = False  # whether the key was asked for since they came
        self.halted: SecureChatError | None = None
        self.retry_at: float | None = None
        self.wait = _FIRST_WAIT

    @property
    def busy(self) -> bool:
        return bool(self.on_the_way) or self.asking

    def go_on(self) -> None:
        self.halted = None
        self.retry_at = None


class _Rebuild(Struct):
    """Devices that another session is to be set up with, and whether the old ones are lost."""

    devices: set[DeviceName]
    lost: bool


class Outbox:
    """Moves what the vault says we owe to the server."""

    def __init__(self, context: Context, requests: Requests, trust: TrustKeeper) -> None:
        self._context = context
        self._requests = requests
        self._trust = trust
        self._lanes: dict[UserId, _Lane] = {}
        self._on_the_way: dict[DeliveryId, UserId] = {}
        self._keys_wanted: set[UserId] = set()  # a person looks at them, and no answer has come
        self._rebuilding: dict[UserId, _Rebuild] = {}

    # ------------------------------------------------------------ when to look

    def pump_all(self) -> None:
        """Everything that waits may try."""
        with self._context.vault.read() as db:
            waiting = outbox.users_waiting(db)
        for user_id in waiting:
            self.pump(user_id)
        for user_id in self._keys_wanted:
            self.fetch_manifest(user_id)

    def written(self, user_id: UserId) -> None:
        """The person wrote something: it goes out, or says why not yet."""
        lane = self._lane(user_id)
        if lane.halted is not None and lane.retry_at is not None:
            self._show_halt(user_id, lane.halted)
        else:
            self.retry(user_id)

    def retry(self, user_id: UserId) -> None:
        """The person asks for another try."""
        self._lane(user_id).go_on()
        self.pump(user_id)

    def tick(self) -> None:
        """Conversations whose time has come try again."""
        for user_id, lane in list(self._lanes.items()):
            if lane.retry_at is not None and lane.retry_at <= self._context.now:
                lane.go_on()
                self.pump(user_id)

    @property
    def next_retry(self) -> float | None:
        """When `tick` has something to do."""
        return min(
            (lane.retry_at for lane in self._lanes.values() if lane.retry_at is not None),
            default=None,
        )

    def disconnected(self) -> None:
        """All that was on the way is repeated on the next connection."""
        self._lanes.clear()
        self._on_the_way.clear()

    def pump(self, user_id: UserId) -> None:
        """Send what comes next in a conversation, if anything does and nothing forbids it."""
        lane = self._lane(user_id)
        context = self._context
        if not context.ready or lane.busy or lane.halted is not None:
            return
        if self._rebuild_next(user_id):
            return
        with context.transaction() as db:
            contact = contacts.get(db, user_id)
            owed = outbox.first_waiting(db, user_id)
            if owed is None:
                return
            if habits.is_blocked(db, user_id):
                self._trust.hold(db, user_id, BLOCKED)
                return
            if not _meant_for(owed, contact):
                self._trust.hold(db, user_id)
                return
            identity = contact.identity
            known = identity is not None and not identity.is_bare and lane.looked
            sealed = seal(context, db, owed, identity) if identity is not None and known else None
        if sealed is None:
            self._look(user_id, lane)
        elif sealed.missing is not None:
            self._fetch_keys(DeviceAddress(user_id, sealed.missing))
        else:
            self._send(user_id, sealed)

    # ------------------------------------------------------------ sending

    def _send(self, user_id: UserId, sealed: Sealed) -> None:
        lane = self._lane(user_id)
        for copy in sealed.copies:
            lane.on_the_way.add(copy.delivery_id)
            self._on_the_way[copy.delivery_id] = user_id
            to = str(DeviceAddress(user_id, DeviceName(copy.device)))
            self._context.send(Pm(copy.delivery_id, to, sealed.counter), copy.body)

    # ------------------------------------------------------------ what the server says of it

    def accepted(self, delivery_id: DeliveryId) -> None:
        """A copy is on the server's disk, or with the recipient's device."""
        user_id = self._arrived(delivery_id)
        context = self._context
        with context.transaction() as db:
            owed = outbox.find(db, delivery_id)
            if owed is not None and outbox.copy_accepted(db, owed, delivery_id, context.now_ms):
                self._show(db, owed, MessageState.ACCEPTED)
        if user_id is not None:
            self._lane(user_id).wait = _FIRST_WAIT
            self.pump(user_id)

    def refused(self, error: Error) -> None:
        """A copy was not taken: only this conversation stops, and says why."""
        assert error.id is not None
        user_id = self._arrived(error.id)
        if user_id is None:
            return
        refusal = Refused(error.code, error.message, error.retry_after)
        if error.code is Code.DEVICES_CHANGED:
            with self._context.vault.read() as db:
                identity = contacts.get(db, user_id).identity
            self.fetch_manifest(user_id, above=identity.counter if identity is not None else 0)
            return
        if error.code is Code.DUPLICATE_ID:
            with self._context.transaction() as db:
                outbox.drop_copy(db, error.id)  # another try needs another id
        self._halt(user_id, refusal)

    def _arrived(self, delivery_id: DeliveryId) -> UserId | None:
        user_id = self._on_the_way.pop(delivery_id, None)
        if user_id is not None:
            self._lane(user_id).on_the_way.discard(delivery_id)
        return user_id

    def _halt(self, user_id: UserId, error: SecureChatError) -> None:
        lane, context = self._lane(user_id), self._context
        lane.halted = error
        final = isinstance(error, Refused) and not CODES[error.code].retry
        if not final:
            asked = error.retry_after if isinstance(error, Refused) else None
            lane.retry_at = context.now + (asked or lane.wait)
            lane.wait = min(lane.wait * 2, _LONGEST_WAIT)
        with context.transaction() as db:
            owed = outbox.first_waiting(db, user_id)
            if owed is not None and not owed.is_kept and final:
                outbox.drop(db, owed.number)  # a receipt that can never arrive
        self._show_halt(user_id, error)
        context.problem(error, user_id)

    def _show_halt(self, user_id: UserId, error: SecureChatError) -> None:
        """Every text that waits says what it waits for."""
        with self._context.transaction() as db:
            for owed in outbox.waiting(db, user_id):
                self._show(db, owed, MessageState.HELD, Said.of(error))

    def _show(
        self, db: apsw.Connection, owed: Owed, state: MessageState, problem: str = ""
    ) -> None:
        if not owed.is_text:
            if owed.is_kept:
                event = ChangeSent(owed.user_id, owed.content_id, state, problem)
                self._context.emit(event)
            return
        if state is MessageState.ACCEPTED:
            talk.start_timer(db, owed.user_id, owed.content_id, self._context.now_ms)
        waiting = (MessageState.WAITING, MessageState.HELD)
        changed = history.set_state(
            db, owed.user_id, owed.content_id, state, problem, only_from=waiting
        )
        if changed is not None:
            self._context.emit(MessageChanged(changed))
            self._context.emit(ConversationChanged(history.conversation(db, owed.user_id)))

    # ------------------------------------------------------------ the other's keys

    def wants_key(self, user_id: UserId) -> None:
        """A person wants to know whose key it is: ask now, or with the next connection."""
        self._keys_wanted.add(user_id)
        self.fetch_manifest(user_id)

    def fetch_manifest(
        self, user_id: UserId, above: int = 0, passed: Identity | None = None
    ) -> None:
        """Ask whose key and which devices; ``above``: a counter that the answer must exceed.

        ``passed``: whose older manifest may come, from a server that was restored; it says nothing.
        """
        lane = self._lane(user_id)
        if lane.asking or not self._context.online:
            return
        lane.asking = True

        def answered(answer: Manifest) -> None:
            lane.asking = False
            self._keys_wanted.discard(user_id)
            self._guarded(user_id, lambda: self._learn(user_id, answer, above, passed))

        self._requests.ask(
            lambda ref: ManifestGet(ref, user_id), Manifest, answered, self._asked(user_id, lane)
        )

    def _look(self, user_id: UserId, lane: _Lane) -> None:
        """See whose name it is now: an operator may have freed it, and who has it reads nothing."""
        lane.looked = True
        with self._context.vault.read() as db:
            self.fetch_manifest(user_id, passed=contacts.get(db, user_id).identity)

    def came(self, names: Iterable[str]) -> None:
        """Somebody came online, and may be another one than before."""
        for name in names:
            if name in self._lanes:
                self._lanes[UserId(name)].looked = False

    def _learn(
        self, user_id: UserId, answer: Manifest, above: int, passed: Identity | None
    ) -> None:
        told = self._trust.check(user_id, answer)
        if passed and told.account_key == passed.account_key and told.counter < passed.counter:
            return
        with self._context.transaction() as db:
            self._trust.learn(db, user_id, told)
        if told.counter <= above:
            raise Refused(Code.DEVICES_CHANGED)

    def rebuild(self, user_id: UserId, *, lost: bool = False) -> None:
        """Set up another session with each device of a contact.

        ``lost``: the contact's messages do not open, so it is asked for what is missing.
        """
        with self._context.vault.read() as db:
            identity = contacts.get(db, user_id).identity
        devices = () if identity is None or identity.is_bare else identity.manifest.devices
        known = self._rebuilding.get(user_id)
        self._rebuilding[user_id] = _Rebuild(
            {entry.name for entry in devices}, lost or (known is not None and known.lost)
        )
        self.pump(user_id)

    def _rebuild_next(self, user_id: UserId) -> bool:
        """Ask for the next device's keys; at the end say so, on the new sessions."""
        rebuild = self._rebuilding.get(user_id)
        if rebuild is None:
            return False
        if rebuild.devices:
            self._fetch_keys(DeviceAddress(user_id, min(rebuild.devices)))
            return True
        del self._rebuilding[user_id]
        with self._context.transaction() as db:
            contact = contacts.get(db, user_id)
            if contact.identity is not None and rebuild.lost:
                owe_session_lost(self._context, db, contact)
            elif contact.identity is not None and outbox.first_waiting(db, user_id) is None:
                owe_turn(self._context, db, contact)
        return False

    def _fetch_keys(self, address: DeviceAddress) -> None:
        """Claim a bundle of a device and start a session with it."""
        lane = self._lane(address.user_id)
        lane.asking = True

        def answered(answer: Keys) -> None:
            lane.asking = False
            self._guarded(address.user_id, lambda: self._start(address, answer))

        self._requests.ask(
            lambda ref: KeysGet(ref, str(address)),
            Keys,
            answered,
            self._asked(address.user_id, lane),
        )

    def _start(self, address: DeviceAddress, answer: Keys) -> None:
        context = self._context
        bundle = check_bundle(answer, address, context.our.server_id, context.now_ms)
        counter = bundle.peer.manifest_counter
        told = Identity(answer.account_key, answer.manifest, counter)
        with context.transaction() as db:
            contact = self._trust.learn(db, address.user_id, told)
            if not _is_of(contact, bundle):
                self._rebuilding.pop(address.user_id, None)
                return
            name = SessionName(address, bundle.peer.account_key)
            sessions = context.sessions(db, name)
            if sessions is None or not sessions.peer.same_keys(bundle.peer):
                sessions = PeerSessions(context.our, bundle.peer)
            # A contact that knew a session of ours must prefer this one to it.
            anew = contact.rebuilt > 0
            sessions.start(bundle, context.now_ms, context.random, anew=anew)
            context.store_sessions(db, name, sessions)
        if address.user_id in self._rebuilding:
            self._rebuilding[address.user_id].devices.discard(address.device)

    def _asked(self, user_id: UserId, lane: _Lane) -> Callable[[Refused], None]:
        def refused(refusal: Refused) -> None:
            lane.asking = False
            self._keys_wanted.discard(user_id)
            self._halt(user_id, refusal)

        return refused

    def _guarded(self, user_id: UserId, step: Callable[[], None]) -> None:
        """Take a step; what is wrong with the other's keys stops the conversation, visibly."""
        try:
            step()
        except SecureChatError as wrong:
            self._halt(user_id, wrong)
        else:
            self.pump(user_id)

    def _lane(self, user_id: UserId) -> _Lane:
        return self._lanes.setdefault(user_id, _Lane())


def _meant_for(owed: Owed, contact: Contact) -> bool:
    """Whether a content may be encrypted to the key that its contact has now."""
    if contact.pending is not None:
        return False
    identity = contact.identity
    return identity is None or owed.account_key in {None, identity.account_key}


def _is_of(contact: Contact, bundle: Bundle) -> bool:
    """Whether a bundle belongs to the identity that we encrypt to."""
    known = contact.identity
    return (
        contact.pending is None
        and known is not None
        and known.account_key == bundle.peer.account_key
    )
