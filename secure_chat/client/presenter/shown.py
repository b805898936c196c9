"""What the conversation screen shows: rows and texts made of what is known."""

import time
from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.events import Conversation, Event
from secure_chat.client.i18n import Words
from secure_chat.client.presenter import standing
from secure_chat.client.presenter.clock import Clock, Times, system_clock
from secure_chat.client.presenter.connection import Connection
from secure_chat.client.presenter.deciding import Deciding
from secure_chat.client.presenter.people import People, PersonRows
from secure_chat.client.presenter.rows import (
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
from secure_chat.client.presenter.timeline import Timeline
from secure_chat.client.presenter.trust import panel
from secure_chat.client.said import Said
from secure_chat.errors import SecureChatError
from secure_chat.protocol.addresses import UserId

_LONGEST_PROBLEM = 500  # characters: some of it may come from a server


class Shown(Deciding):
    """The part of `Chat` that is drawn, and the state that it is drawn from."""

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
        self._problem: Callable[[], str] = str  # made anew in another language
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
        return self._search.rows(self._, self._times, self.our_name_for)

    def matching(self, text: str) -> PersonRows:
        """People of that name, whatever the list is narrowed to."""
        return self._people.rows(None, self._, self._times, text)

    # ------------------------------------------------------------ what the other parts call

    def _open(self, user_id: UserId) -> None:
        self._talk = Talk(
            self._engine, user_id, self._, self._times, self._do, self._monotonic,
            standing=self._people.conversation(user_id),
        )  # fmt: skip

    def _decided(self, *, stays: bool) -> None:
        if not stays:
            self._talk = None
        self._need(*Part)

    def _list_changed(self) -> None:
        self._need(Part.PEOPLE)

    def report(self, text: str, about: UserId | None = None) -> None:
        """Say something that went wrong; a `Said` in whichever language is spoken then."""

        def said() -> str:
            line = self._.sentence(text, about or "")
            return f"{about}: {line}" if about is not None else line

        self._problem = said
        self._need(Part.PROBLEM)

    @property
    def problem(self) -> str:
        """What went wrong last and was not put away yet; empty: nothing."""
        text = self._problem()
        return text if len(text) <= _LONGEST_PROBLEM else text[:_LONGEST_PROBLEM] + "…"

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
            self.report(Said.of(error))
            return False
        return True
