"""What can be decided about somebody, as the menu of a person shows it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from secure_chat.client.api import Engine
from secure_chat.client.events import Conversation
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.clock import Times
from secure_chat.client.presenter.people import People
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId


class Deed(Enum):
    """Something that is decided about somebody."""

    ACCEPT = auto()
    VERIFY = auto()
    RENAME = auto()
    PIN = auto()
    UNPIN = auto()
    MUTE_HOUR = auto()
    MUTE_DAY = auto()
    MUTE = auto()
    UNMUTE = auto()
    ARCHIVE = auto()
    UNARCHIVE = auto()
    BLOCK = auto()
    UNBLOCK = auto()
    DELETE = auto()


ASKED_FIRST = {Deed.BLOCK, Deed.DELETE}
"""What cannot be undone, or hurts, is asked about first."""


@dataclass(frozen=True)
class Choice:
    """A line of the menu; ``apart``: a rule above it."""

    deed: Deed
    text: str
    apart: bool = False
    danger: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked before a deed of `ASKED_FIRST`."""

    title: str
    text: str
    button: str


def choices(conversation: Conversation | None, now_ms: int, words: Words) -> list[Choice]:
    """What can be decided about somebody now; None: nothing was said yet."""
    one = conversation
    if one is not None and one.request:
        return [
            Choice(Deed.ACCEPT, words("Accept")),
            Choice(Deed.DELETE, words("Delete the request…"), apart=True, danger=True),
            Choice(Deed.BLOCK, words("Block…"), danger=True),
        ]
    muted = one is not None and one.muted_until > now_ms
    found = [Choice(Deed.VERIFY, words("Safety number and verification…"))]
    found.append(Choice(Deed.RENAME, words("A name of your own for them…")))
    pinned = one is not None and one.pinned > 0
    found.append(
        Choice(Deed.UNPIN, words("Unpin"), apart=True)
        if pinned
        else Choice(Deed.PIN, words("Pin to the top"), apart=True)
    )
    if muted:
        found.append(Choice(Deed.UNMUTE, words("Unmute")))
    else:
        found.append(Choice(Deed.MUTE_HOUR, words("Mute for an hour")))
        found.append(Choice(Deed.MUTE_DAY, words("Mute for a day")))
        found.append(Choice(Deed.MUTE, words("Mute until you unmute")))
    archived = one is not None and one.archived
    found.append(
        Choice(Deed.UNARCHIVE, words("Take out of the archive"))
        if archived
        else Choice(Deed.ARCHIVE, words("Archive"))
    )
    blocked = one is not None and one.blocked
    found.append(
        Choice(Deed.UNBLOCK, words("Unblock"), apart=True)
        if blocked
        else Choice(Deed.BLOCK, words("Block…"), apart=True, danger=True)
    )
    found.append(Choice(Deed.DELETE, words("Delete the conversation…"), danger=True))
    return found


def question(deed: Deed, conversation: Conversation | None, name: UserId, words: Words) -> Question:
    """What to ask before it is done."""
    request = conversation is not None and conversation.request
    if deed is Deed.BLOCK:
        return Question(
            words("Block {name}?", name=name),
            words(
                "Nothing that {name} sends is shown or kept from now on, and nothing goes to "
                "{name}. They are not told, but may notice that no message is ever delivered.",
                name=name,
            ),
            words("Block"),
        )
    if request:
        return Question(
            words("Delete the request of {name}?", name=name),
            words("What {name} wrote is deleted unread. They may ask again.", name=name),
            words("Delete"),
        )
    return Question(
        words("Delete the conversation with {name}?", name=name),
        words(
            "Every message leaves this device, and what has not been sent stays unsent. {name} "
            "keeps what has arrived.",
            name=name,
        ),
        words("Delete"),
    )


def do(engine: Engine, user_id: UserId, deed: Deed) -> None:
    """Tell the engine. VERIFY and RENAME are the window's: they need more from the person."""
    deeds: dict[Deed, Callable[[], object]] = {
        Deed.ACCEPT: lambda: engine.accept_request(user_id),
        Deed.PIN: lambda: engine.pin(user_id, pinned=True),
        Deed.UNPIN: lambda: engine.pin(user_id, pinned=False),
        Deed.MUTE_HOUR: lambda: engine.mute(user_id, limits.HOUR),
        Deed.MUTE_DAY: lambda: engine.mute(user_id, limits.DAY),
        Deed.MUTE: lambda: engine.mute(user_id, None),
        Deed.UNMUTE: lambda: engine.mute(user_id, 0),
        Deed.ARCHIVE: lambda: engine.archive(user_id, archived=True),
        Deed.UNARCHIVE: lambda: engine.archive(user_id, archived=False),
        Deed.BLOCK: lambda: engine.block(user_id),
        Deed.UNBLOCK: lambda: engine.unblock(user_id),
        Deed.DELETE: lambda: engine.delete_conversation(user_id),
    }
    deeds[deed]()


class Deciding(ABC):
    """The part of `Chat` that decides about people."""

    _: Words
    _engine: Engine
    _people: People
    _times: Times

    @property
    @abstractmethod
    def selected(self) -> UserId | None:
        """Who the selected conversation is with."""

    @abstractmethod
    def _do(self, ask: Callable[[], object]) -> bool:
        """Ask the engine for something; a refusal is said, and answered with False."""

    @abstractmethod
    def _decided(self, *, stays: bool) -> None:
        """Something was decided about the selected person; whether the conversation stays open."""

    @abstractmethod
    def _list_changed(self) -> None:
        """The list of people has to be drawn again."""

    @property
    def engine(self) -> Engine:
        """What the pages beside the conversation speak to."""
        return self._engine

    @property
    def times(self) -> Times:
        """Words for times."""
        return self._times

    def conversation_with(self, user_id: UserId) -> Conversation | None:
        """How a conversation stands; None if nothing was said."""
        return self._people.conversation(user_id)

    def our_name_for(self, user_id: UserId) -> str:
        """What we call somebody here; empty: by the account's name."""
        return self._people.names(user_id)[0]

    @property
    def request(self) -> UserId | None:
        """Whose request is selected: a stranger's, of which nothing is shown."""
        selected = self.selected
        conversation = self.conversation_with(selected) if selected is not None else None
        return selected if conversation is not None and conversation.request else None

    def look_alike_words(self, user_id: UserId) -> str:
        """What to know before one takes somebody for a friend of that name; nothing otherwise."""
        like = self._people.looks_like(user_id)
        if like is None:
            return ""
        return self._(
            "{name} looks like {other}, whom you know, and is somebody else's account or a second "
            "one. Ask {other} by another way before you accept.",
            name=user_id,
            other=like,
        )

    @property
    def archived(self) -> int:
        """How many conversations are in the archive."""
        return self._people.archived

    @property
    def shows_archive(self) -> bool:
        """Whether the list is that of the archive."""
        return self._people.show_archived

    def show_archive(self, *, shown: bool) -> None:
        """The archive, or the list of everybody else."""
        self._people.show_archived = shown
        self._list_changed()

    def choices(self, user_id: UserId) -> list[Choice]:
        """What can be decided about somebody."""
        return choices(self.conversation_with(user_id), self._times.now_ms, self._)

    def decide(self, user_id: UserId, deed: Deed) -> bool:
        """Decide something about somebody; deleting leaves the conversation."""
        done = self._do(lambda: do(self._engine, user_id, deed))
        if done and user_id == self.selected:
            self._decided(stays=self._stays(user_id, deed))
        return done

    def _stays(self, user_id: UserId, deed: Deed) -> bool:
        """Whether a conversation stays open: a blocked one does, unless it was a request."""
        if deed is Deed.BLOCK:
            conversation = self.conversation_with(user_id)
            return conversation is not None and not conversation.request
        return deed not in {Deed.DELETE, Deed.ARCHIVE}

    def accept_changed_key(self) -> bool:
        """Go on with a changed key that nobody compared."""
        user_id = self.selected
        if user_id is None:
            return False
        done = self._do(lambda: self._engine.accept_changed_key(user_id))
        self._decided(stays=True)
        return done


def decided(conversation: Conversation) -> tuple[object, ...]:
    """What a person decided that the header or the composer shows."""
    one = conversation
    return one.request, one.blocked, one.name, one.display_name, one.muted_until
