"""What a decrypted content does: a line, a mark on ours, an answer, or nothing."""

import apsw

from secure_chat.client import content
from secure_chat.client.content import Content, ContentId
from secure_chat.client.engine.context import Context
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.events import ConversationChanged, Message, MessageAdded, MessageState
from secure_chat.client.events import MessageChanged as Changed
from secure_chat.client.vault import contacts, history, outbox
from secure_chat.client.vault.keys import SessionName
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId

NEEDS_NEWER = "{user_id} sent something that needs a newer version of this program."
SESSION_LOST = (
    "The device of {user_id} had lost its encrypted session and has set up a new one."
    " What it had not confirmed is sent again."
)
_REBUILD_MS = limits.HOUR * 1000
_BEFORE_DELIVERED = (MessageState.WAITING, MessageState.HELD, MessageState.ACCEPTED)
_BEFORE_READ = (*_BEFORE_DELIVERED, MessageState.DELIVERED)


def _must_be_said(payload: content.Payload) -> bool:
    """Whether a content that is not handled here must not be swallowed."""
    if isinstance(payload, content.Unknown):
        return payload.show
    return content.kind_of(payload) in content.SHOWN


class Contents:
    """Applies contents inside the transaction that opened them."""

    def __init__(self, context: Context, trust: TrustKeeper, sending: Outbox) -> None:
        self._context = context
        self._trust = trust
        self._sending = sending
        self._to_pump: set[UserId] = set()
        self._to_fetch: set[UserId] = set()

    def take_in(self, db: apsw.Connection, name: SessionName, taken: Content) -> None:
        """A content that was proven to be of ``name``."""
        user_id = name.address.user_id
        match taken.payload:
            case content.Text(text=text):
                self._text(db, user_id, taken, text)
            case content.Receipt() as receipt:
                if self._is_accepted(db, name):
                    self._receipt(db, user_id, receipt)
            case content.SessionLost():
                self._session_lost(db, name)
            case other if _must_be_said(other):
                self._trust.notice(db, user_id, "needs-newer", NEEDS_NEWER.format(user_id=user_id))
            case _:
                pass  # a turn, or something unknown that wants silence
        identity = contacts.get(db, user_id).identity
        if identity is not None and taken.own_counter > identity.counter:
            self._to_fetch.add(user_id)  # their devices have changed

    def after(self) -> None:
        """Send what came of the contents, once they are on disk."""
        fetch, self._to_fetch = self._to_fetch, set()
        pump, self._to_pump = self._to_pump, set()
        for user_id in fetch:
            self._sending.fetch_manifest(user_id)
        for user_id in pump:
            self._sending.pump(user_id)

    def could_not_read(self, user_id: UserId) -> None:
        """A known contact's messages do not open: set up another session, at most once an hour."""
        with self._context.vault.read() as db:
            contact = contacts.get(db, user_id)
        may_write = contact.engaged and contact.pending is None
        if may_write and self._context.now_ms - contact.rebuilt >= _REBUILD_MS:
            self._sending.rebuild(user_id)

    def wants_turn(self, db: apsw.Connection, user_id: UserId) -> None:
        """One-way talk: an empty answer lets the other's ratchet turn."""
        contact = contacts.get(db, user_id)
        if not contact.engaged or contact.identity is None:
            return
        if outbox.first_waiting(db, user_id) is None:
            context = self._context
            outbox.owe(
                db,
                user_id,
                context.new_content_id(),
                content.Turn(),
                contact.identity.account_key,
                context.now_ms,
            )
        self._to_pump.add(user_id)

    def _text(self, db: apsw.Connection, user_id: UserId, taken: Content, text: str) -> None:
        context = self._context
        line = Message(
            content_id=taken.content_id,
            number=0,
            user_id=user_id,
            ours=False,
            text=text,
            time=context.now_ms,
            state=MessageState.RECEIVED,
            claimed_time=taken.time,
        )
        added = history.add(db, line, unread=True)
        if added is not None:
            context.emit(MessageAdded(added))
            context.emit(ConversationChanged(history.conversation(db, user_id)))
        self._confirm(db, user_id, taken.content_id)

    def _confirm(self, db: apsw.Connection, user_id: UserId, content_id: ContentId) -> None:
        """A delivery receipt, but none to strangers: it would tell them when we are here."""
        contact = contacts.get(db, user_id)
        if not contact.engaged or contact.identity is None or contact.pending is not None:
            return
        outbox.owe_receipt(
            db,
            user_id,
            [content_id],
            contact.identity.account_key,
            self._context.now_ms,
            self._context.new_content_id(),
            read=False,
        )
        self._to_pump.add(user_id)

    def _receipt(self, db: apsw.Connection, user_id: UserId, receipt: content.Receipt) -> None:
        """Marks on messages that we wrote to this very person; other ids mean nothing."""
        state = MessageState.READ if receipt.read else MessageState.DELIVERED
        before = _BEFORE_READ if receipt.read else _BEFORE_DELIVERED
        for content_id in receipt.content_ids:
            changed = history.set_state(db, user_id, content_id, state, only_from=before)
            outbox.confirmed(db, user_id, content_id)
            if changed is not None:
                self._context.emit(Changed(changed))
        self._context.emit(ConversationChanged(history.conversation(db, user_id)))

    def _session_lost(self, db: apsw.Connection, name: SessionName) -> None:
        """An authenticated request to send again, honoured for the same identity only."""
        user_id = name.address.user_id
        self._trust.notice(db, user_id, "session-lost", SESSION_LOST.format(user_id=user_id))
        if not self._is_accepted(db, name):
            return
        for content_id in outbox.send_again(db, user_id, name.account_key):
            again = history.set_state(
                db,
                user_id,
                content_id,
                MessageState.WAITING,
                only_from=(MessageState.ACCEPTED,),
            )
            if again is not None:
                self._context.emit(Changed(again))
        self._to_pump.add(user_id)

    def _is_accepted(self, db: apsw.Connection, name: SessionName) -> bool:
        """Whether a content came under the key that the person knows, and not under another."""
        identity = contacts.get(db, name.address.user_id).identity
        return identity is not None and identity.account_key == name.account_key
