"""The command behind scripts/test.py: style, types, then every test.

Arguments go to pytest (``scripts/test.py tests/protocol -k frames``); with any, style and types are
not checked. The exit code is 0 only if all that ran passed. What this machine cannot run is said
at the end, with the command that makes it possible.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from _bootstrap import packages

ROOT = Path(__file__).resolve().parents[1]
VECTORS = "SECURE_CHAT_VECTORS"
_BAR = "!" * 78


def main(arguments: list[str]) -> int:
    """Run everything; return the first exit code that is not 0."""
    started = time.monotonic()
    codes = [] if arguments else [_step(name, *words) for name, *words in _checks()]
    codes.append(_step("pytest", "pytest", *(arguments or _everything())))
    _say_what_was_skipped()
    failed = [code for code in codes if code]
    verdict = "FAILED" if failed else "passed"
    print(f"\n{verdict} in {time.monotonic() - started:.0f} s", flush=True)
    return failed[0] if failed else 0


def _checks() -> Iterator[tuple[str, ...]]:
    yield "style", "ruff", "check", "."
    yield "format", "ruff", "format", "--check", "."
    yield "types", "mypy"


def _everything() -> tuple[str, ...]:
    """One worker more than there are processors: tests of processes and windows often wait.

    A file stays with one worker, and the files come in the order of tests/conftest.py. A test that
    takes too long is ended by a signal, where there are any: a thread would end its worker as well.
    """
    workers = (os.cpu_count() or 1) + 1
    method = "signal" if hasattr(signal, "SIGALRM") else "thread"
    return (
        "-n", str(workers), "--dist", "loadfile", "--no-loadscope-reorder",
        "-o", f"timeout_method={method}",
    )  # fmt: skip


def _step(name: str, module: str, *words: str) -> int:
    print(f"\n--- {name}: {module} {' '.join(words)}", flush=True)
    return subprocess.call([sys.executable, "-m", module, *words], cwd=ROOT)


def _say_what_was_skipped() -> None:
    missing = list(_missing())
    if not missing:
        return
    print(f"\n{_BAR}\nNOT EVERYTHING WAS TESTED on this machine:")
    for what, remedy in missing:
        print(f"  * {what}\n    {remedy}")
    print(_BAR, flush=True)


def _missing() -> Iterator[tuple[str, str]]:
    """What tests need that is not here, and how to get it."""
    if importlib.util.find_spec("tkinter") is None:
        yield "the window: this Python has no tkinter.", packages.remedy("tkinter")
    if sys.platform == "linux":
        for program, package in (("Xvfb", "xvfb"), ("xdotool", "xdotool")):
            if shutil.which(program) is None:
                yield (
                    f"the window: there is no {program}, so no screen was driven.",
                    f"Install your system's package of it, on Debian: sudo apt install {package}",
                )
    if not any(folder.is_dir() for folder in _vector_folders()):
        yield (
            "Wycheproof's public test vectors: they are not here.",
            f"Put C2SP/wycheproof's testvectors_v1 into FOLDER/wycheproof and set {VECTORS}=FOLDER",
        )


def _vector_folders() -> Iterator[Path]:
    """Where the tests look for public vectors."""
    if VECTORS in os.environ:
        yield Path(os.environ[VECTORS], "wycheproof")
    for parent in ROOT.parents:
        yield parent / "shared/vectors/wycheproof"
