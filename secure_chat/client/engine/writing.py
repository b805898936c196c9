"""What a person writes, reads and changes, inside the transaction of the calling thread.

Everything of ours goes through the same rules as what others send (`client.content.rules`), is
applied to the vault, and is queued in the same transaction.
"""

import apsw
from msgspec import Struct

from secure_chat.client import content
from secure_chat.client.content import CONTENT_ID_BYTES, Content, ContentId, Reference, rules
from secure_chat.client.content.check import EDITS
from secure_chat.client.content.rules import OURSELVES, Author, Ref, Sender
from secure_chat.client.engine.effects import Applier
from secure_chat.client.engine.typing import may_know
from secure_chat.client.events import (
    ChangeSent,
    ConversationChanged,
    Event,
    FileState,
    Message,
    MessageAdded,
    MessageState,
    PeopleChanged,
    Strangers,
)
from secure_chat.client.files.sealing import Chosen
from secure_chat.client.vault import attached, contacts, habits, history, outbox, talk
from secure_chat.client.vault.contacts import Contact
from secure_chat.crypto.files import FileKey
from secure_chat.crypto.rng import Random
from secure_chat.errors import NoSuchMessage, NotYourMessage, TooManyEdits
from secure_chat.protocol.addresses import UserId

_EVERYTHING = 2**31  # lines of one conversation


class Written(Struct, frozen=True):
    """A content of ours that is queued, and what the faces must know of it."""

    content_id: ContentId
    events: list[Event]


class Writer:
    """One person's words on one conversation, in one transaction."""

    def __init__(
        self, db: apsw.Connection, user_id: UserId, now_ms: int, random: Random, *, online: bool
    ) -> None:
        self._db = db
        self._user_id = user_id
        self._now = now_ms
        self._random = random
        self._online = online
        self._view = talk.VaultView(db, user_id)
        self._admitted: list[Event] = []  # what is no request any more

    # ------------------------------------------------------------ messages

    def text(self, text: str, reply_to: int | None) -> Written:
        """A message, under the conversation's timer; an answer ends being strangers."""
        ref = None if reply_to is None else self._line(reply_to)[1]
        quote = None if ref is None else _reference(ref)
        contact = self.admit()
        self._introduce(contact)
        payload = content.Text(content.checked_text(text), self._view.timer().seconds, quote)
        return self._write(payload, ref)

    def file(
        self, chosen: Chosen, caption: str, reply_to: int | None, *, keep_metadata: bool
    ) -> Written:
        """A file; its content is queued once it is on the server."""
        ref = None if reply_to is None else self._line(reply_to)[1]
        quote = None if ref is None else _reference(ref)
        contact = self.admit()
        self._introduce(contact)
        key = FileKey.generate(self._random)  # another one is drawn when it is sealed
        file = content.File(chosen.name, chosen.size, chosen.media_type, key, b"")
        text = content.checked_text(caption) if caption else ""
        payload = content.Text(text, self._view.timer().seconds, quote, file)
        source = attached.Source(str(chosen.path), keep_metadata)
        return self._write(payload, ref, send=False, source=source)

    def forwarded(self, item: attached.Attached, caption: str) -> Written:
        """A file of another conversation; its content is queued once the server said it has it."""
        self._introduce(self.admit())
        is_here = item.ours or item.state is FileState.SAVED
        source = attached.Source(item.path if is_here else "", item.keep_metadata)
        payload = content.Text(caption, self._view.timer().seconds, None, item.file)
        return self._write(payload, send=False, source=source)

    def edit(self, number: int, text: str) -> Written:
        """Another text for a message of ours."""
        ref = self._own(number)
        versions = talk.versions(self._db, self._user_id, ref)
        revision = versions[-1].revision + 1 if versions else 1
        if revision > EDITS:
            raise TooManyEdits(limit=EDITS)
        return self._write(content.Edit(ref.content_id, revision, content.checked_text(text)))

    def delete(self, number: int) -> Written:
        """Take a message of ours back; one that never left needs no words about it."""
        ref = self._own(number)
        if self._may_have_left(ref):
            return self._write(content.Delete(ref.content_id))
        written = self._write(content.Delete(ref.content_id), send=False)
        done = ChangeSent(self._user_id, written.content_id, MessageState.ACCEPTED)
        return Written(written.content_id, [*written.events, done])

    def _may_have_left(self, ref: Ref) -> bool:
        file = attached.get(self._db, self._user_id, ref)
        if file is not None and file.state is not FileState.SENT:
            return False
        return outbox.was_sealed(self._db, self._user_id, ref.content_id)

    def react(self, number: int, emoji: str) -> Written:
        """Our reaction to a message, in place of the one before."""
        ref = self._line(number)[1]
        before = self._view.reaction(ref, OURSELVES)
        revision = 1 if before is None else before.revision + 1
        emoji = content.checked_reaction(emoji)
        return self._write(content.Reaction(_reference(ref), revision, emoji), ref)

    def _line(self, number: int) -> tuple[Message, Ref]:
        found = history.line(self._db, self._user_id, number)
        if found is None:
            raise NoSuchMessage(user_id=self._user_id, number=number)
        return found

    def _own(self, number: int) -> Ref:
        message, ref = self._line(number)
        if not message.ours:
            raise NotYourMessage(user_id=self._user_id)
        return ref

    # ------------------------------------------------------------ the conversation

    def timer(self, seconds: int) -> Written:
        """After how long later messages disappear."""
        revision = self._view.timer().revision + 1
        return self._write(content.Timer(revision, content.checked_timer(seconds)))

    def seen(self, up_to: int | None) -> tuple[Contact, list[Event]]:
        """The person has seen the conversation; whoever may know of it is told so.

        Looking at what a stranger sent shows nothing and tells nobody: see `admit`.
        """
        contact = contacts.get(self._db, self._user_id)
        if not contact.engaged:
            asks = habits.strangers(self._db) is Strangers.ASK
            if asks or habits.is_blocked(self._db, self._user_id):
                return contact, []
            contact = self.admit()
        read = history.mark_read(self._db, self._user_id, up_to, self._now)
        if not read:
            return contact, self._admitted
        may = may_know(talk.privacy(self._db).read_receipts, contact)
        self._owe_receipt(contact, read, read=may)
        line = history.conversation(self._db, self._user_id)
        return contact, [*self._admitted, ConversationChanged(line)]

    def introduce(self) -> ContentId | None:
        """Tell a contact how we like to be called now; None if they know."""
        return self._introduce(contacts.get(self._db, self._user_id))

    def _introduce(self, contact: Contact) -> ContentId | None:
        name = talk.own_name(self._db)
        if talk.was_told(self._db, self._user_id) >= name.revision:
            return None
        content_id = self.new_id()
        self._owe(contact, content.Profile(name.revision, name.text), content_id)
        talk.set_told(self._db, self._user_id, name.revision)
        return content_id

    def admit(self) -> Contact:
        """No stranger any more: what came before is confirmed, and shown if it was a request."""
        db, user_id = self._db, self._user_id
        contact = contacts.get(db, user_id)
        if contact.engaged:
            return contact
        was_request = habits.is_request(db, user_id)
        contacts.engage(db, user_id)
        self._owe_receipt(contact, history.received(db, user_id), read=False)
        if was_request:
            waiting = history.page(db, user_id, None, _EVERYTHING)
            self._admitted += [MessageAdded(one) for one in waiting]
        person = history.person(db, user_id, online=self._online)
        line = history.conversation(db, user_id)
        self._admitted += [PeopleChanged((person,)), ConversationChanged(line)]
        return contacts.get(db, user_id)

    @property
    def admitted(self) -> list[Event]:
        """What the faces must know of somebody who is no stranger any more."""
        return self._admitted

    def _owe_receipt(self, contact: Contact, of: list[ContentId], *, read: bool) -> None:
        if of and contact.identity is not None:
            outbox.owe_receipt(
                self._db,
                contact.user_id,
                of,
                contact.identity.account_key,
                self._now,
                self.new_id(),
                read=read,
            )

    # ------------------------------------------------------------ all of them

    def _write(
        self,
        payload: content.Payload,
        about: Ref | None = None,
        *,
        send: bool = True,
        source: attached.Source | None = None,
    ) -> Written:
        """Apply a content of ours to the vault and queue it."""
        other = OURSELVES if about is None else about.author
        made = Content(self.new_id(), self._now, payload)
        applier = Applier(
            self._db, self._user_id, self._now, self.new_id, online=self._online, source=source
        )
        for effect in rules.take(self._view, Sender(OURSELVES, Author(other)), made):
            applier.apply(effect, made)
        if send:
            self._owe(contacts.get(self._db, self._user_id), payload, made.content_id)
        return Written(made.content_id, [*self._admitted, *applier.events()])

    def _owe(self, contact: Contact, payload: content.Payload, content_id: ContentId) -> None:
        key = None if contact.identity is None else contact.identity.account_key
        outbox.owe(self._db, contact.user_id, content_id, payload, key, self._now)

    def new_id(self) -> ContentId:
        """A name for a content or a line."""
        return ContentId(self._random(CONTENT_ID_BYTES))


def rename(db: apsw.Connection, name: str) -> list[UserId]:
    """Change our display name; returns the contacts who are to learn it."""
    before = talk.own_name(db)
    if name == before.text:
        return []
    talk.put_name(db, UserId(""), OURSELVES, rules.Version(before.revision + 1, name))
    return [one.user_id for one in contacts.everybody(db) if one.engaged and one.identity]


def _reference(ref: Ref) -> Reference:
    return Reference(ref.author == OURSELVES, ref.content_id)
