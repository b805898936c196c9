"""An engine without network and vault: it does what a test scripts, and records what it was asked.

It keeps the promises of client/api.py: methods return at once, results come as events.
"""

import queue
from collections.abc import Callable
from pathlib import Path

from secure_chat.client.cli.session import Backend
from secure_chat.client.events import (
    AccountDeletion,
    ConnectionChanged,
    ConnectionState,
    Conversation,
    Event,
    Message,
    MessageAdded,
    MessageChanged,
    MessageState,
    PeopleChanged,
    Person,
    Safety,
    ServersData,
    Trust,
)
from secure_chat.errors import Code, Refused, SafetyNumberDiffers, SecureChatError
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.held import held_row
from secure_chat.protocol.invite import InviteLink
from tests.support.content_calls import ContentCalls, page_of
from tests.support.habit_calls import HabitCalls

ALICE, BOB = UserId("alice"), UserId("bob")
NUMBER = tuple(f"{n:05d}" for n in range(12))
ONLINE = ConnectionChanged(ConnectionState.ONLINE, tls_group="X25519MLKEM768")
MINUTE_MS = 60_000
NOON = 1_795_348_800_000  # 2026-11-22 12:00 UTC


def text_from(user_id: UserId, text: str, number: int, **more: object) -> Message:
    """A message of somebody else."""
    facts: dict[str, object] = {
        "content_id": number.to_bytes(16, "big"),
        "number": number,
        "user_id": user_id,
        "ours": False,
        "text": text,
        "time": NOON + number * MINUTE_MS,
        "state": MessageState.RECEIVED,
    }
    return Message(**(facts | more))  # type: ignore[arg-type]


class FakeEngine(HabitCalls, ContentCalls):
    """Implements `secure_chat.client.api.Engine`."""

    def __init__(self) -> None:
        super().__init__()
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.user_id = ALICE
        self.our_fingerprint = "aaaa bbbb"
        self.may_be_registered = True
        self.on_start: list[Event] = [ONLINE]
        self.on_send: list[tuple[MessageState, str]] = [(MessageState.ACCEPTED, "")]
        self.people_there: list[Person] = []
        self.lines: dict[UserId, list[Message]] = {}
        self.unread: dict[UserId, int] = {}
        self.known: dict[UserId, Safety] = {}
        self.on_open: Callable[[UserId], None] = lambda user_id: None
        self.read: list[tuple[UserId, int]] = []
        self.sent: list[tuple[UserId, str]] = []
        self.accepted_keys: list[UserId] = []
        self.verified: list[UserId] = []
        self.stopped = False
        self.servers_data = ServersData(
            (held_row("accounts", {"id": 1, "user_id": "alice", "account_key": b"k" * 32}),)
        )
        self.deletion = AccountDeletion()
        self.deletions = 0

    def start(self) -> None:
        for event in self.on_start:
            self.events.put(event)

    def stop(self) -> None:
        self.stopped = True

    def people(self) -> list[Person]:
        return self.people_there

    def conversations(self) -> list[Conversation]:
        return [
            Conversation(user_id, Trust.NEW, self.unread.get(user_id, 0), lines[-1])
            for user_id, lines in self.lines.items()
        ]

    def history(
        self,
        user_id: UserId,
        before: int | None = None,
        limit: int = 100,
        *,
        after: int | None = None,
    ) -> list[Message]:
        return page_of(self.lines.get(user_id, []), before, limit, after)

    def open_conversation(self, user_id: UserId, *, seen: bool = True) -> None:
        self.on_open(user_id)

    def mark_read(self, user_id: UserId, number: int) -> None:
        self.read.append((user_id, number))

    def put(self, event: Event) -> None:
        self.events.put(event)

    def send_text(self, user_id: UserId, text: str, *, reply_to: int | None = None) -> bytes:
        self.sent.append((user_id, text))
        content_id = len(self.sent).to_bytes(16, "big")
        ours = Message(content_id, 1, user_id, True, text, NOON, MessageState.WAITING)  # noqa: FBT003
        self.events.put(MessageAdded(ours))
        for state, problem in self.on_send:
            changed = Message(content_id, 1, user_id, True, text, NOON, state, problem=problem)  # noqa: FBT003
            self.events.put(MessageChanged(changed))
        return content_id

    def safety(self, user_id: UserId) -> Safety | None:
        return self.known.get(user_id)

    def mark_verified(self, user_id: UserId, safety_number: str) -> None:
        if safety_number.split() != list(NUMBER):
            raise SafetyNumberDiffers(user_id=user_id)
        self.verified.append(user_id)

    def accept_changed_key(self, user_id: UserId) -> None:
        self.accepted_keys.append(user_id)

    def retry(self, user_id: UserId) -> None:
        """Nothing waits here."""

    def my_data(self) -> None:
        self.events.put(self.servers_data)

    def delete_account(self) -> None:
        self.deletions += 1
        self.events.put(self.deletion)
        if self.deletion.problem is None:
            self.events.put(stopped_by(Refused(Code.ACCOUNT_DELETED)))

    def reconnect(self) -> None:
        """The connection never breaks here."""


def safety_with(user_id: UserId, trust: Trust = Trust.NEW) -> Safety:
    """What the panel would show."""
    return Safety(user_id, "aaaa bbbb", "cccc dddd", NUMBER, trust, NOON)


def everybody(*people: Person) -> PeopleChanged:
    """The event that ends the wait for the list."""
    return PeopleChanged(people, complete=True)


def stopped_by(problem: SecureChatError) -> ConnectionChanged:
    """The server refuses us for good."""
    return ConnectionChanged(ConnectionState.STOPPED, problem)


def backend_on(engine: FakeEngine, root: Path) -> Backend:
    """Profiles are empty folders; every one of them opens this engine."""

    def create(
        folder: Path, link: InviteLink, user_id: UserId, password: str, ca_file: Path | None
    ) -> FakeEngine:
        folder.mkdir(parents=True)
        return engine

    def names() -> list[str]:
        return sorted(folder.name for folder in root.iterdir()) if root.exists() else []

    return Backend(
        create, lambda folder, password: engine, names, lambda: root, lambda wish: 0, Path.rmdir
    )
