"""Who is online, and telling those who asked: changes are gathered for a second.

A change that 1,000 connections watch costs 11 ms, nearly all of it for TLS and the kernel. So it is
told to a few of them in each turn of the I/O thread: messages have their turns in between.
"""

from collections import deque
from collections.abc import Callable
from typing import Final

from secure_chat.protocol import limits
from secure_chat.protocol.frames import encode_frame
from secure_chat.protocol.messages import Presence, encode_header
from secure_chat.server.core.session import Session

_AT_ONCE: Final = 100  # watchers that are told in one turn: about a millisecond


class PresenceBoard:
    """An account is online while one of its devices is logged in.

    ``soon`` runs a call at the I/O thread's next turn.
    """

    def __init__(self, soon: Callable[[Callable[[], None]], None]) -> None:
        self._soon = soon
        self._devices: dict[str, int] = {}
        # Of those who changed: how they were announced last; None if not everybody knows the same.
        self._before: dict[str, bool | None] = {}
        self._watchers: set[Session] = set()  # of everybody
        self._watched: dict[str, set[Session]] = {}  # who follows a name
        self._names: dict[Session, frozenset[str]] = {}  # and the other way round
        # Who is still to be told of the last changes, what they followed then, and the frames.
        self._telling: deque[tuple[Session, frozenset[str] | None, list[bytes]]] = deque()
        self._told_at = 0.0

    def is_online(self, user_id: str) -> bool:
        """Whether one of the account's devices is logged in: an answer to somebody who asks.

        Who is told of a change before it is announced has to hear of it even if it is changed back.
        """
        if user_id in self._before:
            self._before[user_id] = None
        return user_id in self._devices

    def came(self, user_id: str) -> None:
        """A device has logged in."""
        self._before.setdefault(user_id, user_id in self._devices)
        self._devices[user_id] = self._devices.get(user_id, 0) + 1

    def went(self, user_id: str) -> None:
        """A device is gone."""
        self._before.setdefault(user_id, True)
        left = self._devices[user_id] - 1
        if left:
            self._devices[user_id] = left
        else:
            del self._devices[user_id]

    def watch(self, session: Session, *, wanted: bool, names: frozenset[str] | None = None) -> None:
        """Tell a session of changes from now on, or no longer: of everybody, or of ``names``."""
        self._watchers.discard(session)
        for name in self._names.pop(session, ()):
            followers = self._watched[name]
            followers.discard(session)
            if not followers:
                del self._watched[name]
        if not wanted:
            return
        if names is None:
            self._watchers.add(session)
            return
        self._names[session] = names
        for name in names:
            self._watched.setdefault(name, set()).add(session)

    def watched_by(self, session: Session) -> str | None:
        """Whom a session follows: nobody (None), ``everybody``, or names with spaces between."""
        if session in self._watchers:
            return "everybody"
        names = self._names.get(session)
        return None if names is None else " ".join(sorted(names))

    def tick(self, now: float) -> None:
        """Tell what changed in the last second, if it did not change back."""
        if now - self._told_at < limits.PRESENCE_SECONDS:
            return
        self._told_at = now
        before, self._before = self._before, {}
        changed = {user: online for user, was in before.items()
                   if (online := user in self._devices) is not was}  # fmt: skip
        if not changed:
            return
        is_idle = not self._telling
        if self._watchers:
            frames = _frames(changed)
            self._telling += ((session, None, frames) for session in self._watchers)
        self._gather_followers(changed)
        if is_idle:
            self._tell_some()

    def _gather_followers(self, changed: dict[str, bool]) -> None:
        """What each of them is told; most are told the same, which is encoded once."""
        told: dict[Session, dict[str, bool]] = {}
        for name in sorted(changed.keys() & self._watched.keys()):
            for session in self._watched[name]:
                told.setdefault(session, {})[name] = changed[name]
        encoded: dict[tuple[str, ...], list[bytes]] = {}
        for session, news in told.items():
            names = tuple(news)
            if names not in encoded:
                encoded[names] = _frames(news)
            self._telling.append((session, self._names[session], encoded[names]))

    def _tell_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._telling))):
            session, names, frames = self._telling.popleft()
            # Else it has asked for something else meanwhile, or is gone.
            if session in self._watchers if names is None else self._names.get(session) is names:
                for frame in frames:
                    session.connection.send(frame)
        if self._telling:
            self._soon(self._tell_some)


def _frames(changed: dict[str, bool]) -> list[bytes]:
    """The changes as frames of a bounded size."""
    names = sorted(changed)
    frames = []
    for start in range(0, len(names), limits.PRESENCE_PER_FRAME):
        part = names[start : start + limits.PRESENCE_PER_FRAME]
        message = Presence([n for n in part if changed[n]], [n for n in part if not changed[n]])
        frames.append(encode_frame(encode_header(message)))
    return frames
