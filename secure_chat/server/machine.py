"""What the machine says of this process and its disk."""

import contextlib
import shutil
import sys
from pathlib import Path


def resident_bytes() -> int | None:
    """Memory that this process holds now; None where the system has no plain answer."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return _peak_bytes()
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "")
    return int(line.split()[1]) * 1024 if line else None


def _peak_bytes() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def free_bytes(folder: Path) -> int:
    """Room on the disk of ``folder`` for this account. Raises OSError."""
    return shutil.disk_usage(folder).free


def file_bytes(path: Path) -> int:
    """Size of a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def allow_many_files() -> None:
    """Raise the limit of open files as far as this account may: each connection takes one."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # macOS names a limit that it does not take
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def open_files() -> int | None:
    """How many files this process may have open at once; None: as many as it wants."""
    if sys.platform == "win32":
        return None
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most
