"""What a process has used so far, and on what machine."""

import contextlib
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_CPU_CLOCK = 2  # clock_getcpuclockid(3): the process-wide clock of a process id


def cpu_seconds(pid: int) -> float | None:
    """CPU time of a process so far, user and system; None where the platform does not tell."""
    if platform.system() == "Linux":
        return time.clock_gettime((~pid << 3) | _CPU_CLOCK)
    with contextlib.suppress(OSError, subprocess.CalledProcessError, ValueError):
        told = subprocess.run(
            ["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True
        ).stdout
        seconds = 0.0
        for part in told.strip().replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    return None


def memory_kib(pid: int) -> float | None:
    """Resident memory of a process in KiB; None where the platform does not tell."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError, ValueError):
        return float(
            subprocess.run(
                ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
            ).stdout
        )
    return None


@contextlib.contextmanager
def on_core(number: int) -> Iterator[None]:
    """Processes started inside run on one core, so that server and load do not share one."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(all_cores)[number % len(all_cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_cores)


def allow_many_files() -> None:
    """Raise the limit of open files as far as the system lets us; started processes inherit it."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def description() -> str:
    """The machine in a line."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs ({model})"
