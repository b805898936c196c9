"""What goes on beside the screens: idleness, the lock, notifications of the desktop."""

import time
import tkinter as tk
from collections import deque
from collections.abc import Callable

from secure_chat.client.api import Engine
from secure_chat.client.events import ConnectionChanged, ConversationChanged, Event
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.notices import NAME, TEXT, Notices
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window.desktop import Desktop
from secure_chat.protocol.addresses import UserId

_GATHER_SECONDS = 0.7  # what comes together is told together
_EVENTS_A_POLL = 500
_INPUT = ("<Any-KeyPress>", "<Any-ButtonPress>", "<Motion>", "<MouseWheel>")


class Watch:
    """Hears every event of the engine, whichever screen is shown."""

    def __init__(
        self, root: tk.Tk, settings: Settings, words: Words, desktop: Desktop | None = None
    ) -> None:
        self._settings = settings
        self._desktop = desktop or Desktop()
        self._notices = self._new_notices(words)
        self._engine: Engine | None = None
        self._open: Callable[[UserId | None], object] = lambda _: None
        self._connection: ConnectionChanged | None = None
        self._last_input = time.monotonic()
        self._next_notice = 0.0
        self.looking = False
        """The person has our window in front, and it is not locked."""
        self.locked = False
        for sequence in _INPUT:
            root.bind_all(sequence, self._on_input, add="+")

    def _new_notices(self, words: Words) -> Notices:
        return Notices(words, self._style, lambda: time.time_ns() // 1_000_000)

    def _style(self) -> str:
        """A locked window shows no texts, so the desktop gets none of them either."""
        chosen = self._settings.notify
        return NAME if self.locked and chosen == TEXT else chosen

    def speak(self, words: Words) -> None:
        """Another language from now on."""
        self._notices = self._new_notices(words)
        self._learn()

    def begin(self, engine: Engine, opened: Callable[[UserId | None], object]) -> None:
        """Somebody has signed in; ``opened`` is called when a notification is pressed."""
        self._engine, self._open = engine, opened
        self._last_input = time.monotonic()
        self._learn()

    def _learn(self) -> None:
        if self._engine is not None:
            for conversation in self._engine.conversations():
                self._notices.know(ConversationChanged(conversation))

    def lock(self, engine: Engine) -> None:
        """From now on nobody else takes the engine's events."""
        self._engine, self.locked, self.looking = engine, True, False

    def unlock(self) -> list[Event]:
        """What the conversation screen needs to know that happened meanwhile, if it was locked."""
        self.locked = False
        self._last_input = time.monotonic()
        return [self._connection] if self._connection is not None else []

    def take(self, event: Event) -> None:
        """Something happened."""
        if isinstance(event, ConnectionChanged):
            self._connection = event
        self._notices.take(event, looking=self.looking)

    def poll(self) -> bool:
        """Tell the desktop what is due; whether the window has to be locked now."""
        if self.locked and self._engine is not None:
            for _ in range(_EVENTS_A_POLL):
                if self._engine.events.empty():
                    break
                self.take(self._engine.events.get_nowait())
        now = time.monotonic()
        if now >= self._next_notice:
            self._next_notice = now + _GATHER_SECONDS
            notice = self._notices.due()
            if notice is not None:
                self._desktop.show(notice)
        clicked = self._clicked()
        if clicked:
            self._open(clicked[-1])
        idle = self._settings.idle_minutes * 60
        return bool(idle) and not self.locked and now - self._last_input >= idle

    def stop(self) -> None:
        """The window closes."""
        self._desktop.stop()

    def _clicked(self) -> deque[UserId | None]:
        pressed: deque[UserId | None] = deque()
        while not self._desktop.pressed.empty():
            pressed.append(self._desktop.pressed.get_nowait())
        return pressed

    def _on_input(self, _event: object) -> None:
        self._last_input = time.monotonic()
