"""The connection's state in words, with the seconds until the next attempt."""

import math
from collections.abc import Callable

from secure_chat.client.events import ConnectionChanged, ConnectionState
from secure_chat.client.i18n import Words
from secure_chat.client.presenter.rows import Action, BannerRow, Tone
from secure_chat.client.text import one_line

_LONGEST_REASON = 300  # characters: it may come from the server


class Connection:
    """Remembers the last `ConnectionChanged` and counts down."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last = ConnectionChanged(ConnectionState.CONNECTING)
        self._retry_at: float | None = None
        self._shown_seconds: int | None = None

    def take(self, event: ConnectionChanged) -> None:
        """The state is another one."""
        self._last = event
        self._retry_at = None if event.retry_in is None else self._monotonic() + event.retry_in
        self._shown_seconds = self._seconds()

    def tick(self) -> bool:
        """Whether the banner has another number of seconds than when last asked."""
        seconds = self._seconds()
        changed = seconds != self._shown_seconds
        self._shown_seconds = seconds
        return changed

    def _seconds(self) -> int | None:
        if self._retry_at is None:
            return None
        return max(0, math.ceil(self._retry_at - self._monotonic()))

    def secured(self, words: Words) -> str:
        """How an established connection is protected."""
        if self._last.state is not ConnectionState.ONLINE:
            return ""
        if not self._last.tls_group:
            return words("Connected")
        return words("Connected · {group}", group=self._last.tls_group)

    def banner(self, words: Words) -> BannerRow | None:
        """What to say; nothing while connected."""
        state = self._last.state
        if state is ConnectionState.ONLINE:
            return None
        why = words.error(self._last.problem) if self._last.problem is not None else ""
        why = one_line(why, _LONGEST_REASON)
        if state is ConnectionState.CONNECTING:
            return BannerRow(Tone.QUIET, words("Connecting to the server…"))
        if state is ConnectionState.STOPPED:
            text = words("Disconnected. {why}", why=why)
            return BannerRow(Tone.DANGER, text.strip(), words("Connect"), Action.RECONNECT)
        text = words("No connection. {why}", why=why).strip()
        return BannerRow(
            Tone.WARNING, f"{text} {self._next(words)}", words("Try now"), Action.RECONNECT
        )

    def _next(self, words: Words) -> str:
        seconds = self._seconds()
        if not seconds:
            return words("Trying again…")
        return words.plural(
            "Trying again in {number} second.", "Trying again in {number} seconds.", seconds
        )
