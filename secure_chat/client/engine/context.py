"""What the parts of the engine's core share, and the outputs that they collect.

Only the network thread uses these. Time and randomness are given, never taken.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import apsw
from msgspec import Struct

from secure_chat.client.content import CONTENT_ID_BYTES, ContentId
from secure_chat.client.engine.effects import shown, takes_away
from secure_chat.client.events import Event, Problem
from secure_chat.client.vault import Vault, identity
from secure_chat.client.vault.keys import (
    SessionName,
    drop_session,
    save_session,
    session,
    session_names,
)
from secure_chat.crypto.identity import LocalDevice
from secure_chat.crypto.peer import PeerSessions
from secure_chat.crypto.rng import Random
from secure_chat.errors import (
    CODES,
    BadSessionState,
    Reason,
    Refused,
    SecureChatError,
    UnexpectedAnswer,
)
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.manifest import decode_manifest
from secure_chat.protocol.messages import ClientMessage, Error

_Answer = TypeVar("_Answer")
_NEVER = float("inf")


class Context:
    """Vault, our own keys, the time of the present call, and what it puts out."""

    def __init__(self, vault: Vault, user_id: UserId, random: Random) -> None:
        self.vault = vault
        self.user_id = user_id
        self.random = random
        self.online = False  # logged in
        self.features: list[str] = []  # of the protocol, agreed on with this server
        self.ready = False  # and sure that this vault is not an old copy: see `KeyStock`
        self.now = 0.0
        self.now_ms = 0
        self.messages: list[tuple[ClientMessage, bytes]] = []
        self.events: list[Event] = []
        self._sessions: dict[SessionName, PeerSessions] = {}
        self._our: LocalDevice | None = None
        with vault.read() as db:
            self.account = identity.account(db)

    @property
    def our(self) -> LocalDevice:
        """Our device. Exists from the first greeting on."""
        assert self.account is not None, "keys are made when a greeting arrives"
        return self.account.device

    @property
    def our_counter(self) -> int:
        """The counter of our own manifest."""
        return decode_manifest(self.our.manifest).counter

    def at(self, now: float, now_ms: int) -> None:
        """The time of the call that begins: seconds of a monotonic clock, ms since 1970."""
        self.now, self.now_ms = now, now_ms

    def send(self, message: ClientMessage, body: bytes = b"") -> None:
        """Put out a message to the server."""
        self.messages.append((message, body))

    def emit(self, event: Event) -> None:
        """Put out an event for the faces."""
        self.events.append(event)

    def problem(self, error: SecureChatError, user_id: UserId | None = None) -> None:
        """Say something that a person should know."""
        self.emit(Problem(error, user_id))

    def new_content_id(self) -> ContentId:
        """A name for a content."""
        return ContentId(self.random(CONTENT_ID_BYTES))

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """A vault transaction; if it fails, no event of it and no ratchet step of it remains."""
        events, messages = len(self.events), len(self.messages)
        try:
            with self.vault.write() as db:
                yield db
                deleted = takes_away(self.events[events:])
                self.events[events:] = shown(db, self.events[events:])
        except BaseException:
            del self.events[events:]
            del self.messages[messages:]
            self._sessions.clear()
            raise
        if deleted:
            self.vault.scrub()

    def sessions(self, db: apsw.Connection, name: SessionName) -> PeerSessions | None:
        """The sessions with a device, if there are any."""
        known = self._sessions.get(name)
        if known is None and (stored := session(db, name)) is not None:
            known = self._sessions[name] = PeerSessions.load(self.our, stored)
        return known

    def store_sessions(
        self, db: apsw.Connection, name: SessionName, sessions: PeerSessions
    ) -> None:
        """Keep sessions as they are now."""
        save_session(db, name, sessions.serialize())
        self._sessions[name] = sessions

    def give_up_sessions(self, db: apsw.Connection) -> None:
        """No session goes on, and none of them can be derived again from a repeated message."""
        for name in session_names(db, None):
            sessions = self.sessions(db, name)
            assert sessions is not None
            sessions.drop_sessions()
            self.store_sessions(db, name, sessions)

    def drop_unreadable_sessions(self, db: apsw.Connection) -> list[UserId]:
        """Delete stored states that this program cannot read, and say so; whose they were."""
        dropped = []
        for name in session_names(db, None):
            try:
                self.sessions(db, name)
            except BadSessionState as unreadable:
                drop_session(db, name)
                self.problem(unreadable, name.address.user_id)
                dropped.append(name.address.user_id)
        return sorted(set(dropped))

    def forget_sessions(self) -> None:
        """Read them from the vault again at their next use."""
        self._sessions.clear()


_SHORTEST_WAIT, _LONGEST_WAIT = 0.1, 300.0


class _Question(Struct, frozen=True):
    """A question, what answers it, and who hears the answer or the refusal."""

    build: Callable[[int], ClientMessage]
    expected: type[Any]
    answered: Callable[[Any], None]
    refused: Callable[[Refused], None]
    patient: bool
    body: bytes = b""


class Requests:
    """Questions to the server that wait for their answer, by ``ref``."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next = 1
        self._waiting: dict[int, _Question] = {}
        self._later: list[tuple[float, _Question]] = []  # refused for now, and when again

    def ask(
        self,
        build: Callable[[int], ClientMessage],
        expected: type[_Answer],
        answered: Callable[[_Answer], None],
        refused: Callable[[Refused], None],
        *,
        patient: bool = False,
        body: bytes = b"",
    ) -> None:
        """Send ``build(ref)``; one of the two is called, unless the connection ends first.

        ``patient``: a refusal that passes (a limit, a busy server, a full disk) is no answer; the
        question is asked again when the server said.
        """
        self._ask(_Question(build, expected, answered, refused, patient, body))

    def _ask(self, question: _Question) -> None:
        ref, self._next = self._next, self._next % (2**32 - 1) + 1
        self._waiting[ref] = question
        self._context.send(question.build(ref), question.body)

    def answer(self, ref: int, message: Struct) -> None:
        """An answer arrived. Raises `UnexpectedAnswer` if nobody asked for it."""
        question = self._waiting.pop(ref, None)
        if question is None:
            raise UnexpectedAnswer(
                what=Reason("{kind} to no question", kind=type(message).__name__)
            )
        if isinstance(message, Error):
            refusal = Refused(message.code, message.message, message.retry_after)
            if question.patient and CODES[refusal.code].retry:
                wait = min(max(refusal.retry_after or 0.0, _SHORTEST_WAIT), _LONGEST_WAIT)
                self._later.append((self._context.now + wait, question))
            else:
                question.refused(refusal)
        elif isinstance(message, question.expected):
            question.answered(message)
        else:
            raise UnexpectedAnswer(what=type(message).__name__)

    @property
    def due(self) -> float:
        """When `tick` has something to do; monotonic seconds."""
        return min((at for at, _ in self._later), default=_NEVER)

    def tick(self) -> None:
        """Questions whose time has come are asked again."""
        now = self._context.now
        again = [question for at, question in self._later if at <= now]
        self._later = [(at, question) for at, question in self._later if at > now]
        for question in again:
            self._ask(question)

    def disconnected(self) -> None:
        """Nothing of the old connection will be answered."""
        self._waiting.clear()
        self._later.clear()
