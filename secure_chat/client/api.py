"""What every face (window, command line) may ask of the engine, and nothing else.

All methods return at once and may be called from any thread; what comes of them arrives in
`Engine.events`. Those that return data read the vault through a connection of the calling thread.
"""

import queue
from typing import Protocol

from secure_chat.client.events import Conversation, Event, Message, Person, Safety
from secure_chat.protocol.addresses import UserId


class Engine(Protocol):
    """The running client of one profile."""

    @property
    def events(self) -> "queue.SimpleQueue[Event]":
        """Everything that happens, in order."""

    @property
    def user_id(self) -> UserId:
        """Our own account."""

    @property
    def our_fingerprint(self) -> str:
        """Our account's fingerprint, in groups."""

    def start(self) -> None:
        """Connect, register if that has not happened yet, and stay connected."""

    def stop(self) -> None:
        """Disconnect, finish the vault's transactions, release the profile. Blocks up to 5 s."""

    def people(self) -> list[Person]:
        """Everybody known, by name."""

    def conversations(self) -> list[Conversation]:
        """All conversations, the newest first."""

    def history(
        self, user_id: UserId, before: int | None = None, limit: int = 100
    ) -> list[Message]:
        """A page of a conversation in order, ending before number ``before`` (None: the end)."""

    def open_conversation(self, user_id: UserId) -> None:
        """Fetch the contact's keys if needed, so that `safety` can answer; marks as read."""

    def mark_read(self, user_id: UserId, number: int) -> None:
        """The person has seen this conversation up to and with message ``number``."""

    def send_text(self, user_id: UserId, text: str) -> bytes:
        """Put a text into the outbox; returns its content id. Raises `TextTooLong`."""

    def safety(self, user_id: UserId) -> Safety | None:
        """Fingerprints and safety number, once the contact's key is known."""

    def mark_verified(self, user_id: UserId, safety_number: str) -> None:
        """The person compared this number. Raises `SafetyNumberDiffers` if it is not the one."""

    def accept_changed_key(self, user_id: UserId) -> None:
        """The person accepts a changed key; held messages go out to it."""

    def retry(self, user_id: UserId) -> None:
        """Try a halted outbox again."""

    def reconnect(self) -> None:
        """Connect now, after STOPPED or during a wait."""
