"""The engine without threads and sockets: server messages and intents in, messages and events out.

`Core` owns no connection. Whoever owns one calls, always from the same thread, and with the time:
`greeted` when a verified connection has its greeting, `received` for what arrives, `intent` for
what a person did, `tick` at `next_deadline`, `disconnected` at the end; after each call it sends
and publishes what `take` returns.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from secure_chat.client.engine.contents import Contents
from secure_chat.client.engine.context import Context, Requests
from secure_chat.client.engine.expiry import Expiry
from secure_chat.client.engine.inbox import Inbox
from secure_chat.client.engine.login import Entry, Greeting, Next
from secure_chat.client.engine.ourselves import Ourselves, data_page
from secure_chat.client.engine.outbox import Outbox
from secure_chat.client.engine.owing import owe_session_lost
from secure_chat.client.engine.people import Roster
from secure_chat.client.engine.pins import PinKeeper
from secure_chat.client.engine.prekeys import KeyStock
from secure_chat.client.engine.transfers import Chunk, Transfers
from secure_chat.client.engine.trust import TrustKeeper
from secure_chat.client.engine.typing import TypingKeeper
from secure_chat.client.engine.wants import (
    Decided,
    FilesMoved,
    Intent,
    Types,
    WantsDeletion,
    WantsKey,
    WantsRetry,
    WantsServersData,
    Wrote,
)
from secure_chat.client.events import Event
from secure_chat.client.profile import Profile
from secure_chat.client.vault import contacts, identity, keys, outbox, sequence, talk
from secure_chat.crypto.rng import Random
from secure_chat.errors import (
    ClockOff,
    Code,
    ConnectionSilent,
    Reason,
    Refused,
    RestoredVault,
    SecureChatError,
    UnexpectedAnswer,
)
from secure_chat.protocol import limits
from secure_chat.protocol.messages import (
    Accepted,
    Blob,
    BlobHeld,
    Bye,
    ClientMessage,
    Delivery,
    Error,
    HeldData,
    Keys,
    KeysLow,
    Manifest,
    Ok,
    Ping,
    Pins,
    Pong,
    Presence,
    ServerMessage,
    Users,
    Welcome,
)

_MS = 1000
_CLOCK_OFF_MS = 5 * limits.MINUTE * _MS
_ANSWER_SECONDS = 20.0  # to a ping
_HOUSEKEEPING_SECONDS = float(limits.HOUR)
_MOST_MISSED = 1_000_000  # logins that an old copy of a vault may not know of
_NEVER = float("inf")


class Ending(Struct, frozen=True):
    """Why this connection is of no more use, and what then."""

    error: SecureChatError
    next: Next


class Core:
    """The client's whole behaviour on one account. Single-threaded."""

    def __init__(self, profile: Profile, random: Random, wake_workshop: Callable[[], None]) -> None:
        self._vault = profile.vault
        self._context = Context(profile.vault, profile.user_id, random)
        self._requests = Requests(self._context)
        self._trust = TrustKeeper(self._context)
        self._stock = KeyStock(self._context, self._requests, self._go)
        self._entry = Entry(self._context, self._stock, profile.device, lambda: profile.link.invite)
        self._pins = PinKeeper(profile)
        self._roster = Roster(self._context, self._requests, self._trust)
        self._ourselves = Ourselves(self._context, self._requests)
        self._outbox = Outbox(self._context, self._requests, self._trust)
        self._transfers = Transfers(self._context, self._requests, self._outbox, wake_workshop)
        self._typing = TypingKeeper(self._context, self._trust)
        self._expiry = Expiry(self._context)
        self._contents = Contents(self._context, self._trust, self._outbox, self._typing)
        self._inbox = Inbox(self._context, self._trust, self._contents)
        self._sent = self._heard = 0.0
        self._pinged = False
        self._housekeeping = 0.0
        self.ending: Ending | None = None

    @property
    def logged_in(self) -> bool:
        """Whether the server has welcomed us on this connection."""
        return self._context.online

    @property
    def registered(self) -> bool:
        """Whether the server has welcomed this account before."""
        with self._vault.read() as db:
            return identity.standing(db).registered

    @property
    def roster(self) -> Roster:
        """Who is on the server. Its `everybody` may be read from any thread."""
        return self._roster

    @property
    def account(self) -> identity.Account | None:
        """Our keys, from the first greeting on."""
        return self._context.account

    # ------------------------------------------------------------ what comes in

    def greeted(self, greeting: Greeting, now: float, now_ms: int) -> None:
        """A verified connection has begun. Raises `WrongServer`, `ProtocolError`."""
        self._context.at(now, now_ms)
        self.ending = None
        self._heard = self._sent = now
        self._pinged = False
        self._ourselves.greeted(greeting)
        self._pins.greeted(greeting.pin)
        self._entry.greeted(greeting)

    def received(
        self, messages: list[tuple[ServerMessage, bytes]], now: float, now_ms: int
    ) -> None:
        """Messages that arrived together, in order. Raises `UnexpectedAnswer`."""
        self._context.at(now, now_ms)
        if messages:
            self._heard = now
            self._pinged = False
        for message, body in messages:
            self._receive(message, body)
            if self.ending is not None:
                break
        self._inbox.acknowledge()
        self._roster.look()
        self._contents.after()
        self._expiry.look()

    def intent(self, intent: Intent, now: float, now_ms: int) -> None:
        """Act on what a person did."""
        self._context.at(now, now_ms)
        match intent:
            case Wrote(user_id=user_id):
                self._expiry.look()
                self._outbox.written(user_id)
            case Types(user_id=user_id, active=active):
                self._typing.tell(user_id, active=active)
            case WantsKey(user_id=user_id):
                self._outbox.wants_key(user_id)
            case WantsRetry(user_id=user_id):
                self._outbox.retry(user_id)
                self._transfers.retry()
            case FilesMoved():
                self._transfers.look()
            case WantsServersData():
                self._ourselves.read()
            case WantsDeletion():
                self._ourselves.delete()
            case Decided(user_id=user_id):
                self._context.forget_sessions()
                self._outbox.retry(user_id)
            case _:
                raise AssertionError(intent)

    def tick(self, now: float, now_ms: int) -> None:
        """What is due. Raises `ConnectionSilent` if the server has not answered a ping."""
        self._context.at(now, now_ms)
        self._requests.tick()
        self._outbox.tick()
        self._transfers.tick()
        self._typing.tick()
        self._expiry.tick()
        if now >= self._housekeeping:
            self._housekeeping = now + _HOUSEKEEPING_SECONDS
            self._keep_house()
        if not self._context.online:
            return
        if self._pinged and now >= self._heard + limits.PING_SECONDS + _ANSWER_SECONDS:
            raise ConnectionSilent(seconds=round(now - self._heard))
        if now >= self._ping_due and not self._pinged:
            self._pinged = True
            self._context.send(Ping())

    def disconnected(self, now: float, now_ms: int) -> None:
        """The connection is gone."""
        self._context.at(now, now_ms)
        self._context.online = self._context.ready = False
        self._context.messages.clear()
        parts = (self._requests, self._stock, self._roster, self._outbox, self._inbox, self._typing)
        for part in (*parts, self._ourselves, self._transfers):
            part.disconnected()

    def problem(self, error: SecureChatError) -> None:
        """Something failed around the core that a person should know."""
        self._context.problem(error)

    # ------------------------------------------------------------ what goes out

    def take(self) -> tuple[list[tuple[ClientMessage, bytes]], list[Event]]:
        """The messages to send and the events to publish since the last call."""
        context = self._context
        messages, context.messages = context.messages, []
        events, context.events = context.events, []
        if messages:
            self._sent = context.now
        return messages, events

    @property
    def next_deadline(self) -> float:
        """When `tick` is to be called at the latest; monotonic seconds."""
        due = [self._housekeeping, self._outbox.next_retry or _NEVER]
        due += [self._typing.due, self._expiry.due, self._requests.due, self._transfers.due]
        if self._context.online:
            silent = self._heard + limits.PING_SECONDS + _ANSWER_SECONDS
            due.append(silent if self._pinged else self._ping_due)
        return min(due)

    @property
    def _ping_due(self) -> float:
        return min(self._sent, self._heard) + limits.PING_SECONDS

    # ------------------------------------------------------------ one message

    def _receive(self, message: ServerMessage, body: bytes) -> None:
        match message:
            case Bye() | Error() if not self._context.online:
                self._not_let_in(Refused(message.code, message.message, message.retry_after))
            case Welcome() if not self._context.online:
                self._welcomed(message)
            case _ if not self._context.online:
                raise UnexpectedAnswer(
                    what=Reason("{kind} before the welcome", kind=type(message).__name__)
                )
            case Bye():
                self._dismissed(message)
            case Delivery():
                self._inbox.deliver(message, body)
            case HeldData():
                self._requests.answer(message.ref, data_page(message, body))
            case Blob():
                self._requests.answer(message.ref, Chunk(message, body))
            case Error():
                self._refused(message)
            case _:
                handle = self._handlers.get(type(message))
                if handle is None:
                    raise UnexpectedAnswer(what=type(message).__name__)
                handle(message)

    def _came_and_went(self, presence: Presence) -> None:
        self._roster.changed(presence)
        self._outbox.came(presence.online)

    @property
    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        return {
            Accepted: lambda message: self._outbox.accepted(message.id),
            Presence: self._came_and_went,
            Pins: lambda message: self._pins.told(message.pins),
            KeysLow: lambda message: self._stock.low(message.one_time, message.one_time_kem),
            Pong: lambda _: None,
            Ok: self._answered,
            BlobHeld: self._answered,
            Users: self._answered,
            Keys: self._answered,
            Manifest: self._answered,
        }

    def _answered(self, message: Ok | BlobHeld | Users | Keys | Manifest) -> None:
        self._requests.answer(message.ref, message)

    def _refused(self, error: Error) -> None:
        if error.ref is not None:
            self._requests.answer(error.ref, error)
        elif error.id is not None:
            self._outbox.refused(error)
        else:
            self._context.problem(Refused(error.code, error.message, error.retry_after))

    # ------------------------------------------------------------ the connection's stages

    def _not_let_in(self, refusal: Refused) -> None:
        if refusal.code is Code.LOGIN_REFUSED:
            self._ourselves.refused_login()
        self.ending = Ending(refusal, self._entry.refused(refusal))

    def _dismissed(self, bye: Bye) -> None:
        refusal = Refused(bye.code, bye.message, bye.retry_after)
        stays_out = bye.code in {Code.REPLACED, Code.ACCOUNT_DISABLED, Code.ACCOUNT_DELETED}
        self.ending = Ending(refusal, Next.STOP if stays_out else Next.LATER)

    def _welcomed(self, welcome: Welcome) -> None:
        context = self._context
        with context.transaction() as db:
            standing = identity.standing(db)
            if welcome.key_version > standing.key_version + _MOST_MISSED:
                raise UnexpectedAnswer(what="a prekey set that nobody can have made")
            identity.set_registered(db)
        context.online = True
        self._set_unreadable_sessions_aside()
        apart = abs(welcome.time - context.now_ms)
        if apart >= _CLOCK_OFF_MS:
            context.problem(ClockOff(minutes=apart // (limits.MINUTE * _MS)))
        if welcome.acked > standing.acked or welcome.key_version > standing.key_version:
            self._restored(welcome)
        else:
            self._stock.welcomed(welcome)
        self._roster.welcomed()
        self._ourselves.welcomed()

    def _set_unreadable_sessions_aside(self) -> None:
        """Another version of this program may have stored them: begin anew, and say so."""
        context = self._context
        with context.transaction() as db:
            for user_id in context.drop_unreadable_sessions(db):
                contact = contacts.get(db, user_id)
                if contact.engaged and contact.identity is not None:
                    owe_session_lost(context, db, contact)
                else:
                    contacts.put(db, msgspec.structs.replace(contact, rebuilt=context.now_ms))

    def _restored(self, welcome: Welcome) -> None:
        """The vault is an older copy: nothing of its sessions and prekeys may be used again."""
        context = self._context
        with context.transaction() as db:
            keys.drop_prekeys(db)
            context.give_up_sessions(db)
            outbox.forget_copies(db)
            sequence.begin_anew(db)
            identity.set_acked(db, welcome.acked)
            for contact in contacts.everybody(db):
                if contact.identity is None:
                    continue
                if contact.engaged:
                    owe_session_lost(context, db, contact)
                else:  # strangers learn nothing now, but a later session must rank above theirs
                    contacts.put(db, msgspec.structs.replace(contact, rebuilt=context.now_ms))
        context.problem(RestoredVault())
        self._stock.start_again(welcome.key_version)

    def _go(self) -> None:
        """The server has this login's version: sending may begin."""
        self._context.ready = True
        self._turn_the_unanswered()
        self._outbox.pump_all()
        self._transfers.look()

    def _keep_house(self) -> None:
        now_ms = self._context.now_ms
        with self._context.transaction() as db:
            keys.purge_seen(db, now_ms - limits.SEEN_IDS_SECONDS * _MS)
            outbox.purge(db, now_ms - limits.RETENTION_SECONDS * _MS)
            talk.purge(db, now_ms)
        if self._context.ready:
            self._turn_the_unanswered()
            self._stock.rotate_if_due()

    def _turn_the_unanswered(self) -> None:
        with self._context.transaction() as db:
            self._contents.turn_the_unanswered(db)
        self._contents.after()
