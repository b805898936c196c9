"""What the faces hold: intents in, events out. See `secure_chat.client.api.Engine`.

An intent changes the vault in the calling thread, so that it is on disk when the method returns,
and then wakes the network thread, which does what the vault says. Events leave in the order of the
transactions that they tell of.
"""

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

import apsw

from secure_chat.client import content
from secure_chat.client.content import ContentId
from secure_chat.client.content.rules import Ref
from secure_chat.client.engine.core import Core
from secure_chat.client.engine.effects import remove, shown, takes_away, vanish
from secure_chat.client.engine.filing import FileIntents
from secure_chat.client.engine.habits import HabitIntents
from secure_chat.client.engine.intents import now_ms
from secure_chat.client.engine.network import Network
from secure_chat.client.engine.verifying import TrustIntents
from secure_chat.client.engine.wants import (
    Types,
    WantsDeletion,
    WantsKey,
    WantsRetry,
    WantsServersData,
    Wrote,
)
from secure_chat.client.engine.workshop import Workshop
from secure_chat.client.engine.writing import Writer, Written, rename
from secure_chat.client.events import Conversation as Line
from secure_chat.client.events import (
    ConversationChanged,
    Draft,
    Event,
    Message,
    Person,
    Privacy,
    Version,
)
from secure_chat.client.link import Endpoint
from secure_chat.client.profile import Profile
from secure_chat.client.vault import drafts, habits, history, identity, search, talk
from secure_chat.client.vault.contacts import Contact
from secure_chat.crypto.fingerprint import account_fingerprint
from secure_chat.crypto.rng import Random, system_random
from secure_chat.errors import NoSuchMessage, NotToYourself, PersonBlocked
from secure_chat.protocol.addresses import UserId, canonical_user_id

_STOP_SECONDS = 5.0
_Result = TypeVar("_Result")


class ChatEngine(TrustIntents, HabitIntents, FileIntents):
    """The running client of one profile, which it closes at the end."""

    def __init__(self, profile: Profile, random: Random = system_random) -> None:
        self._profile = profile
        self._vault = profile.vault
        self._random = random
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._emitting = threading.Lock()  # held from a commit until its events are in the queue
        self._workshop = Workshop(self._vault, random, self._change, self._publish, self._moved)
        self._core = Core(profile, random, self._workshop.wake)
        self._network = Network(self._core, self._endpoint, self._publish)
        self._started = False
        with self._vault.write() as db:
            vanished = vanish(db, now_ms())  # what was due while nobody ran
        if vanished:
            self._vault.scrub()

    # ------------------------------------------------------------ the connection

    @property
    def events(self) -> "queue.SimpleQueue[Event]":
        """Everything that happens, in order."""
        return self._events

    def start(self) -> None:
        """Connect, register if that has not happened yet, and stay connected."""
        if not self._started:
            self._started = True
            self._network.start()
            self._workshop.start()

    def stop(self) -> None:
        """Disconnect, finish the vault's transactions, release the profile. Blocks up to 10 s."""
        if self._started:
            self._workshop.stop(_STOP_SECONDS)
            self._network.stop(_STOP_SECONDS)
        self._profile.close()

    def reconnect(self) -> None:
        """Connect now, after STOPPED or during a wait."""
        self._network.reconnect()

    def _endpoint(self) -> Endpoint:
        link = self._profile.link
        with self._vault.read() as db:
            known = identity.whoami(db)[4]
        return Endpoint(link.server, known or link.server_id, link.pins, self._profile.ca_file)

    # ------------------------------------------------------------ what is known

    @property
    def user_id(self) -> UserId:
        """Our own account."""
        return self._profile.user_id

    @property
    def may_be_registered(self) -> bool:
        """Whether the server may know this account: a registration went out, answered or not."""
        with self._vault.read() as db:
            standing = identity.standing(db)
        return standing.registered or standing.register_sent

    @property
    def our_fingerprint(self) -> str:
        """Our account's fingerprint, in groups; empty before the first connection."""
        account = self._core.account
        return "" if account is None else account_fingerprint(account.device.account_key)

    def people(self) -> list[Person]:
        """Everybody known, by name."""
        return self._core.roster.everybody

    def conversations(self) -> list[Line]:
        """All conversations, the newest first."""
        with self._vault.read() as db:
            return history.conversations(db)

    def history(
        self,
        user_id: UserId,
        before: int | None = None,
        limit: int = 100,
        *,
        after: int | None = None,
    ) -> list[Message]:
        """A page of a conversation in order: before a number (None: the end), or after one.

        Nothing of a request that has not been accepted.
        """
        other = canonical_user_id(user_id)
        with self._vault.read() as db:
            if habits.is_request(db, other):
                return []
            if after is not None:
                return history.page_after(db, other, after, limit)
            return history.page(db, other, before, limit)

    def search(self, text: str, limit: int = 50) -> list[Message]:
        """The newest messages, of all conversations, that have all words of ``text``."""
        with self._vault.read() as db:
            return search.find(db, text, limit)

    def draft(self, user_id: UserId) -> Draft:
        """What was being written in a conversation; empty if nothing was."""
        with self._vault.read() as db:
            return drafts.get(db, canonical_user_id(user_id))

    def set_draft(self, user_id: UserId, draft: Draft) -> None:
        """Keep what is being written, for the next start too; an empty draft is none."""
        other = self._other(user_id)

        def keep(db: apsw.Connection) -> tuple[None, list[Event]]:
            if drafts.get(db, other) == draft:
                return None, []
            drafts.put(db, other, draft)
            return None, [ConversationChanged(history.conversation(db, other))]

        self._change(keep)

    def last_opened(self) -> UserId | None:
        """The conversation that was opened last, in an earlier run too."""
        with self._vault.read() as db:
            return drafts.last_opened(db)

    # ------------------------------------------------------------ conversations

    def open_conversation(self, user_id: UserId, *, seen: bool = True) -> None:
        """Fetch the contact's keys if needed, so that `safety` can answer; ``seen``: all of it."""
        other = self._other(user_id)

        def opened(db: apsw.Connection) -> tuple[Contact, list[Event]]:
            drafts.set_last_opened(db, other)
            return self._writer(db, other).seen(None if seen else 0)

        contact = self._change(opened)
        known = contact.identity
        if known is None or known.is_bare or contact.pending is not None:
            self._network.post(WantsKey(other))
        self._network.post(Wrote(other))

    def mark_read(self, user_id: UserId, number: int) -> None:
        """The person has seen this conversation up to and with message ``number``."""
        other = self._other(user_id)
        self._change(lambda db: self._writer(db, other).seen(number))
        self._network.post(Wrote(other))

    def send_text(self, user_id: UserId, text: str, *, reply_to: int | None = None) -> bytes:
        """Put a text into the outbox; returns its content id.

        Raises `TextTooLong`, `BadText`, `NoSuchMessage`.
        """
        return self._write(user_id, lambda writer: writer.text(text, reply_to))

    def edit(self, user_id: UserId, number: int, text: str) -> bytes:
        """Give a message of ours another text; returns the change's content id.

        Raises `NoSuchMessage`, `NotYourMessage`, `TooManyEdits`, `TextTooLong`, `BadText`.
        """
        return self._write(user_id, lambda writer: writer.edit(number, text))

    def versions(self, user_id: UserId, number: int) -> list[Version]:
        """The texts of a message from the first to the present one. Raises `NoSuchMessage`."""
        other = canonical_user_id(user_id)
        with self._vault.read() as db:
            line, ref = self._line(db, other, number)
            return talk.versions(db, other, ref) or [Version(0, line.text, line.time)]

    def delete(self, user_id: UserId, number: int) -> bytes:
        """Take a message of ours back on both sides; returns the change's content id.

        Raises `NoSuchMessage`, `NotYourMessage`.
        """
        return self._write(user_id, lambda writer: writer.delete(number))

    def remove(self, user_id: UserId, number: int) -> None:
        """Remove any message from this device alone. Raises `NoSuchMessage`."""
        other = self._other(user_id)

        def gone(db: apsw.Connection) -> tuple[None, list[Event]]:
            ref = self._line(db, other, number, deleted=True)[1]
            return None, remove(db, other, number, ref, now_ms())

        self._change(gone)

    def react(self, user_id: UserId, number: int, emoji: str) -> bytes:
        """Our one reaction to a message, empty to withdraw it; returns the change's content id.

        Raises `BadReaction`, `NoSuchMessage`.
        """
        return self._write(user_id, lambda writer: writer.react(number, emoji))

    def set_timer(self, user_id: UserId, seconds: int) -> bytes:
        """Let later messages of both disappear; 0: keep them. Raises `BadTimer`."""
        return self._write(user_id, lambda writer: writer.timer(seconds))

    def set_typing(self, user_id: UserId, *, active: bool) -> None:
        """The person is writing, or has stopped. Goes only to those whom `privacy` allows."""
        self._network.post(Types(self._other(user_id), active))

    def retry(self, user_id: UserId) -> None:
        """Try a halted outbox again."""
        self._network.post(WantsRetry(self._other(user_id)))
        self._workshop.retry()

    # ------------------------------------------------------------ ourselves

    def display_name(self) -> str:
        """How we like to be called; empty: by the account's name."""
        with self._vault.read() as db:
            return talk.own_name(db).text

    def set_profile(self, display_name: str) -> list[bytes]:
        """Change it, and tell our contacts; the changes' content ids. Raises `BadName`."""
        name = content.checked_name(display_name)

        def change(db: apsw.Connection) -> tuple[dict[UserId, ContentId], list[Event]]:
            told = {one: self._writer(db, one).introduce() for one in rename(db, name)}
            return {one: sent for one, sent in told.items() if sent is not None}, []

        told = self._change(change)
        for user_id in told:
            self._network.post(Wrote(user_id))
        return list(told.values())

    def privacy(self) -> Privacy:
        """Who learns that we have read, or are writing."""
        with self._vault.read() as db:
            return talk.privacy(db)

    def set_privacy(self, privacy: Privacy) -> None:
        """Change it from now on."""
        with self._vault.write() as db:
            talk.set_privacy(db, privacy)

    def my_data(self) -> None:
        """Ask the server for all that it holds on our account; `ServersData` brings it."""
        self._network.post(WantsServersData(self.user_id))

    def delete_account(self) -> None:
        """Delete our account at the server with all that it holds; `AccountDeletion` tells."""
        self._network.post(WantsDeletion(self.user_id))

    # ------------------------------------------------------------ the password

    def check_password(self, password: str) -> None:
        """Raises `WrongPassword` unless it opens this profile. Takes a second."""
        self._vault.check_password(password)

    def change_password(self, old: str, new: str) -> None:
        """Give the profile another password. Takes two seconds.

        Raises `WrongPassword`, `BadPassword`, `ProfileUnwritable`.
        """
        self._vault.change_password(old, new)

    # ------------------------------------------------------------ inside transactions

    def _writer(self, db: apsw.Connection, user_id: UserId) -> Writer:
        online = self._core.roster.is_online(user_id)
        return Writer(db, user_id, now_ms(), self._random, online=online)

    def _write(self, user_id: UserId, write: Callable[[Writer], Written]) -> bytes:
        """Something of ours, in the vault and on its way."""
        other = self._other(user_id)

        def change(db: apsw.Connection) -> tuple[ContentId, list[Event]]:
            if habits.is_blocked(db, other):
                raise PersonBlocked(user_id=other)
            written = write(self._writer(db, other))
            return written.content_id, written.events

        content_id = self._change(change)
        self._network.post(Wrote(other))
        return content_id

    def _line(
        self, db: apsw.Connection, user_id: UserId, number: int, *, deleted: bool = False
    ) -> tuple[Message, Ref]:
        found = history.line(db, user_id, number, deleted=deleted)
        if found is None or habits.is_request(db, user_id):
            raise NoSuchMessage(user_id=user_id, number=number)
        return found

    # ------------------------------------------------------------ helpers

    def _other(self, user_id: str) -> UserId:
        """The canonical name of somebody else. Raises `BadAddress`, `NotToYourself`."""
        name = canonical_user_id(user_id)
        if name == self.user_id:
            raise NotToYourself(user_id=name)
        return name

    def _change(self, change: Callable[[apsw.Connection], tuple[_Result, list[Event]]]) -> _Result:
        """One transaction of the calling thread, and its events after it."""
        with self._emitting:
            with self._vault.write() as db:
                result, events = change(db)
                deleted = takes_away(events)
                events = shown(db, events)
            self._put(events)
            if deleted:
                self._vault.scrub()
        return result

    def _publish(self, events: list[Event]) -> None:
        with self._emitting:
            self._put(events)

    def _put(self, events: list[Event]) -> None:
        for event in events:
            self._events.put(event)
        if takes_away(events):
            self._workshop.wake()  # what lies sealed in the profile goes too
