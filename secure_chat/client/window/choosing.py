"""The system's dialogs for files. They stay open while the window goes on, and may outlive it."""

import tkinter as tk
from collections.abc import Sequence
from pathlib import Path
from tkinter import filedialog


def a_file(
    parent: tk.Misc, title: str, kinds: Sequence[tuple[str, str]] = (("*", "*"),)
) -> Path | None:
    """A file that exists. None: cancelled, or ``parent`` is gone (locked, signed out) meanwhile."""
    chosen = filedialog.askopenfilename(parent=parent, title=title, filetypes=list(kinds))
    return Path(chosen) if chosen and parent.winfo_exists() else None


def a_folder(parent: tk.Misc, title: str, start: str) -> Path | None:
    """A folder that exists; None as of `a_file`."""
    chosen = filedialog.askdirectory(parent=parent, title=title, mustexist=True, initialdir=start)
    return Path(chosen) if chosen and parent.winfo_exists() else None
