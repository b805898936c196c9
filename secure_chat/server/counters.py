"""What has happened since the server's start, counted in one place for `stats` and for metrics.

Each counter has one thread that adds to it, so that no lock is needed; anybody may read. No counter
tells of a person: nothing is counted by account or by address.
"""

import time
from collections import Counter
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from secure_chat.errors import Code


def _codes() -> Counter[Code]:
    return Counter()


class Counters(Struct, kw_only=True):
    """One object a server. The descriptions are what operators read."""

    started: float = msgspec.field(default_factory=time.monotonic)

    # the handshake thread
    handshakes: Annotated[int, Meta(description="TLS handshakes completed")] = 0
    handshakes_failed: Annotated[int, Meta(description="TLS handshakes failed or given up")] = 0
    # the I/O thread
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
    commits_failed: Annotated[int, Meta(description="commits that the disk refused")] = 0

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started
