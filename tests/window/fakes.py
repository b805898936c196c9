"""An engine and profiles without network, keys or vault, for tests and pictures of the window."""

import queue
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec

from secure_chat.client.events import (
    ConnectionChanged,
    ConnectionState,
    Conversation,
    ConversationChanged,
    Event,
    KeyChanged,
    Message,
    MessageAdded,
    MessageChanged,
    MessageState,
    PeopleChanged,
    Person,
    Safety,
    Trust,
)
from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.errors import SafetyNumberDiffers, TextTooLong, WrongPassword
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink
from tests.support.content_calls import ContentCalls, page_of
from tests.support.habit_calls import HabitCalls

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=timezone(timedelta(hours=3, minutes=30)))
NUMBER = tuple(f"{(i * 7919 + 12345) % 100000:05d}" for i in range(12))
OURS = " ".join(f"{(i * 104729 + 4242) % 100000:05d}" for i in range(8))
THEIRS = " ".join(f"{(i * 65537 + 777) % 100000:05d}" for i in range(8))


def at(minutes_ago: float) -> int:
    """Milliseconds of a moment before `NOW`."""
    return round((NOW - timedelta(minutes=minutes_ago)).timestamp() * 1000)


class FakeEngine(HabitCalls, ContentCalls):
    """Keeps conversations in memory; what a test wants to happen, it makes happen."""

    def __init__(self, user_id: str = "alice") -> None:
        super().__init__()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._user_id = UserId(user_id)
        self.persons: dict[UserId, Person] = {}
        self.messages: dict[UserId, list[Message]] = {}
        self.trust: dict[UserId, Trust] = {}
        self.unread: dict[UserId, int] = {}
        self.timers: dict[UserId, int] = {}
        self.found: list[Message] | None = None  # what every search answers
        self.answered: list[int] = []  # the messages that were answered
        self.started = self.stopped = False
        self.may_stop = threading.Event()  # how long the engine takes to stop
        self.may_stop.set()
        self.may_be_registered = True
        self.answer_to_start: Event | None = ConnectionChanged(
            ConnectionState.ONLINE, tls_group="X25519MLKEM768"
        )

    # ------------------------------------------------------------ api.Engine

    @property
    def events(self) -> "queue.SimpleQueue[Event]":
        return self._events

    @property
    def user_id(self) -> UserId:
        return self._user_id

    @property
    def our_fingerprint(self) -> str:
        return OURS

    def start(self) -> None:
        self.started = True
        if self.answer_to_start is not None:
            self._events.put(self.answer_to_start)

    def stop(self) -> None:
        assert self.may_stop.wait(60)
        self.stopped = True

    def people(self) -> list[Person]:
        return list(self.persons.values())

    def conversations(self) -> list[Conversation]:
        return [self.conversation(user_id) for user_id in self.messages]

    def history(
        self,
        user_id: UserId,
        before: int | None = None,
        limit: int = 100,
        *,
        after: int | None = None,
    ) -> list[Message]:
        known = [] if user_id in self.requests else self.messages.get(user_id, [])
        return page_of(known, before, limit, after)

    def search(self, text: str, limit: int = 50) -> list[Message]:
        if self.found is not None:
            return self.found
        found = [m for all_of_them in self.messages.values() for m in all_of_them if text in m.text]
        return sorted(found, key=lambda m: -m.time)[:limit]

    def open_conversation(self, user_id: UserId, *, seen: bool = True) -> None:
        self.calls.append(f"open {user_id}")
        self.opened = user_id
        if seen:
            self._read_up_to(user_id, float("inf"))

    def mark_read(self, user_id: UserId, number: int) -> None:
        self.calls.append(f"read {user_id} {number}")
        self._read_up_to(user_id, number)

    def put(self, event: Event) -> None:
        self._events.put(event)

    def send_text(self, user_id: UserId, text: str, *, reply_to: int | None = None) -> bytes:
        size = len(text.encode())
        if size > limits.TEXT:
            raise TextTooLong(size=size, limit=limits.TEXT)
        if reply_to is not None:
            self.answered.append(reply_to)
        return self.say(user_id, text, ours=True).content_id

    def forward(self, user_id: UserId, number: int, to: UserId) -> bytes:
        origin = next(one for one in self.messages[user_id] if one.number == number)
        return self.say(to, origin.text, ours=True, file=origin.file).content_id

    def safety(self, user_id: UserId) -> Safety | None:
        trust = self.trust.get(user_id)
        if trust is None:
            return None
        changed = at(3) if trust is Trust.CHANGED else 0
        verified = at(60) if trust is Trust.VERIFIED else 0
        return Safety(user_id, OURS, THEIRS, NUMBER, trust, at(3000), changed, verified)

    def mark_verified(self, user_id: UserId, safety_number: str) -> None:
        if safety_number.split() != list(NUMBER):
            raise SafetyNumberDiffers(user_id=user_id)
        self.calls.append(f"verified {user_id}")
        self.set_trust(user_id, Trust.VERIFIED)

    def accept_changed_key(self, user_id: UserId) -> None:
        self.calls.append(f"accepted {user_id}")
        self.set_trust(user_id, Trust.NEW)

    def retry(self, user_id: UserId) -> None:
        self.calls.append(f"retry {user_id}")

    def reconnect(self) -> None:
        self.calls.append("reconnect")

    def my_data(self) -> None:
        self.calls.append("my data")

    def delete_account(self) -> None:
        self.calls.append("delete account")

    # ------------------------------------------------------------ what a test makes happen

    def meet(self, user_id: str, *, online: bool = True, trust: Trust | None = None) -> UserId:
        name = UserId(user_id)
        self.persons[name] = Person(name, online, trust)
        if trust is not None:
            self.trust[name] = trust
        self._events.put(PeopleChanged((self.persons[name],)))
        return name

    def say(
        self,
        user_id: UserId,
        text: str,
        *,
        ours: bool = False,
        ago: float = 0,
        state: MessageState | None = None,
        notice: bool = False,
        problem: str = "",
        claimed: int = 0,
        **more: object,
    ) -> Message:
        known = self.messages.setdefault(user_id, [])
        self.trust.setdefault(user_id, Trust.NEW)
        number = known[-1].number + 1 if known else 1
        message = Message(
            content_id=number.to_bytes(16, "big"),
            number=number,
            user_id=user_id,
            ours=ours,
            text=text,
            time=at(ago),
            state=state or (MessageState.WAITING if ours else MessageState.RECEIVED),
            claimed_time=claimed,
            is_notice=notice,
            problem=problem,
        )
        message = msgspec.structs.replace(message, **more)
        known.append(message)
        if not ours and not notice:
            self.unread[user_id] = self.unread.get(user_id, 0) + 1
        self._events.put(MessageAdded(message))
        self._events.put(ConversationChanged(self.conversation(user_id)))
        return message

    def fill(self, user_id: UserId, texts: Iterable[str]) -> None:
        """A long history without an event for each line."""
        known = self.messages.setdefault(user_id, [])
        self.trust.setdefault(user_id, Trust.NEW)
        for number, text in enumerate(texts, start=len(known) + 1):
            ours = number % 3 == 0
            state = MessageState.READ if ours else MessageState.RECEIVED
            stamp = at(100_000 - number / 10)
            known.append(Message(b"", number, user_id, ours, text, stamp, state))

    def become(self, message: Message, state: MessageState, problem: str = "") -> None:
        known = self.messages[message.user_id]
        new = Message(
            message.content_id, message.number, message.user_id, message.ours, message.text,
            message.time, state, problem=problem,
        )  # fmt: skip
        known[known.index(message)] = new
        self._events.put(MessageChanged(new))

    def change_key(self, user_id: UserId) -> None:
        was = self.trust.get(user_id) is Trust.VERIFIED
        self.set_trust(user_id, Trust.CHANGED)
        self._events.put(KeyChanged(user_id, was))

    def set_trust(self, user_id: UserId, trust: Trust) -> None:
        self.trust[user_id] = trust
        self._events.put(ConversationChanged(self.conversation(user_id)))

    def tell_of(self, user_id: UserId) -> None:
        known = self.persons.get(user_id, Person(user_id, online=False))
        decided = self.decision(user_id)
        self.persons[user_id] = Person(
            user_id,
            known.online,
            self.trust.get(user_id),
            known.display_name,
            decided.name,
            decided.blocked,
        )
        self._events.put(PeopleChanged((self.persons[user_id],)))
        self._events.put(ConversationChanged(self.conversation(user_id)))

    def tell(self, event: Event) -> None:
        self._events.put(event)

    def conversation(self, user_id: UserId) -> Conversation:
        known = self.messages.get(user_id, [])
        trust = self.trust.get(user_id, Trust.NEW)
        request, decided = user_id in self.requests, self.decision(user_id)
        unread = 0 if request else self.unread.get(user_id, 0)
        theirs = [m.number for m in known if not m.ours and not m.is_notice]
        return Conversation(
            user_id,
            trust,
            unread,
            known[-1] if known and not request else None,
            timer=self.timers.get(user_id, 0),
            first_unread=theirs[-unread] if unread and unread <= len(theirs) else 0,
            draft=self.draft(user_id).text,
            name=decided.name,
            request=request,
            arrived=known[-1].time if known else 0,
            blocked=decided.blocked,
            muted_until=decided.muted_until,
            pinned=decided.pinned,
            archived=decided.archived,
        )

    def _read_up_to(self, user_id: UserId, number: float) -> None:
        theirs = [m for m in self.messages.get(user_id, []) if not m.ours and not m.is_notice]
        left = min(self.unread.get(user_id, 0), sum(m.number > number for m in theirs))
        if left != self.unread.get(user_id, 0):
            self.unread[user_id] = left
            self._events.put(ConversationChanged(self.conversation(user_id)))


class FakeAccounts:
    """Profiles of which the password is always ``correct horse``."""

    def __init__(
        self,
        engine: FakeEngine,
        known: Iterable[KnownProfile] = (),
        *,
        error: Exception | None = None,
    ) -> None:
        self._engine = engine
        self._known = list(known)
        self.error = error
        self.created: list[tuple[InviteLink, str, Path | None]] = []
        self.discarded = self.removed = self.kept = False

    @property
    def remembered(self) -> Path | None:
        return None

    def known(self) -> list[KnownProfile]:
        return self._known

    def open(self, profile: KnownProfile, password: str) -> FakeEngine:
        if password != "correct horse":
            raise WrongPassword
        return self._engine

    def create(
        self, link: InviteLink, user_id: str, password: str, ca_file: Path | None
    ) -> FakeEngine:
        if self.error is not None:
            raise self.error
        self.created.append((link, user_id, ca_file))
        return self._engine

    def remove(self, engine: object) -> None:
        self.removed = True

    def keep(self, engine: object) -> None:
        self.kept = True
        name = self._engine.user_id
        self._known.append(KnownProfile(Path("/p") / name, name, ""))

    def discard(self, engine: object) -> None:
        self.discarded = True
