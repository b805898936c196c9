"""What a person does about keys: compare, scan, open a contact link, decide on a changed one.

A verified contact is one whose key a person has seen over another way than this server: as digits,
as a QR code, or in a contact link that came over a way they trust (PROTOCOL.md 9).
"""

import unicodedata

import apsw
import msgspec

from secure_chat.client.engine.intents import Intents, now_ms
from secure_chat.client.engine.trust import accept_pending, released
from secure_chat.client.engine.wants import Decided, WantsKey
from secure_chat.client.events import (
    ConversationChanged,
    Event,
    KeyEvent,
    KeyFact,
    Means,
    MessageAdded,
    MessageChanged,
    Safety,
)
from secure_chat.client.profile import Profile
from secure_chat.client.said import Said
from secure_chat.client.vault import contacts, history, key_history, keys, outbox, talk
from secure_chat.client.vault.contacts import Contact, Identity
from secure_chat.crypto.fingerprint import (
    Side,
    account_fingerprint,
    check_qr,
    qr_content,
    safety_number,
)
from secure_chat.errors import (
    ContactLinkDiffers,
    ContactLinkElsewhere,
    KeyUnknown,
    QrCodeDiffers,
    SafetyNumberDiffers,
)
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.invite import ContactLink
from secure_chat.protocol.wiretypes import AccountKey, ServerId

LINK_DIFFERS = "A contact link named another key for {user_id}. It was not taken over."


class TrustIntents(Intents):
    """The part of the engine that knows whom to believe."""

    _profile: Profile

    # ------------------------------------------------------------ what is known

    def safety(self, user_id: UserId) -> Safety | None:
        """Fingerprints and safety number, once the contact's key is known.

        Of a contact whose key has changed it shows the new key, the one to decide on.
        """
        with self._vault.read() as db:
            contact = contacts.get(db, canonical_user_id(user_id))
            verified = 0 if contact.pending is not None else contact.verified
            means = key_history.verified_by(db, contact.user_id) if verified else None
        if contact.shown is None or contact.trust is None:
            return None
        return Safety(
            user_id=contact.user_id,
            our_fingerprint=self.our_fingerprint,
            their_fingerprint=account_fingerprint(contact.shown.account_key),
            safety_number=self._safety_number(contact),
            trust=contact.trust,
            first_seen=contact.first_seen,
            changed=contact.changed,
            verified=verified,
            verified_by=means,
        )

    def key_history(self, user_id: UserId) -> list[KeyEvent]:
        """What happened to a contact's key, the first moment first."""
        with self._vault.read() as db:
            return key_history.of(db, canonical_user_id(user_id))

    def qr_content(self, user_id: UserId) -> str:
        """The digits of the QR code that a contact scans from our screen. Raises `KeyUnknown`."""
        other = self._other(user_id)
        with self._vault.read() as db:
            ours, theirs, server_id = self._sides(contacts.get(db, other))
        return qr_content(ours, theirs, server_id)

    def contact_link(self) -> ContactLink:
        """The link by which others find and verify us.

        Raises `KeyUnknown` before the first connection, which makes our keys.
        """
        our, our_key, server_id = self._ourselves()
        return ContactLink(self._profile.link.server, server_id, our, our_key)

    # ------------------------------------------------------------ verifying

    def mark_verified(self, user_id: UserId, safety_number: str) -> None:
        """The person compared this number. Raises `SafetyNumberDiffers`, `KeyUnknown`."""
        other = self._other(user_id)

        def verify(db: apsw.Connection) -> tuple[None, list[Event]]:
            contact = contacts.get(db, other)
            if _digits(safety_number) != "".join(self._safety_number(contact)):
                raise SafetyNumberDiffers(user_id=other)
            return None, self._verified(db, contact, Means.DIGITS)

        self._change(verify)
        self._network.post(Decided(other))

    def verify_qr(self, user_id: UserId, scanned: str) -> None:
        """Their screen showed this QR code. Raises `QrCodeDiffers`, `BadQrCode`, `KeyUnknown`."""
        other = self._other(user_id)

        def verify(db: apsw.Connection) -> tuple[None, list[Event]]:
            contact = contacts.get(db, other)
            ours, theirs, server_id = self._sides(contact)
            if not check_qr("".join(scanned.split()), ours, theirs, server_id):
                raise QrCodeDiffers(user_id=other)
            return None, self._verified(db, contact, Means.QR)

        self._change(verify)
        self._network.post(Decided(other))

    def open_contact_link(self, link: ContactLink, *, verify: bool) -> UserId:
        """Add whom a contact link names; returns their name.

        ``verify``: the link came over a way which the person trusts, so its key is the contact's,
        whatever the server says. Raises `ContactLinkElsewhere`, `NotToYourself`, and
        `ContactLinkDiffers` if another key is known already: then nothing changes.
        """
        other = self._other(link.user_id)
        if link.server_id != self._ourselves()[2]:
            raise ContactLinkElsewhere

        def opened(db: apsw.Connection) -> tuple[bool, list[Event]]:
            contact = contacts.get(db, other)
            if contact.shown is not None and contact.shown.account_key != link.account_key:
                return False, self._doubt(db, contact)
            if not verify:
                return True, []
            if contact.identity is None:
                contact = self._believe(db, contact, link.account_key)
            return True, self._verified(db, contact, Means.LINK)

        agrees = self._change(opened)
        self._network.post(WantsKey(other))
        if not agrees:
            raise ContactLinkDiffers(user_id=other)
        self._network.post(Decided(other))
        return other

    def accept_changed_key(self, user_id: UserId) -> None:
        """The person accepts a changed key; held messages go out to it."""
        other = self._other(user_id)

        def accept(db: apsw.Connection) -> tuple[None, list[Event]]:
            contact = contacts.get(db, other)
            if contact.pending is None:
                return None, []
            self._note(db, contact, KeyFact.ACCEPTED)
            return None, self._accept(db, contact, verified=0)

        self._change(accept)
        self._network.post(Decided(other))

    # ------------------------------------------------------------ inside transactions

    def _verified(self, db: apsw.Connection, contact: Contact, means: Means) -> list[Event]:
        """A person is sure of the key that is shown. Nobody is verified and a stranger."""
        self._note(db, contact, KeyFact.VERIFIED, means)
        if contact.pending is not None:
            events = self._accept(db, contact, verified=now_ms())
        else:
            contacts.put(db, msgspec.structs.replace(contact, verified=now_ms()))
            events = self._standing(db, contact.user_id)
        writer = self._writer(db, contact.user_id)
        writer.admit()
        return [*events, *writer.admitted]

    def _believe(self, db: apsw.Connection, contact: Contact, key: AccountKey) -> Contact:
        """First use of a key that a link names; the server's must be the same when it comes."""
        known = msgspec.structs.replace(contact, identity=Identity(key), first_seen=now_ms())
        contacts.put(db, known)
        outbox.bind(db, contact.user_id, key)
        return known

    def _doubt(self, db: apsw.Connection, contact: Contact) -> list[Event]:
        """A link and this vault disagree: that is kept in sight, and decided by nobody here."""
        self._note(db, contact, KeyFact.DOUBTED)
        writer = self._writer(db, contact.user_id)
        said = Said(LINK_DIFFERS, user_id=contact.user_id)
        line, new = history.add_notice(
            db, contact.user_id, writer.new_id(), "link-differs", said, now_ms()
        )
        return [
            MessageAdded(line) if new else MessageChanged(line),
            ConversationChanged(history.conversation(db, contact.user_id)),
        ]

    def _accept(self, db: apsw.Connection, contact: Contact, *, verified: int) -> list[Event]:
        known = accept_pending(db, contact, verified=verified)
        assert known.identity is not None
        keys.drop_sessions_but(db, known.user_id, known.identity.account_key)
        talk.set_told(db, known.user_id, 0)  # this key has not been told our name
        return [*released(db, known), *self._standing(db, known.user_id)]

    def _note(
        self, db: apsw.Connection, contact: Contact, fact: KeyFact, means: Means | None = None
    ) -> None:
        assert contact.shown is not None
        key = contact.shown.account_key
        key_history.note(db, contact.user_id, key, fact, now_ms(), means)

    # ------------------------------------------------------------ keys

    def _ourselves(self) -> tuple[UserId, AccountKey, ServerId]:
        account = self._core.account
        if account is None:
            raise KeyUnknown(user_id=self._profile.user_id)
        our = account.device
        return our.address.user_id, our.account_key, our.server_id

    def _sides(self, contact: Contact) -> tuple[Side, Side, ServerId]:
        """Our name and key, theirs, and the server's id."""
        if contact.shown is None:
            raise KeyUnknown(user_id=contact.user_id)
        our, our_key, server_id = self._ourselves()
        return (our, our_key), (contact.user_id, contact.shown.account_key), server_id

    def _safety_number(self, contact: Contact) -> tuple[str, ...]:
        return safety_number(*self._sides(contact))


def _digits(typed: str) -> str:
    """The digits of a safety number as somebody typed it, in any script, without the gaps."""
    kept = (one for one in typed if not one.isspace() and one not in "-_\u200c\u200e\u200f")
    return "".join(str(unicodedata.digit(one, "?")) for one in kept)
