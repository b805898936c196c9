"""What has happened since the server's start, counted in one place for `stats` and for metrics.

Each counter has one thread that adds to it, so that no lock is needed; anybody may read. No counter
tells of a person: nothing is counted by account or by address.
"""

import time
from bisect import bisect_left
from collections import Counter
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from secure_chat.errors import Code

COMMIT_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds, in seconds, of the classes in which commits are counted; one more has no bound."""


def _codes() -> Counter[Code]:
    return Counter()


def _classes() -> list[int]:
    return [0] * (len(COMMIT_BUCKETS) + 1)


class Counters(Struct, kw_only=True):
    """One object a server. The descriptions are what operators read."""

    started: float = msgspec.field(default_factory=time.monotonic)

    # the handshake thread
    handshakes: Annotated[int, Meta(description="TLS handshakes completed")] = 0
    handshakes_failed: Annotated[int, Meta(description="TLS handshakes failed or given up")] = 0
    # the I/O thread
    bytes_received: Annotated[int, Meta(description="bytes of frames received, without TLS")] = 0
    bytes_sent: Annotated[int, Meta(description="bytes of frames sent, without TLS")] = 0
    logins: Annotated[int, Meta(description="logins and registrations")] = 0
    accepted: Annotated[int, Meta(description="messages accepted from senders")] = 0
    delivered: Annotated[int, Meta(description="messages acknowledged by their device")] = 0
    expired: Annotated[int, Meta(description="messages deleted after the retention time")] = 0
    refusals: Annotated[
        Counter[Code], Meta(description="requests refused with an error, by its code")
    ] = msgspec.field(default_factory=_codes)
    farewells: Annotated[
        Counter[Code], Meta(description="connections that the server closed, by the code it said")
    ] = msgspec.field(default_factory=_codes)
    # the writer thread
    stored: Annotated[int, Meta(description="messages written to disk")] = 0
    commits: Annotated[int, Meta(description="commits, each with one fsync")] = 0
    commit_seconds: Annotated[float, Meta(description="seconds spent in commits")] = 0.0
    commit_times: Annotated[
        list[int], Meta(description="commits by how long they took, in classes of seconds")
    ] = msgspec.field(default_factory=_classes)
    commits_failed: Annotated[int, Meta(description="commits that the disk refused")] = 0

    def committed(self, seconds: float) -> None:
        """A commit has taken so long. For the writer thread."""
        self.commits += 1
        self.commit_seconds += seconds
        self.commit_times[bisect_left(COMMIT_BUCKETS, seconds)] += 1

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started
