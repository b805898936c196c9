"""What counting costs, and what a scrape costs.

    python benchmarks/metrics.py

Counters cannot be switched off, so an increment is timed by itself. Scrapes and looks at the health
are made of a server process over loopback; what is printed is that process's own time.
"""

import argparse
import http.client
import socket
import statistics
import sys
import tempfile
import timeit
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks._machine import cpu_seconds, description
from secure_chat.server.counters import Counters
from tests.support.processes import ServerProcess

_INCREMENTS = 200_000


class _Holder:
    """As the parts of the server hold it."""

    def __init__(self) -> None:
        self.counters = Counters()


def _nanoseconds(statement: str) -> float:
    names = {"holder": _Holder()}
    runs = timeit.repeat(statement, globals=names, number=_INCREMENTS, repeat=7)
    empty = timeit.repeat("pass", globals=names, number=_INCREMENTS, repeat=7)
    return (min(runs) - min(empty)) / _INCREMENTS * 1e9


def _get(port: int, path: str) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        assert connection.getresponse().read()


def _microseconds(pid: int, port: int, path: str, times: int) -> float:
    """The process's own time for one request; the median of three runs."""

    def once() -> float:
        before = cpu_seconds(pid) or 0.0
        for _ in range(times):
            _get(port, path)
        return ((cpu_seconds(pid) or 0.0) - before) / times * 1e6

    return statistics.median(once() for _ in range(3))


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="What counting and scrapes cost.")
    parser.add_argument("--scrapes", type=int, default=500, help="in each of 3 runs (default 500)")
    scrapes = parser.parse_args().scrapes
    print(description())
    print(f"an increment: {_nanoseconds('holder.counters.accepted += 1'):.0f} ns")
    print(f"a commit's class and sum: {_nanoseconds('holder.counters.committed(0.003)'):.0f} ns")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    more = ["--metrics", f"127.0.0.1:{port}"]
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "server", more=more) as server,
    ):
        for path in ("/metrics", "/healthz"):
            _get(port, path)
            cost = _microseconds(server.pid, port, path, scrapes)
            print(f"{path}: {cost:,.0f} us of the server's time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
