"""The board of presence with a crowd that watches: each frame made once, and told in parts."""

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from secure_chat.protocol.frames import Frame, FrameDecoder
from secure_chat.protocol.messages import Presence, decode_server_header
from secure_chat.server.core.presence import PresenceBoard

CROWD = 1_000


class Watcher:
    """A session with its connection, which keeps what it is sent."""

    def __init__(self) -> None:
        self.connection = self
        self.sent: list[bytes] = []

    def send(self, frame: bytes) -> None:
        self.sent.append(frame)

    def news(self) -> list[Presence]:
        """What it was told so far."""
        frames: list[Frame] = FrameDecoder().feed(b"".join(self.sent))
        messages = [decode_server_header(frame.header) for frame in frames]
        return [message for message in messages if isinstance(message, Presence)]


class Crowd:
    """A board, a thousand who watch it, and the turns of its thread."""

    def __init__(self, names: frozenset[str] | None) -> None:
        self.turns: deque[Callable[[], None]] = deque()
        self.board = PresenceBoard(self.turns.append)
        self.watchers: list[Any] = [Watcher() for _ in range(CROWD)]
        self.now = 0.0
        for watcher in self.watchers:
            self.board.watch(watcher, wanted=True, names=names)

    def told(self) -> int:
        return sum(bool(watcher.sent) for watcher in self.watchers)

    def tick(self) -> None:
        self.now += 2
        self.board.tick(self.now)

    def run(self) -> None:
        while self.turns:
            self.turns.popleft()()


BOTH = pytest.mark.parametrize("names", [None, frozenset({"alice", "bob"})])


@BOTH
def test_attack_17_a_change_that_many_watch_is_encoded_once_and_told_in_parts(
    names: frozenset[str] | None,
) -> None:
    """No turn of the I/O thread tells everybody; in the end each has heard it once."""
    crowd = Crowd(names)
    crowd.board.came("alice")
    crowd.tick()
    most = crowd.told()
    while crowd.turns:
        before = crowd.told()
        crowd.turns.popleft()()
        most = max(most, crowd.told() - before)
    assert len({id(frame) for watcher in crowd.watchers for frame in watcher.sent}) == 1
    assert most <= 100
    assert all(watcher.news() == [Presence(["alice"])] for watcher in crowd.watchers)


@BOTH
def test_changes_that_overtake_the_telling_come_in_their_order(
    names: frozenset[str] | None,
) -> None:
    """The next second begins before everybody has heard of the last: nobody hears it backwards."""
    crowd = Crowd(names)
    crowd.board.came("alice")
    crowd.tick()
    crowd.board.went("alice")
    crowd.board.came("bob")
    crowd.tick()
    crowd.run()
    expected = [Presence(["alice"]), Presence(["bob"], ["alice"])]
    assert all(watcher.news() == expected for watcher in crowd.watchers)


@BOTH
def test_who_stops_watching_meanwhile_hears_nothing_more(names: frozenset[str] | None) -> None:
    """Nor who begins anew after the change: that one was answered with what is so now."""
    crowd = Crowd(names)
    crowd.board.came("alice")
    crowd.tick()
    waiting = [watcher for watcher in crowd.watchers if not watcher.sent]
    crowd.board.watch(waiting[0], wanted=False)
    crowd.board.watch(waiting[1], wanted=True, names=frozenset({"carol"}))
    crowd.run()
    assert [bool(watcher.sent) for watcher in waiting[:3]] == [False, False, True]
