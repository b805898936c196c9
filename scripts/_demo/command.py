"""The command behind scripts/demo.py."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from _arguments import Parser
from _bootstrap import packages
from _demo.processes import DemoFailed


def main(arguments: list[str]) -> int:
    """Run the demonstration; 0 only if every line arrived intact and no plaintext was found."""
    parser = Parser(
        prog="demo.py",
        description="Starts a server on a free port of this machine and two clients that talk "
        "through it: in two windows or, without a screen, as a printed conversation.",
    )
    parser.add_argument("--headless", action="store_true", help="no windows: print a conversation")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # Persian, also where the locale is not UTF-8
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, _interrupt)  # so that what was started is ended and deleted
    try:
        return _run(headless=options.headless or not _has_screen())
    except DemoFailed as failed:
        print(f"\ndemo.py: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _run(*, headless: bool) -> int:
    if headless:
        from _demo import headless as conversation

        good = conversation.run()
        print("\nEvery line arrived intact." if good else "\nNOT GOOD: see above.")
        return 0 if good else 1
    from _demo import windows

    return windows.run()


def _has_screen() -> bool:
    """Whether windows can be opened here; says why not."""
    try:
        import tkinter as tk
    except ImportError:
        print(f"No windows: this Python has no tkinter. {packages.remedy('tkinter')}\n")
        return False
    if sys.platform == "linux" and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        print("No windows: there is no display here.\n")
        return False
    try:
        tk.Tk().destroy()
    except tk.TclError as wrong:
        print(f"No windows: {wrong}.\n")
        return False
    return True
