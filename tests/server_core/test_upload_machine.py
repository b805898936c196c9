"""Two accounts bring one blob in any order of chunks, losses, lies and crashes.

What is held only grows, except after bytes that the hash refuses; nobody fetches anything but the
blob's own bytes, nor before it was said to be whole; in the end everybody can bring it.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from secure_chat.errors import Code
from secure_chat.protocol.messages import BLOBS, Blob, BlobGet, BlobHeld, BlobPut, Error
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.core.settings import Settings
from tests.server_core.support import World

DATA = bytes(range(100))
NAME = BlobHash(hashlib.sha256(DATA).digest())
WHO = st.sampled_from(["alice", "bob"])


class UploadMachine(RuleBasedStateMachine):
    """The model: how much each has brought, and of whom some of it was a lie."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(self.folder / "server", Settings(registration="open"))
        self.people = {
            name: self.world.person(name, features=(BLOBS,)) for name in ("alice", "bob")
        }
        self.held = dict.fromkeys(self.people, 0)
        self.lied: set[str] = set()
        self.whole = False

    def teardown(self) -> None:
        for who in self.people:
            while self.held[who] < len(DATA):
                self.chunk(who, self.held[who], len(DATA))
        self.fetch("alice")
        self.world.close()
        shutil.rmtree(self.folder)

    @rule(who=WHO, start=st.integers(0, 99), size=st.integers(0, 60), ahead=st.booleans())
    def bring(self, who: str, start: int, size: int, ahead: bool) -> None:
        """A chunk where the server is, or anywhere."""
        at = start if ahead else min(self.held[who], len(DATA))
        self.chunk(who, at, min(len(DATA), at + size))

    @rule(who=WHO, size=st.integers(1, 60))
    def lie(self, who: str, size: int) -> None:
        """Other bytes, where the server takes them."""
        at = self.held[who]
        self.chunk(who, at, min(len(DATA), at + size), lie=True)

    @rule(who=WHO)
    def reconnect(self, who: str) -> None:
        self.people[who].peer.hang_up()
        self.people[who].login(features=(BLOBS,))

    @rule()
    def crash(self) -> None:
        self.world.restart()
        for person in self.people.values():
            person.login(features=(BLOBS,))

    @rule(who=WHO)
    def fetch(self, who: str) -> None:
        peer = self.people[who].peer
        peer.send(BlobGet(1, NAME))
        message, body = peer.news()[-1]
        if self.whole:
            assert isinstance(message, Blob)
            assert (message.size, body) == (len(DATA), DATA)
        else:
            assert isinstance(message, Error)
            assert message.code is Code.UNKNOWN_BLOB

    def chunk(self, who: str, start: int, end: int, *, lie: bool = False) -> None:
        data = bytes(255 - one for one in DATA[start:end]) if lie else DATA[start:end]
        peer = self.people[who].peer
        peer.send((BlobPut(1, NAME, len(DATA), start), data))
        message, _ = peer.news()[-1]
        if self.whole:
            assert isinstance(message, BlobHeld)
            assert message.held == len(DATA)
            self.held[who] = len(DATA)
            return
        if data and start == self.held[who]:
            self.held[who] += len(data)
            if lie:
                self.lied.add(who)
        if self.held[who] < len(DATA):
            assert isinstance(message, BlobHeld)
            assert message.held == self.held[who]
        elif who in self.lied:
            assert isinstance(message, Error)
            assert message.code is Code.BLOB_MISMATCH
            self.held[who] = 0
            self.lied.discard(who)
        else:
            assert isinstance(message, BlobHeld)
            assert message.held == len(DATA)
            self.whole = True


TestUploads = UploadMachine.TestCase
TestUploads.settings = settings(
    max_examples=8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
