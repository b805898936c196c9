"""What a decrypted content does: a line, a mark on ours, an answer, or nothing."""

import apsw

from secure_chat.client.content import Content, ContentId, rules
from secure_chat.client.content.rules import Author, Sender
from secure_chat.client.engine.context import Context
from secure_chat.client.engine.effects import Applier
from secure_chat.client.engine.missing import Missing
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.owing import owe_turn
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.engine.typing import TypingKeeper
from secure_chat.client.events import MessageChanged, MessageState
from secure_chat.client.said import Said
from secure_chat.client.vault import contacts, history, keys, outbox
from secure_chat.client.vault.keys import SessionName
from secure_chat.client.vault.talk import VaultView
from secure_chat.errors import BadEncoding
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId

NEEDS_NEWER = "{user_id} sent something that needs a newer version of this program."
SESSION_LOST = (
    "The device of {user_id} had lost its encrypted session and has set up a new one."
    " What it had not confirmed is sent again."
)
_REBUILD_MS = limits.HOUR * 1000


class Contents:
    """Applies contents inside the transaction that opened them."""

    def __init__(
        self, context: Context, trust: TrustKeeper, sending: Outbox, typing: TypingKeeper
    ) -> None:
        self._context = context
        self._trust = trust
        self._sending = sending
        self._typing = typing
        self._missing = Missing(context, trust)
        self._to_pump: set[UserId] = set()
        self._to_fetch: set[UserId] = set()
        self._to_start: set[UserId] = set()

    def take_in(
        self, db: apsw.Connection, name: SessionName, taken: Content, *, live: bool = False
    ) -> None:
        """A content that was proven to be of ``name``; ``live``: it came as a transient one."""
        user_id = name.address.user_id
        contact = contacts.get(db, user_id)
        sender = Sender(
            Author(bytes(name.account_key)),
            accepted=self._is_accepted(db, name),
            engaged=contact.engaged,
        )
        slot = self._missing.arrived(db, name, taken.place)
        applier = Applier(
            db,
            user_id,
            self._context.now_ms,
            self._context.new_content_id,
            online=user_id in self._trust.online,
            slot=slot,
        )
        for effect in rules.take(VaultView(db, user_id), sender, taken, live=live):
            self._do(db, name, effect)
            applier.apply(effect, taken)
        for event in applier.events():
            self._context.emit(event)
        self._typing.heard(user_id)
        if contact.identity is not None and taken.own_counter > contact.identity.counter:
            self._to_fetch.add(user_id)  # their devices have changed

    def drop(self, db: apsw.Connection, name: SessionName, taken: Content | BadEncoding) -> None:
        """A content of somebody who is blocked: only its number is taken in.

        So nothing seems to be missing when they are blocked no more.
        """
        if isinstance(taken, Content):
            self._missing.skipped(db, name, taken.place)

    def _do(self, db: apsw.Connection, name: SessionName, effect: rules.Effect) -> None:
        """What an effect means beyond the conversation's rows."""
        user_id = name.address.user_id
        match effect:
            case rules.Confirm(content_id=content_id, prompt=prompt):
                self._confirm(db, user_id, content_id, prompt=prompt)
            case rules.ShowTyping(active=active):
                self._typing.show(user_id, active=active)
            case rules.AddLine():
                self._typing.ended(user_id)
            case rules.SendAgain():
                self._session_lost(db, name)
            case rules.NeedsNewer():
                self._trust.notice(db, user_id, "needs-newer", Said(NEEDS_NEWER, user_id=user_id))
            case _:
                pass

    def after(self) -> None:
        """Send what came of the contents, once they are on disk."""
        fetch, self._to_fetch = self._to_fetch, set()
        start, self._to_start = self._to_start, set()
        pump, self._to_pump = self._to_pump, set()
        for user_id in fetch:
            self._sending.fetch_manifest(user_id)
        for user_id in start:
            if self._may_write(user_id):
                self._sending.rebuild(user_id)
        for user_id in pump:
            self._sending.pump(user_id)

    def could_not_read(self, user_id: UserId) -> None:
        """A known contact's messages do not open: set up another session, at most once an hour."""
        with self._context.vault.read() as db:
            contact = contacts.get(db, user_id)
        long_ago = self._context.now_ms - contact.rebuilt >= _REBUILD_MS
        if long_ago and self._may_write(user_id):
            self._sending.rebuild(user_id, lost=True)

    def start_again(self, user_id: UserId) -> None:
        """They lost their sessions, and cannot read the one that we would send on."""
        self._to_start.add(user_id)

    def _may_write(self, user_id: UserId) -> bool:
        with self._context.vault.read() as db:
            contact = contacts.get(db, user_id)
        return contact.engaged and contact.pending is None

    def turn_the_unanswered(self, db: apsw.Connection) -> None:
        """Who has had no answer of ours for a day gets an empty one, though nothing arrives."""
        for name in keys.session_names(db, None):
            if self._is_accepted(db, name):
                sessions = self._context.sessions(db, name)
                if sessions is not None and sessions.wants_turn(self._context.now_ms):
                    self.wants_turn(db, name.address.user_id)

    def wants_turn(self, db: apsw.Connection, user_id: UserId) -> None:
        """One-way talk: an empty answer lets the other's ratchet turn."""
        contact = contacts.get(db, user_id)
        if not contact.engaged or contact.identity is None:
            return
        if outbox.first_waiting(db, user_id) is None:
            owe_turn(self._context, db, contact)
        self._to_pump.add(user_id)

    def _confirm(
        self, db: apsw.Connection, user_id: UserId, content_id: ContentId, *, prompt: bool
    ) -> None:
        """Owe a delivery receipt; one that is not ``prompt`` leaves with what is sent next."""
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
        if prompt:
            self._to_pump.add(user_id)

    def _session_lost(self, db: apsw.Connection, name: SessionName) -> None:
        """An authenticated request to send again, honoured for the same identity only."""
        user_id = name.address.user_id
        self._trust.notice(db, user_id, "session-lost", Said(SESSION_LOST, user_id=user_id))
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
                self._context.emit(MessageChanged(again))
        self._to_pump.add(user_id)

    def _is_accepted(self, db: apsw.Connection, name: SessionName) -> bool:
        """Whether a content came under the key that the person knows, and not under another."""
        identity = contacts.get(db, name.address.user_id).identity
        return identity is not None and identity.account_key == name.account_key
