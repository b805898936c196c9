"""How much memory a process holds."""

import os
import sys
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(
    sys.platform != "linux", reason="reads a process's memory from /proc"
)


def resident(pid: int) -> int:
    """Bytes of memory in use."""
    fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
