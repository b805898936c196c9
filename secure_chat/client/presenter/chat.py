"""The conversation screen without its widgets: events and actions in, rows and texts out."""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

from secure_chat.client.api import Engine
from secure_chat.client.events import (
    AccountDeletion,
    ChangeSent,
    ConnectionChanged,
    ConnectionState,
    Conversation,
    ConversationChanged,
    Event,
    FileProgress,
    KeyChanged,
    MessageAdded,
    MessageChanged,
    MessageRemoved,
    PeopleChanged,
    Problem,
    ServersData,
    TypingChanged,
)
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import standing
from secure_chat.client.presenter.clock import Clock, Times, system_clock
from secure_chat.client.presenter.connection import Connection
from secure_chat.client.presenter.deciding import Deciding, decided
from secure_chat.client.presenter.people import People, PersonRows
from secure_chat.client.presenter.rows import (
    Action,
    BannerRow,
    ComposerRow,
    HeaderRow,
    Mark,
    PanelRow,
    Part,
    ResultRow,
)
from secure_chat.client.presenter.search import Search
from secure_chat.client.presenter.talk import Talk
from secure_chat.client.presenter.timeline import Change, Reset, Timeline
from secure_chat.client.presenter.trust import panel
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
_LONGEST_PROBLEM = 500  # characters: some of it may come from a server
_EVENTS_A_POLL = 500  # so that a flood of events cannot hold the window's thread


class Chat(Deciding):
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
        self._monotonic = monotonic
        self._next_tick = 0.0
        self._people = People(engine.user_id)
        self._connection = Connection(monotonic)
        self._search = Search(engine)
        self._talk: Talk | None = None
        self.listeners: list[Callable[[Event], object]] = []
        """Who else hears every event, in order: notifications, pages that wait for an answer."""
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
    def conversation(self) -> Conversation | None:
        """What the engine says of the selected conversation, if it has begun."""
        return self._people.conversation(self.selected) if self.selected is not None else None

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
        return standing.header(self._people, self.selected, self._, self._times)

    @property
    def warning(self) -> BannerRow | None:
        """What stands between the person and sending in this conversation."""
        if self.selected is None:
            return None
        mark = self._people.mark(self.selected)
        return standing.warning(mark, self.selected, self.timeline.held, self.conversation, self._)

    @property
    def composer(self) -> ComposerRow:
        """Whether writing is possible."""
        mark = self._people.mark(self.selected) if self.selected is not None else Mark.NONE
        composing = self._talk.composing if self._talk is not None else None
        return standing.composer(mark, self.selected, composing, self.conversation, self._)

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
        return self._talk.composing.text if self._talk is not None else ""

    @property
    def found(self) -> list[ResultRow]:
        """The messages that the search has found."""
        return self._search.rows(self._, self._times)

    # ------------------------------------------------------------ what a person does

    def find(self, text: str) -> None:
        """Narrow the list to people of that name, and look for messages."""
        self._people.search = text
        self._do(lambda: self._search.find(text))
        self._need(Part.PEOPLE)

    def matching(self, text: str) -> PersonRows:
        """People of that name, whatever the list is narrowed to."""
        return self._people.rows(None, self._, self._times, text)

    def select(self, user_id: UserId) -> None:
        """Open a conversation."""
        if user_id == self.selected:
            return
        self._leave()
        self._open(user_id)
        self._do(lambda: self._engine.open_conversation(user_id, seen=False))
        self._read_selected()
        self._need(*Part)

    def open_at(self, user_id: UserId, number: int) -> bool:
        """Open a conversation at one of its messages; False if that is not here any more."""
        self.select(user_id)
        return self._talk is not None and self._talk.jump(number)

    def resume(self) -> bool:
        """Open the conversation that was open when the program ended; whether there was one."""
        last = self._engine.last_opened()
        if last is None or self._people.conversation(last) is None:
            return False
        self.select(last)
        return True

    def viewed(self, index: int) -> None:
        """The person sees the rows of the selected conversation up to this one."""
        if self._talk is not None:
            self._talk.viewed(index)
            self._read_selected()

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
        if self._talk is not None:
            self._talk.composing.text = text
            self._talk.composing.save()

    def need_composer(self) -> None:
        """An answer or an edit begins or ends."""
        self._need(Part.COMPOSER)

    def written(self, text: str) -> None:
        """The composer holds another text."""
        if self._talk is not None and self._talk.composing.written(text):
            self._need(Part.COMPOSER)

    def send(self, text: str) -> bool:
        """Send to the selected contact; False leaves the text in the composer."""
        talk = self._talk
        if talk is None or not self.composer.enabled:
            return False
        talk.composing.text = text
        if not talk.composing.send():
            return False
        if not talk.timeline.at_end:
            talk.to_end()
        self._need(Part.COMPOSER)
        return True

    def forward(self, numbers: Iterable[int], user_id: UserId) -> bool:
        """Send the texts of these messages to somebody, and go there."""
        if self._talk is None:
            return False
        texts = self._talk.texts(numbers)
        sent = all(self._do(partial(self._engine.send_text, user_id, text)) for text in texts)
        if sent and texts:
            self.select(user_id)
        return sent and bool(texts)

    def load_earlier(self) -> bool:
        """Read an earlier page of the conversation; whether there was one."""
        return self._talk is not None and self._talk.load_earlier()

    def _decided(self, *, stays: bool) -> None:
        if not stays:
            self._talk = None
        self._need(*Part)

    def _list_changed(self) -> None:
        self._need(Part.PEOPLE)

    def act(self, action: Action) -> None:
        """A button in a banner that needs no dialogue."""
        if action is Action.RECONNECT:
            self._do(self._engine.reconnect)
        elif action is Action.RETRY and self._talk is not None:
            self._talk.retry()

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
        if self._talk is not None and self._monotonic() >= self._next_tick:
            self._next_tick = self._monotonic() + _TICK_SECONDS
            self._talk.tick()

    def take_changes(self) -> tuple[set[Part], list[Change]]:
        """What has to be drawn, and forget it."""
        changed, self.changed = self.changed, set()
        rows: list[Change] = []
        if self._talk is not None:
            rows, self._talk.changes = self._talk.changes, rows
        return changed, rows

    def _take(self, event: Event) -> None:
        for hear in tuple(self.listeners):
            hear(event)
        match event:
            case ConnectionChanged():
                self._connection.take(event)
                self._need(Part.BANNER)
                if event.state is ConnectionState.ONLINE:
                    self._need(Part.PANEL)  # our keys are made with the first connection
                else:
                    self._need(Part.HEADER, Part.PEOPLE)
            case PeopleChanged(people=people, complete=complete, listed=listed):
                self._people.update(people, complete=complete, listed=listed)
                self._need(Part.PEOPLE, Part.HEADER)
                if any(person.user_id == self.selected for person in people):
                    self._need(Part.PANEL, Part.COMPOSER)
            case ConversationChanged(conversation=conversation):
                self._take_conversation(conversation)
            case MessageAdded() | MessageChanged() | MessageRemoved() | FileProgress():
                if self._talk is not None and self._talk.take(event):
                    self._need(Part.COMPOSER)
            case KeyChanged(user_id=user_id):
                self._need(Part.PEOPLE)
                if user_id == self.selected:
                    self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
            case _:
                self._take_rarer(event)

    def _take_rarer(self, event: Event) -> None:
        match event:
            case ChangeSent(problem=problem):
                if problem:
                    self.report(problem)
            case ServersData() | AccountDeletion():
                pass  # a page's, which listens by itself
            case TypingChanged(user_id=user_id, active=active):
                self._people.set_writing(user_id, active=active)
                self._need(Part.PEOPLE)
                if user_id == self.selected:
                    self._need(Part.HEADER)
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
        if before is not None and before.timer != conversation.timer:
            self._need(Part.HEADER)
        if before is None or before.trust is not conversation.trust:
            # Not for each message: a safety number costs thousands of hashes.
            self._need(Part.HEADER, Part.PANEL, Part.COMPOSER)
        elif decided(before) != decided(conversation):
            self._need(Part.HEADER, Part.COMPOSER)
        self._read_selected()

    def _read_selected(self) -> None:
        """What a person is looking at counts as read."""
        talk = self._talk
        if talk is None or not self.looking:
            return
        conversation = self._people.conversation(talk.user_id)
        if conversation is not None and conversation.unread:
            talk.read(conversation)

    def _open(self, user_id: UserId) -> None:
        self._talk = Talk(
            self._engine, user_id, self._, self._times, self._do, self._monotonic,
            standing=self._people.conversation(user_id),
        )  # fmt: skip

    def _leave(self) -> None:
        """What was being written stays for the next time."""
        if self._talk is not None:
            self._talk.composing.leave()

    def close(self) -> None:
        """The window closes: keep what is being written."""
        self._leave()

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
