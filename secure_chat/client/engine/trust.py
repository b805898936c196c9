"""Who somebody is: first use, the newest manifest, and what happens when the key is another one.

The rules, all of them enforced in `learn`:

* The first account key of a contact is taken as it comes (*new*), until people compare.
* A manifest under the known key may only have a higher counter, and must follow the one before.
* Another account key is never taken by itself. It waits beside the known one (*changed*), is
  announced, and nothing is encrypted to either until the person decides.
"""

import apsw
import msgspec

from secure_chat.client.engine.context import Context
from secure_chat.client.events import (
    ChangeSent,
    ConversationChanged,
    KeyChanged,
    KeyFact,
    MessageAdded,
    MessageChanged,
    MessageState,
    PeopleChanged,
)
from secure_chat.client.said import Said
from secure_chat.client.vault import contacts, history, key_history, outbox
from secure_chat.client.vault.contacts import Contact, Identity
from secure_chat.crypto.verify import check_manifest, check_successor
from secure_chat.errors import ManifestFork, ManifestRollback, OwnMessage
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.manifest import DeviceEntry, decode_manifest
from secure_chat.protocol.messages import Manifest

KEY_CHANGED = "The key of {user_id} is not the one known before."
KEY_BACK = "The key of {user_id} is the one known before again."
HELD = "The key of {user_id} has changed. Compare the safety number, or accept the new key."
BLOCKED = "You have blocked {user_id}: nothing is sent."


class TrustKeeper:
    """Applies the rules above, inside the caller's transaction."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.online: set[UserId] = set()  # who is here; kept by `Roster`
        self.met = False  # somebody became a contact; `Roster` looks at it

    def check(self, user_id: UserId, answer: Manifest) -> Identity:
        """The identity in the server's answer, verified. Raises as `check_manifest`."""
        manifest = check_manifest(
            answer.account_key,
            answer.manifest,
            answer.manifest_signature,
            user_id=user_id,
            server_id=self._context.our.server_id,
        )
        return Identity(answer.account_key, answer.manifest, manifest.counter)

    def learn(
        self,
        db: apsw.Connection,
        user_id: UserId,
        told: Identity,
        *,
        by_device: DeviceEntry | None = None,
    ) -> Contact:
        """Take in a verified identity; raises `ManifestRollback`, `ManifestFork`, `OwnMessage`.

        ``by_device``: it came inside a message of this device, which may have been under way for
        long. Without it the server names the identity now.
        """
        if user_id == self._context.user_id or told.account_key == self._context.our.account_key:
            raise OwnMessage
        contact = contacts.get(db, user_id)
        if contact.identity is None:
            return self._first_use(db, contact, told)
        if told.account_key == contact.identity.account_key:
            known = msgspec.structs.replace(
                contact, identity=_newer(contact.identity, told, by_device)
            )
            if contact.pending is not None and by_device is None:
                return self._came_back(db, known)
            contacts.put(db, known)
            return known
        if contact.pending is not None and told.account_key == contact.pending.account_key:
            known = msgspec.structs.replace(
                contact, pending=_newer(contact.pending, told, by_device)
            )
            contacts.put(db, known)
            return known
        return self._changed(db, contact, told)

    def hold(self, db: apsw.Connection, user_id: UserId, because: str = HELD) -> None:
        """Say of everything that waits for a contact why it waits."""
        for owed in outbox.waiting(db, user_id):
            why = Said(because, user_id=user_id)
            if owed.is_kept and not owed.is_text:
                held_back = ChangeSent(user_id, owed.content_id, MessageState.HELD, why)
                self._context.emit(held_back)
            if owed.is_text:
                held = history.set_state(
                    db,
                    user_id,
                    owed.content_id,
                    MessageState.HELD,
                    why,
                    only_from=(MessageState.WAITING, MessageState.HELD),
                )
                if held is not None:
                    self._context.emit(MessageChanged(held))

    def notice(self, db: apsw.Connection, user_id: UserId, kind: str, text: str) -> None:
        """A line of our own in a conversation."""
        context = self._context
        line, new = history.add_notice(
            db, user_id, context.new_content_id(), kind, text, context.now_ms
        )
        context.emit(MessageAdded(line) if new else MessageChanged(line))
        context.emit(ConversationChanged(history.conversation(db, user_id)))

    def announce(self, db: apsw.Connection, contact: Contact) -> None:
        """Tell the faces how a contact stands now."""
        user_id = contact.user_id
        person = history.person(db, user_id, online=user_id in self.online)
        self._context.emit(PeopleChanged((person,)))
        self._context.emit(ConversationChanged(history.conversation(db, user_id)))

    def _first_use(self, db: apsw.Connection, contact: Contact, told: Identity) -> Contact:
        known = msgspec.structs.replace(contact, identity=told, first_seen=self._context.now_ms)
        contacts.put(db, known)
        outbox.bind(db, known.user_id, told.account_key)
        self.met = True
        self._note(db, contact.user_id, told, KeyFact.SEEN)
        self.announce(db, known)
        return known

    def _came_back(self, db: apsw.Connection, contact: Contact) -> Contact:
        known = msgspec.structs.replace(contact, pending=None)
        contacts.put(db, known)
        if known.identity is not None:
            self._note(db, contact.user_id, known.identity, KeyFact.BACK)
        release(self._context, db, known)
        user_id = known.user_id
        self.notice(db, user_id, "key-back", Said(KEY_BACK, user_id=user_id))
        self.announce(db, known)
        return known

    def _changed(self, db: apsw.Connection, contact: Contact, told: Identity) -> Contact:
        context = self._context
        known = msgspec.structs.replace(contact, pending=told, changed=context.now_ms)
        contacts.put(db, known)
        user_id = known.user_id
        self._note(db, user_id, told, KeyFact.CHANGED)
        context.emit(KeyChanged(user_id, was_verified=contact.verified > 0))
        self.notice(db, user_id, "key-changed", Said(KEY_CHANGED, user_id=user_id))
        self.hold(db, user_id)
        self.announce(db, known)
        return known

    def _note(
        self, db: apsw.Connection, user_id: UserId, identity: Identity, fact: KeyFact
    ) -> None:
        key_history.note(db, user_id, identity.account_key, fact, self._context.now_ms)


def release(context: Context, db: apsw.Connection, contact: Contact) -> None:
    """What was held may go out again."""
    for changed in released(db, contact):
        context.emit(changed)


def released(db: apsw.Connection, contact: Contact) -> list[MessageChanged]:
    """Move what was held for a contact back to waiting."""
    moved = (
        history.set_state(
            db,
            contact.user_id,
            owed.content_id,
            MessageState.WAITING,
            only_from=(MessageState.HELD,),
        )
        for owed in outbox.waiting(db, contact.user_id)
    )
    return [MessageChanged(message) for message in moved if message is not None]


def accept_pending(db: apsw.Connection, contact: Contact, *, verified: int) -> Contact:
    """The person takes the other key: from now on it is the contact's, and gets what waited."""
    assert contact.pending is not None
    known = msgspec.structs.replace(
        contact, identity=contact.pending, pending=None, verified=verified
    )
    contacts.put(db, known)
    outbox.readdress(db, contact.user_id, contact.pending.account_key)
    return known


def _newer(known: Identity, told: Identity, by_device: DeviceEntry | None) -> Identity:
    """The newer of two manifests under one account key. Raises a `ManifestConflict`.

    An older one is good enough for a message of a device that the newest manifest still lists.
    """
    if known.is_bare:
        return told
    facts = {"counter": told.counter, "known": known.counter}
    if told.counter < known.counter:
        if by_device is not None and known.manifest.device(by_device.name) == by_device:
            return known
        raise ManifestRollback(**facts)
    if told.counter == known.counter:
        if told.manifest_bytes != known.manifest_bytes:
            raise ManifestFork(**facts)
        return known
    if told.counter == known.counter + 1:
        check_successor(known.manifest, known.manifest_bytes, decode_manifest(told.manifest_bytes))
    return told
