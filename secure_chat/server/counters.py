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


def _told(metric: str, text: str) -> Meta:
    """What operators read: the name in metrics, without prefix and ``_total``, and a sentence."""
    return Meta(title=metric, description=text)


def _classes() -> list[int]:
    return [0] * (len(COMMIT_BUCKETS) + 1)


class Counters(Struct, kw_only=True):
    """One object a server. The descriptions are what operators read."""

    started: float = msgspec.field(default_factory=time.monotonic)

    # the handshake thread
    handshakes: Annotated[int, _told("handshakes", "TLS handshakes that were completed.")] = 0
    handshakes_failed: Annotated[
        int, _told("handshakes_failed", "TLS handshakes that failed or were given up.")
    ] = 0
    # the I/O thread
    bytes_received: Annotated[
        int, _told("received_bytes", "Bytes of frames that were received, without TLS.")
    ] = 0
    bytes_sent: Annotated[
        int, _told("sent_bytes", "Bytes of frames that were sent, without TLS.")
    ] = 0
    logins: Annotated[int, _told("logins", "Logins and registrations.")] = 0
    accepted: Annotated[
        int, _told("messages_accepted", "Messages that were accepted from their senders.")
    ] = 0
    delivered: Annotated[
        int, _told("messages_delivered", "Messages that their device has acknowledged.")
    ] = 0
    expired: Annotated[
        int, _told("messages_expired", "Messages that were deleted after the retention time.")
    ] = 0
    refusals: Annotated[
        Counter[Code],
        _told("requests_refused", "Requests that were refused with an error, by its code."),
    ] = msgspec.field(default_factory=_codes)
    farewells: Annotated[
        Counter[Code],
        _told(
            "connections_closed", "Connections that the server closed, by the code that it said."
        ),
    ] = msgspec.field(default_factory=_codes)
    # the writer thread
    stored: Annotated[int, _told("messages_stored", "Messages that were written to disk.")] = 0
    commits: Annotated[int, _told("commits", "Commits, each with one fsync.")] = 0
    commit_seconds: Annotated[float, Meta(description="seconds spent in commits")] = 0.0
    commit_times: Annotated[
        list[int], Meta(description="commits by how long they took, in classes of seconds")
    ] = msgspec.field(default_factory=_classes)
    commits_failed: Annotated[int, _told("commits_failed", "Commits that the disk refused.")] = 0

    def committed(self, seconds: float) -> None:
        """A commit has taken so long. For the writer thread."""
        self.commits += 1
        self.commit_seconds += seconds
        self.commit_times[bisect_left(COMMIT_BUCKETS, seconds)] += 1

    @property
    def uptime(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started
