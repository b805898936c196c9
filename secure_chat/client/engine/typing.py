"""Who is writing: transient messages that are never stored, asked for nor answered.

A lost one costs the ratchet a skipped key, so their number is bounded until the other answers.
"""

import apsw
from msgspec import Struct

from secure_chat.client.content import Content, Type, Typing, assemble, encode_payload
from secure_chat.client.engine.context import Context
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.events import Audience, Trust, TypingChanged
from secure_chat.client.vault import contacts, talk
from secure_chat.client.vault.contacts import Contact
from secure_chat.client.vault.keys import SessionName
from secure_chat.protocol.addresses import DeviceAddress, UserId
from secure_chat.protocol.messages import Pm
from secure_chat.protocol.wiretypes import DeliveryId

SHOWN_SECONDS = 12.0
AGAIN_SECONDS = 5.0
UNANSWERED = 50
_NEVER = float("inf")


class _Ours(Struct):
    """What we told somebody."""

    active: bool = False
    at: float = 0.0
    unanswered: int = 0


class TypingKeeper:
    """Tells others that we write, and the faces that others do."""

    def __init__(self, context: Context, trust: TrustKeeper) -> None:
        self._context = context
        self._trust = trust
        self._shown: dict[UserId, float] = {}  # until when
        self._ours: dict[UserId, _Ours] = {}

    # ------------------------------------------------------------ theirs

    def show(self, user_id: UserId, *, active: bool) -> None:
        """They said so."""
        if active:
            self._shown[user_id] = self._context.now + SHOWN_SECONDS
            self._context.emit(TypingChanged(user_id, active=True))
        else:
            self.ended(user_id)

    def ended(self, user_id: UserId) -> None:
        """They stopped, sent it, or were not heard again."""
        if self._shown.pop(user_id, None) is not None:
            self._context.emit(TypingChanged(user_id, active=False))

    def heard(self, user_id: UserId) -> None:
        """They answered something: what we sent was not in vain."""
        if user_id in self._ours:
            self._ours[user_id].unanswered = 0

    @property
    def due(self) -> float:
        """When `tick` has something to do; monotonic seconds."""
        return min(self._shown.values(), default=_NEVER)

    def tick(self) -> None:
        """Whoever has not been heard again has stopped."""
        for user_id, until in list(self._shown.items()):
            if until <= self._context.now:
                self.ended(user_id)

    def disconnected(self) -> None:
        """Nobody is seen writing any more."""
        for user_id in list(self._shown):
            self.ended(user_id)
        self._ours.clear()

    # ------------------------------------------------------------ ours

    def tell(self, user_id: UserId, *, active: bool) -> None:
        """Send it, unless that would say too much, or too often."""
        context, ours = self._context, self._ours.setdefault(user_id, _Ours())
        again = active == ours.active
        if again and (not active or context.now < ours.at + AGAIN_SECONDS):
            return
        if not context.ready or user_id not in self._trust.online or ours.unanswered >= UNANSWERED:
            return
        with context.transaction() as db:
            contact = contacts.get(db, user_id)
            if not may_know(talk.privacy(db).typing, contact):
                return
            sent = self._seal(db, contact, active=active)
        if sent:
            ours.active, ours.at = active, context.now
            ours.unanswered += 1
        for message, body in sent:
            context.send(message, body)

    def _seal(
        self, db: apsw.Connection, contact: Contact, *, active: bool
    ) -> list[tuple[Pm, bytes]]:
        """One for each device that we have a session with; none is set up for this."""
        context, identity = self._context, contact.identity
        assert identity is not None
        if identity.is_bare:
            return []
        payload = Typing(active)
        head = Content(
            context.new_content_id(), context.now_ms, payload, context.our_counter, identity.counter
        )
        plain = assemble(head, Type.TYPING, encode_payload(payload))
        sent = []
        for entry in identity.manifest.devices:
            address = DeviceAddress(contact.user_id, entry.name)
            name = SessionName(address, identity.account_key)
            sessions = context.sessions(db, name)
            if sessions is None or not sessions.ready or sessions.waiting_for_reply:
                continue  # a transient one could overtake what begins the session
            if sessions.peer.entry != entry:
                continue
            body = sessions.seal(plain, context.now_ms, context.random)
            context.store_sessions(db, name, sessions)
            delivery_id = DeliveryId(context.random(DeliveryId.size or 0))
            sent.append((Pm(delivery_id, str(address), identity.counter, transient=True), body))
        return sent


def may_know(audience: Audience, contact: Contact) -> bool:
    """Whether somebody may learn that we read or write; strangers and changed keys never."""
    if not contact.engaged or contact.trust in {None, Trust.CHANGED}:
        return False
    if audience is Audience.VERIFIED:
        return contact.trust is Trust.VERIFIED
    return audience is Audience.CONTACTS
