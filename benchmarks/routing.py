"""How much a routed private message costs: a real server process, real TLS, real clients.

Pairs of logged-in clients send messages of 400 bytes to each other. Each is counted when the sender
has `accepted` (so it is durable: on disk, or acknowledged by the recipient) and the recipient has
it. Measured are messages a second, and the server's CPU time for each delivered message, which
says more, since the load generator shares the machine.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.backends.openssl import backend as openssl

from benchmarks._load import PAYLOAD
from tests.support.processes import ServerProcess

WINDOWS = (1, 32)
Run = dict[str, float | None]


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process so far, user and system; None where the platform does not tell."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return (int(fields[11]) + int(fields[12])) / ticks  # proc_pid_stat(5): utime, stime
    with contextlib.suppress(OSError, subprocess.CalledProcessError, ValueError):
        told = subprocess.run(
            ["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        seconds = 0.0
        for part in told.strip().replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    return None


class Generators:
    """The load generator's processes, run in step."""

    def __init__(self, port: int, pairs: int, processes: int) -> None:
        shares = [pairs // processes + (n < pairs % processes) for n in range(processes)]
        script = str(Path(__file__).with_name("_load.py"))
        self._processes = [
            subprocess.Popen(
                [sys.executable, script, str(port), str(share), str(n)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for n, share in enumerate(shares)
        ]
        ready = [self._answer(process) for process in self._processes]
        self.group = ready[0]["group"]

    def run(self, window: int, messages: int) -> float:
        """Seconds from the start to the last message of the slowest process."""
        begun = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"run {window} {messages}\n")
            process.stdin.flush()
        for process in self._processes:
            self._answer(process)
        return time.perf_counter() - begun

    def _answer(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit("routing.py: a load generator ended early; its error is above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let them disconnect and end."""
        for process in self._processes:
            process.communicate(timeout=30)


@contextlib.contextmanager
def measured(pairs: int, processes: int) -> Iterator[tuple[ServerProcess, Generators]]:
    """A fresh server and its load."""
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder)) as server:
        load = Generators(server.port, pairs, processes)
        try:
            yield server, load
        finally:
            load.close()
            server.stop()


def one_run(server: ServerProcess, load: Generators, window: int, total: int, pairs: int) -> Run:
    """Figures of one run."""
    each = total // pairs
    before = cpu_seconds(server.pid)
    seconds = load.run(window, each)
    after = cpu_seconds(server.pid)
    delivered = each * pairs
    cpu = None if before is None or after is None else (after - before) / delivered * 1e6
    return {"seconds": seconds, "messages_per_second": delivered / seconds, "cpu_us": cpu}


def median(runs: list[Run], key: str) -> float | None:
    """The median of one figure, if it was measured."""
    values = [value for run in runs if (value := run[key]) is not None]
    return statistics.median(values) if values else None


def shown(figure: float | None) -> str:
    """A figure for people."""
    return "not measured" if figure is None else f"{figure:,.1f}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The cost of a routed private message.")
    parser.add_argument("--pairs", type=int, default=50, help="pairs of clients (default 50)")
    parser.add_argument("--runs", type=int, default=5, help="runs for each window (default 5)")
    parser.add_argument(
        "--messages", type=int, default=20_000, help="messages in a run (default 20000)"
    )
    parser.add_argument("--processes", type=int, default=1, help="load generators (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    options = parser.parse_args()
    if min(options.pairs, options.runs, options.processes) < 1 or options.messages < options.pairs:
        parser.error("every number must be at least 1, and messages at least pairs")
    figures: dict[str, Any] = {
        "connections": 2 * options.pairs,
        "payload": PAYLOAD,
        "messages": options.messages // options.pairs * options.pairs,
        "python": platform.python_version(),
        "openssl": openssl.openssl_version_text(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "windows": {},
    }
    with measured(options.pairs, options.processes) as (server, load):
        figures["tls_group"] = load.group
        for window in WINDOWS:
            one_run(server, load, window, max(options.pairs, options.messages // 10), options.pairs)
            runs = [
                one_run(server, load, window, options.messages, options.pairs)
                for _ in range(options.runs)
            ]
            figures["windows"][window] = {
                "messages_per_second": median(runs, "messages_per_second"),
                "server_cpu_us_per_message": median(runs, "cpu_us"),
                "runs": runs,
            }
    print_table(figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


def print_table(figures: dict[str, Any]) -> None:
    """Medians for people."""
    print(f"{figures['connections']} connections, {figures['payload']} bytes, durable acks")
    print(f"{figures['tls_group']}, Python {figures['python']}, {figures['openssl']}")
    print(f"{figures['system']}")
    print(f"{'window':>6}  {'messages/s':>12}  {'server CPU us/message':>22}")
    for window, row in figures["windows"].items():
        rate, cpu = row["messages_per_second"], row["server_cpu_us_per_message"]
        print(f"{window:>6}  {shown(rate):>12}  {shown(cpu):>22}")


if __name__ == "__main__":
    sys.exit(main())
