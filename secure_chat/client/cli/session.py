"""Between the commands and the engine: waiting for events with a deadline."""

import math
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.events import ConnectionChanged, ConnectionState, Event, KeyChanged
from secure_chat.errors import CertificateRefused, NotDone, SecureChatError
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink

_SLICE = 0.25  # Windows delivers Ctrl-C only between waits


class WindowWish(Struct, frozen=True):
    """What the command line asks of the window; None leaves the choice to the window."""

    profile: Path | None = None
    link: str = ""
    ca_file: Path | None = None
    language: str | None = None
    theme: str | None = None


class Backend(Struct, frozen=True):
    """What the commands stand on, so that a test can put a scripted engine under them."""

    create: Callable[[Path, InviteLink, UserId, str, Path | None], Engine]
    open: Callable[[Path, str], Engine]
    profiles: Callable[[], list[str]]  # names under `root`
    root: Callable[[], Path]
    window: Callable[[WindowWish], int]
    remove: Callable[[Path], None]


class Events:
    """The engine's events, with what they say about the connection."""

    def __init__(self, engine: Engine, *, told: bool = False) -> None:
        self._queue = engine.events
        self._told = told  # whether changes of the connection are worth a note
        self.online = False
        self.trouble: SecureChatError | None = None

    def until(self, deadline: float | None) -> Iterator[Event]:
        """Events as they come, up to ``deadline`` (monotonic seconds; None: for ever).

        Raises what stopped the engine, when it will not come back by itself.
        """
        while (event := self._next(deadline)) is not None:
            if isinstance(event, ConnectionChanged):
                self._connection(event)
            elif isinstance(event, KeyChanged):
                output.note(changed_key_words(event))
            yield event

    def _next(self, deadline: float | None) -> Event | None:
        while True:
            left = _SLICE if deadline is None else min(_SLICE, deadline - time.monotonic())
            if left <= 0:
                return None
            try:
                return self._queue.get(timeout=left)
            except queue.Empty:
                continue

    def _connection(self, change: ConnectionChanged) -> None:
        self.online = change.state is ConnectionState.ONLINE
        if change.problem is not None or self.online:
            self.trouble = change.problem
        if change.state is ConnectionState.STOPPED:
            raise change.problem or NotDone(what=words("The connection was ended."))
        if isinstance(change.problem, CertificateRefused) and not self._told:
            raise change.problem  # a command that ends by itself need not wait for another server
        if self._told and (said := connection_words(change)):
            output.note(said)

    def why_late(self) -> str:
        """The end of a sentence about something that did not happen in time."""
        if self.online:
            return words("although the server was connected")
        if self.trouble is not None:
            why = output.one_line(words.error(self.trouble)).rstrip(".")
            return words("no connection: {why}", why=why)
        return words("no connection with the server yet")


def connection_words(change: ConnectionChanged) -> str:
    """A note about the connection; empty when there is nothing to say."""
    if change.state is ConnectionState.ONLINE:
        group = change.tls_group or "TLS 1.3"
        return words("online ({group})", group=group)
    if change.state is not ConnectionState.OFFLINE or change.problem is None:
        return ""
    said = words("offline: {why}", why=words.error(change.problem))
    if change.retry_in is not None:
        said += " " + words.digits(words("Next try in {n:.0f} s.", n=math.ceil(change.retry_in)))
    return said


def changed_key_words(event: KeyChanged) -> str:
    """A changed key is never silent."""
    warning = words("WARNING: the key of {user_id} is another one than before.")
    if event.was_verified:
        warning += " " + words("You had verified it: nothing is sent until you decide.")
    hint = words("See secure-chat fingerprint {user_id} and secure-chat accept-key {user_id}.")
    return f"{warning} {hint}".format(user_id=event.user_id)


@contextmanager
def closing(engine: Engine) -> Iterator[Engine]:
    """Release the profile at the end, whatever happens."""
    try:
        yield engine
    finally:
        engine.stop()


def deadline_in(seconds: float) -> float:
    """Monotonic seconds."""
    return time.monotonic() + seconds
