"""The conversation screen without its widgets: events and actions in, rows and texts out."""

import logging
import time
from collections.abc import Callable, Iterable
from enum import Enum, auto

from secure_chat.client.api import Engine
from secure_chat.client.events import (
    ChangeSent,
    ConnectionChanged,
    ConnectionState,
    Conversation,
    ConversationChanged,
    Event,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
    PeopleChanged,
    Problem,
    TypingChanged,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import standing
from secure_chat.client.presenter.clock import Clock, Times, system_clock
from secure_chat.client.presenter.connection import Connection
from secure_chat.client.presenter.people import People, PersonRows, trust_word
from secure_chat.client.presenter.rows import (
    Action,
    BannerRow,
    ComposerRow,
    HeaderRow,
    Mark,
    PanelRow,
)
from secure_chat.client.presenter.talk import Talk
from secure_chat.client.presenter.timeline import Change, Reset, Timeline
from secure_chat.client.presenter.trust import panel
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId

_log = logging.getLogger(__name__)
_LONGEST_PROBLEM = 500  # characters: some of it may come from a server
_EVENTS_A_POLL = 500  # so that a flood of events cannot hold the window's thread


class Part(Enum):
    """A part of the screen that has to be drawn again."""

    PEOPLE = auto()
    HEADER = auto()
    PANEL = auto()
    BANNER = auto()
    COMPOSER = auto()
    PROBLEM = auto()
    TITLE = auto()


class Chat:
    """All that the conversation screen shows, and all that a person can do there.

    Only the window's thread calls it. What has to be drawn gathers; the window takes it
    (`take_changes`) after each `poll` and after each action.
    """

    def __init__(
        self,
        engine: Engine,
        words: Words,
        *,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._people = People(engine.user_id)
        self._connection = Connection(monotonic)
        self._drafts: dict[UserId, str] = {}
        self._talk: Talk | None = None
        self.problem = ""
        self.looking = True  # the person has this window in front
        self.changed: set[Part] = set()
        self._panel: PanelRow | None = None  # kept: its safety number costs a tenth of a second
        self.speak(words)
        self._people.update(engine.people())
        for conversation in engine.conversations():
            self._people.put(conversation)

    # ------------------------------------------------------------ language

    def speak(self, words: Words) -> None:
        """Another language from now on; everything is drawn again."""
        self._ = words
        self._times = Times(words, self._clock)
        self._need(*Part)
        if self.selected is not None:
            self._open(self.selected)

    # ------------------------------------------------------------ what is drawn

    @property
    def title(self) -> str:
        """The window's title: unread messages first, so that a task bar shows them."""
        name = f"secure_chat · {self._engine.user_id}"
        unread = self._people.unread
        return f"({self._.digits(unread)}) {name}" if unread else name

    @property
    def our_name(self) -> UserId:
        """Who we are."""
        return self._engine.user_id

    @property
    def people(self) -> PersonRows:
        """The list of people."""
        return self._people.rows(self.selected, self._, self._times)

    @property
    def people_hint(self) -> str:
        """What stands in the place of an empty list."""
        if self._people.search:
            return self._("Nobody of that name.")
        return self._("Nobody else is here yet. Invite a friend with an invite link.")

    @property
    def talk(self) -> Talk | None:
        """The selected conversation."""
        return self._talk

    @property
    def selected(self) -> UserId | None:
        """Who the selected conversation is with."""
        return self._talk.user_id if self._talk is not None else None

    @property
    def timeline(self) -> Timeline:
        """The rows of the selected conversation."""
        return self._talk.timeline if self._talk is not None else Timeline(self._, self._times)

    @property
    def banner(self) -> BannerRow | None:
        """How the connection stands, unless all is well."""
        return self._connection.banner(self._)

    @property
    def secured(self) -> str:
        """How the connection is protected, for the foot of the list."""
        return self._connection.secured(self._)

    @property
    def header(self) -> HeaderRow | None:
        """Who the selected conversation is with."""
        if self.selected is None:
            return None
        online = self._people.is_online(self.selected)
        mark = self._people.mark(self.selected)
        status = self._("here now") if online else self._("not here: messages wait on the server")
        return HeaderRow(self.selected, status, online, mark, trust_word(mark, self._))

    @property
    def warning(self) -> BannerRow | None:
        """What stands between the person and sending in this conversation."""
        if self.selected is None:
            return None
        mark = self._people.mark(self.selected)
        return standing.warning(mark, self.selected, self.timeline.held, self._)

    @property
    def composer(self) -> ComposerRow:
        """Whether writing is possible."""
        mark = self._people.mark(self.selected) if self.selected is not None else Mark.NONE
        return standing.composer(mark, self.selected, self._)

    @property
    def panel(self) -> PanelRow:
        """Fingerprints and trust."""
        if self._panel is None:
            other, engine = self.selected, self._engine
            safety = engine.safety(other) if other is not None else None
            self._panel = panel(
                engine.user_id, engine.our_fingerprint, other, safety, self._, self._times
            )
        return self._panel

    @property
    def draft(self) -> str:
        """What was being written in the selected conversation."""
        return self._drafts.get(self.selected, "") if self.selected is not None else ""

    # ------------------------------------------------------------ what a person does

    def find(self, text: str) -> None:
        """Narrow the list."""
        self._people.search = text
        self._need(Part.PEOPLE)

    def select(self, user_id: UserId) -> None:
        """Open a conversation."""
        if user_id == self.selected:
            return
        self._open(user_id)
        self._do(lambda: self._engine.open_conversation(user_id))
        self._need(*Part)

    def select_next(self, step: int) -> None:
        """The conversation so many lines further down (up: negative)."""
        rows = self.people
        if not rows:
            return
        here = rows.place(self.selected)
        if here is None:
            here = -1 if step > 0 else 0
        self.select(rows[(here + step) % len(rows)].user_id)

    def keep_draft(self, text: str) -> None:
        """Remember what is being written while another conversation is open."""
        if self.selected is None:
            return
        if text.strip():
            self._drafts[self.selected] = text
        else:
            self._drafts.pop(self.selected, None)

    def send(self, text: str) -> bool:
        """Send to the selected contact; False leaves the text in the composer."""
        text = text.strip()
        talk = self._talk
        if not text or talk is None or not self.composer.enabled:
            return False
        sent = talk.send(text)
        if sent:
            self._drafts.pop(talk.user_id, None)
        return sent

    def load_earlier(self) -> bool:
        """Read an earlier page of the conversation; whether there was one."""
        return self._talk is not None and self._talk.load_earlier()

    def mark_verified(self, safety_number: tuple[str, ...]) -> bool:
        """The person compared these groups with the contact, and they are the same."""
        user_id = self.selected
        if user_id is None:
            return False
        number = " ".join(safety_number)
        self._need(Part.PANEL, Part.HEADER, Part.COMPOSER, Part.PEOPLE)
        return self._do(lambda: self._engine.mark_verified(user_id, number))

    def accept_changed_key(self) -> bool:
        """Go on with a changed key that nobody compared."""
        user_id = self.selected
        if user_id is None:
            return False
        self._need(Part.PANEL, Part.HEADER, Part.COMPOSER, Part.PEOPLE)
        return self._do(lambda: self._engine.accept_changed_key(user_id))

    def act(self, action: Action) -> None:
        """A button in a banner that needs no dialogue."""
        if action is Action.RECONNECT:
            self._do(self._engine.reconnect)
        elif action is Action.RETRY and self.selected is not None:
            user_id = self.selected
            self._do(lambda: self._engine.retry(user_id))

    def dismiss_problem(self) -> None:
        """The person has read it."""
        self.problem = ""
        self._need(Part.PROBLEM)

    def look(self, *, looking: bool) -> None:
        """The window came to the front or went away: what is in front counts as read."""
        self.looking = looking
        if looking:
            self._read_selected()

    def report(self, text: str) -> None:
        """Say something that went wrong, already in words."""
        self.problem = text if len(text) <= _LONGEST_PROBLEM else text[:_LONGEST_PROBLEM] + "…"
        self._need(Part.PROBLEM)

    # ------------------------------------------------------------ what the engine tells

    def poll(self, first: Iterable[Event] = ()) -> None:
        """Take in what has happened since the last call, at most a few hundred events."""
        for event in first:
            self._take(event)
        for _ in range(_EVENTS_A_POLL):
            if self._engine.events.empty():
                break
            self._take(self._engine.events.get_nowait())
        if self._connection.tick():
            self._need(Part.BANNER)

    def take_changes(self) -> tuple[set[Part], list[Change]]:
        """What has to be drawn, and forget it."""
        changed, self.changed = self.changed, set()
        rows: list[Change] = []
        if self._talk is not None:
            rows, self._talk.changes = self._talk.changes, rows
        return changed, rows

    def _take(self, event: Event) -> None:
        match event:
            case ConnectionChanged():
                self._connection.take(event)
                self._need(Part.BANNER)
                if event.state is ConnectionState.ONLINE:
                    self._need(Part.PANEL)  # our keys are made with the first connection
                else:
                    self._need(Part.HEADER, Part.PEOPLE)
            case PeopleChanged(people=people, complete=complete):
                self._people.update(people, complete=complete)
                self._need(Part.PEOPLE, Part.HEADER)
                if any(person.user_id == self.selected for person in people):
                    self._need(Part.PANEL, Part.COMPOSER)
            case ConversationChanged(conversation=conversation):
                self._take_conversation(conversation)
            case MessageAdded(message=message) | MessageChanged(message=message):
                if self._talk is not None and message.user_id == self._talk.user_id:
                    self._talk.put(message)
                    if message.ours:
                        self._need(Part.COMPOSER)  # it may be held now, or not any more
            case KeyChanged(user_id=user_id):
                self._need(Part.PEOPLE)
                if user_id == self.selected:
                    self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
            case _:
                self._take_rarer(event)

    def _take_rarer(self, event: Event) -> None:
        match event:
            case MessageRemoved(user_id=user_id, number=number):
                if self._talk is not None and user_id == self._talk.user_id:
                    self._talk.removed(number)
            case ChangeSent(problem=problem):
                if problem:
                    self.report(problem)
            case TypingChanged():
                pass  # drawn by a later window; nothing is lost by leaving it out
            case Problem(error=error, user_id=user_id):
                said = self._.error(error)
                self.report(f"{user_id}: {said}" if user_id is not None else said)
            case _:
                _log.warning("Unknown event %s", type(event).__name__)

    def _take_conversation(self, conversation: Conversation) -> None:
        before = self._people.conversation(conversation.user_id)
        self._people.put(conversation)
        self._need(Part.PEOPLE, Part.TITLE)
        if conversation.user_id != self.selected:
            return
        if before is None or before.trust is not conversation.trust:
            # Not for each message: a safety number costs thousands of hashes.
            self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
        self._read_selected()

    def _read_selected(self) -> None:
        """What a person is looking at counts as read."""
        talk = self._talk
        if talk is None or not self.looking:
            return
        conversation = self._people.conversation(talk.user_id)
        if conversation is not None and conversation.unread:
            talk.read()

    def _open(self, user_id: UserId) -> None:
        self._talk = Talk(self._engine, user_id, self._, self._times, self._do)

    def _need(self, *parts: Part) -> None:
        """These parts have to be drawn again."""
        self.changed.update(parts)
        if Part.PANEL in parts:
            self._panel = None

    def _do(self, ask: Callable[[], object]) -> bool:
        """Ask the engine for something; a refusal is said, and answered with False."""
        try:
            ask()
        except SecureChatError as error:
            self.report(self._.error(error))
            return False
        return True


__all__ = ["Chat", "Part", "Reset"]
