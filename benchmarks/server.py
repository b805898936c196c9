"""How fast the server is: real processes, real TLS, real connections, other servers beside it.

    python benchmarks/server.py [--peers] [--idle 5000] [--only pairs,idle] [--json FILE]

benchmarks/README.md says what is measured and how. Medians are printed, and of how many runs; with
``--peers`` the same loads go to mosquitto and Prosody in turns, so that a busy moment meets all.
"""

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.backends.openssl import backend as openssl

from benchmarks._machine import (
    allow_many_files,
    cpu_seconds,
    description,
    memory_kib,
    on_core,
)
from benchmarks._servers import Mosquitto, Prosody, SecureChat, Started, installed_peers
from benchmarks._talkers import PAYLOAD

PAIRS = 50
SENDERS_OFFLINE = 5  # no account may fill more than 4,000 places of a mailbox
WARM_LOGINS = 20
KILLED_AFTER = 2_000  # acknowledgements
MEASURES = ("pairs", "idle", "steady", "offline", "slow", "lost")
Figures = dict[str, float | None]


class Generator:
    """The load generator's process."""

    def __init__(self, server: Started) -> None:
        script = str(Path(__file__).with_name("_load.py"))
        with on_core(1):
            self._process = subprocess.Popen(
                [sys.executable, script, server.name, str(server.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def order(self, do: str, **values: float) -> dict[str, Any]:
        """Have one of the loads carried out; its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"do": do} | values) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise SystemExit("The load generator ended early; its error is above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it disconnect and end."""
        self._process.communicate(timeout=60)


@contextlib.contextmanager
def measured(server: Started) -> Iterator[Generator]:
    """The load of a server."""
    load = Generator(server)
    try:
        yield load
    finally:
        load.close()


class Cost:
    """CPU time that a process uses inside a ``with``."""

    def __init__(self, server: Started) -> None:
        self._pid = server.pid

    def __enter__(self) -> Self:
        self._before = cpu_seconds(self._pid)
        return self

    def __exit__(self, *_: object) -> None:
        self._after = cpu_seconds(self._pid)

    def per(self, units: int) -> float | None:
        """Microseconds a unit."""
        if self._before is None or self._after is None:
            return None
        return (self._after - self._before) / units * 1e6


# ---------------------------------------------------------------- the measures


def pairs(server: Started, load: Generator, options: argparse.Namespace) -> Figures:
    """Both windows."""
    figures: Figures = {}
    for window, share in ((32, 1.0), (1, 0.4)):
        each = max(1, int(options.messages * share) // PAIRS)
        load.order("window", window=window, messages=max(1, each // 10))
        with Cost(server) as cost:
            seconds = load.order("window", window=window, messages=each)["seconds"]
        figures[f"window {window}: messages/s"] = each * PAIRS / seconds
        figures[f"window {window}: CPU us/message"] = cost.per(each * PAIRS)
    return figures


def steady(server: Started, load: Generator, options: argparse.Namespace) -> Figures:
    """Latency at 500 messages a second."""
    with Cost(server) as cost:
        told = load.order("steady", rate=500, seconds=options.seconds)
    return {
        "500/s: p50 ms": told["p50_ms"],
        "500/s: p99 ms": told["p99_ms"],
        "500/s: CPU us/message": cost.per(told["messages"]),
    }


def slow(_server: Started, load: Generator, options: argparse.Namespace) -> Figures:
    """The same with one flooded client that does not read."""
    told = load.order("slow", rate=500, seconds=options.seconds, flood=2_000)
    return {"slow reader: p50 ms": told["p50_ms"], "slow reader: p99 ms": told["p99_ms"]}


def offline(server: Started, load: Generator, options: argparse.Namespace) -> Figures:
    """Messages for somebody who is not there, and what it costs to hand them over later."""
    each = options.offline // SENDERS_OFFLINE
    total = each * SENDERS_OFFLINE
    load.order("connect_idle", count=1)  # the account must exist
    load.order("disconnect_idle")
    with Cost(server) as stored:
        kept = load.order("offline", senders=SENDERS_OFFLINE, window=32, messages=each)["seconds"]
    with Cost(server) as drained:
        taken = load.order("drain", messages=total)["seconds"]
    return {
        "offline: stored/s": total / kept,
        "offline: CPU us/stored": stored.per(total),
        "offline: drained/s": total / taken,
        "offline: CPU us/drained": drained.per(total),
    }


def idle(server: Started, options: argparse.Namespace) -> Figures:
    """Connections that say nothing, on a server that has just started."""
    count = options.idle
    with measured(server) as load:
        load.order("connect_idle", count=count + WARM_LOGINS)  # registers where there is such
        load.order("disconnect_idle")
        server.restart()
        load.order("connect_idle", count=WARM_LOGINS, first=count)
        before = memory_kib(server.pid)
        with Cost(server) as cost:
            seconds = load.order("connect_idle", count=count)["seconds"]
        time.sleep(1)  # its last work is done then
        after = memory_kib(server.pid)
    each = None if before is None or after is None else (after - before) / count
    return {
        f"{count} idle: KiB/connection": each,
        f"{count} idle: logins/s": count / seconds,
        f"{count} idle: CPU us/login": cost.per(count),
    }


def lost(server: Started, _options: argparse.Namespace) -> Figures:
    """What is missing after a SIGKILL right behind the last acknowledgement."""
    with measured(server) as load:
        load.order("connect_pairs", pairs=SENDERS_OFFLINE)
        load.order("connect_idle", count=1)  # the account must exist
        load.order("disconnect_idle")
        each = KILLED_AFTER // SENDERS_OFFLINE
        load.order("offline", senders=SENDERS_OFFLINE, window=32, messages=each)
        server.kill()
        load.order("forget_pairs")
        server.start()
        arrived = load.order("collect", messages=KILLED_AFTER)["arrived"]
    return {f"lost of {KILLED_AFTER} after SIGKILL": KILLED_AFTER - arrived}


_WITH_PAIRS = {"pairs": pairs, "steady": steady, "slow": slow, "offline": offline}
_ALONE = {"idle": idle, "lost": lost}
"""On a server of its own, and once: dear, and steadier than the others."""
Kind = type[SecureChat] | type[Mosquitto] | type[Prosody]


def start(kind: Kind, options: argparse.Namespace) -> Started:
    """A server with room for the names that the loads use."""
    return kind() if issubclass(kind, SecureChat) else kind(options.idle + WARM_LOGINS)


def round_of(server: Started, what: set[str], options: argparse.Namespace) -> Figures:
    """One run of everything on one server."""
    figures: Figures = {}
    with measured(server) as load:
        load.order("connect_pairs", pairs=PAIRS)
        for name, take in _WITH_PAIRS.items():
            if name in what:
                figures |= take(server, load, options)
    return figures


def measure(options: argparse.Namespace) -> dict[str, list[Figures]]:
    """All runs of all servers, in turns."""
    what = set(options.only)
    kinds = installed_peers() if options.peers else []
    runs: dict[str, list[Figures]] = {}
    for _ in range(options.runs):
        for kind in (SecureChat, *kinds):
            with on_core(0):
                server = start(kind, options)
            with server:
                figures = round_of(server, what, options)
            runs.setdefault(server.name, []).append(figures)
    for name, take in _ALONE.items():
        for kind in (SecureChat, *kinds):
            if name in what:
                with on_core(0):
                    server = start(kind, options)
                    with server:
                        runs[server.name].append(take(server, options))
    return runs


def medians(runs: list[Figures]) -> Figures:
    """The median of each figure over the runs that have it."""
    names = dict.fromkeys(name for run in runs for name in run)
    result: Figures = {}
    for name in names:
        values = [value for run in runs if (value := run.get(name)) is not None]
        result[name] = statistics.median(values) if values else None
    return result


def show(results: dict[str, Figures], runs: dict[str, list[Figures]]) -> None:
    """A table for people."""
    print(f"{2 * PAIRS} connections in pairs, {PAYLOAD} bytes; {description()}")
    print(f"Python {platform.python_version()}, {openssl.openssl_version_text()}")
    print(f"{'':32}" + "".join(f"{name:>14}" for name in results) + f"{'runs':>6}")
    for figure in next(iter(results.values())):
        cells = [results[name].get(figure) for name in results]
        shown = ["not measured" if c is None else f"{c:,.2f}" for c in cells]
        repeated = sum(figure in run for run in next(iter(runs.values())))
        print(f"{figure:32}" + "".join(f"{cell:>14}" for cell in shown) + f"{repeated:>6}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast the server is.")
    parser.add_argument("--runs", type=int, default=3, help="runs (default 3)")
    parser.add_argument("--messages", type=int, default=20_000, help="in a run of window 32")
    parser.add_argument("--seconds", type=float, default=3, help="of steady load (default 3)")
    parser.add_argument("--offline", type=int, default=5_000, help="messages (at most 10000)")
    parser.add_argument("--idle", type=int, default=1_000, help="connections (default 1000)")
    parser.add_argument("--peers", action="store_true", help="mosquitto and Prosody as well")
    parser.add_argument(
        "--only", type=lambda text: text.split(","), default=MEASURES, help=",".join(MEASURES)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs to FILE")
    options = parser.parse_args()
    if min(options.runs, options.messages, options.seconds, options.idle) < 1 or not (
        SENDERS_OFFLINE <= options.offline <= 10_000
    ):
        parser.error("every number must be at least 1, and --offline from 5 to 10000")
    if unknown := set(options.only) - set(MEASURES):
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    allow_many_files()
    runs = measure(options)
    results = {name: medians(taken) for name, taken in runs.items()}
    show(results, runs)
    if options.json is not None:
        whole = {"machine": description(), "medians": results, "runs": runs}
        options.json.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
