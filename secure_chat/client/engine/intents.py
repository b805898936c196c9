"""What the groups of a person's intents stand on: one transaction each, and its events after it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

import apsw

from secure_chat.client.content.rules import Ref
from secure_chat.client.engine.core import Core
from secure_chat.client.engine.network import Network
from secure_chat.client.engine.writing import Writer, Written
from secure_chat.client.events import ConversationChanged, Event, Message, PeopleChanged
from secure_chat.client.vault import Vault, history
from secure_chat.protocol.addresses import UserId

_Result = TypeVar("_Result")


class Intents(ABC):
    """A part of `ChatEngine`."""

    _vault: Vault
    _core: Core
    _network: Network

    @property
    @abstractmethod
    def our_fingerprint(self) -> str:
        """Our account's fingerprint, in groups; empty before the first connection."""

    @abstractmethod
    def _other(self, user_id: str) -> UserId:
        """The canonical name of somebody else. Raises `BadAddress`, `NotToYourself`."""

    @abstractmethod
    def _writer(self, db: apsw.Connection, user_id: UserId) -> Writer:
        """What writes in one conversation."""

    @abstractmethod
    def _write(self, user_id: UserId, write: Callable[[Writer], Written]) -> bytes:
        """Something of ours, in the vault and on its way; its content id."""

    @abstractmethod
    def _line(self, db: apsw.Connection, user_id: UserId, number: int) -> tuple[Message, Ref]:
        """A message that is here. Raises `NoSuchMessage`."""

    @abstractmethod
    def _change(self, change: Callable[[apsw.Connection], tuple[_Result, list[Event]]]) -> _Result:
        """One transaction of the calling thread, and its events after it."""

    def _standing(self, db: apsw.Connection, user_id: UserId) -> list[Event]:
        """How somebody stands now."""
        online = self._core.roster.is_online(user_id)
        return [
            PeopleChanged((history.person(db, user_id, online=online),)),
            ConversationChanged(history.conversation(db, user_id)),
        ]


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
