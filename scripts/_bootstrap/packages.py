"""Which package of which system brings a part of Python that is missing."""

import platform
import sys

_LIKE = {
    "debian": ("apt install", {"venv": "python3-venv", "tkinter": "python3-tk"}),
    "fedora": ("dnf install", {"venv": "python3-libs", "tkinter": "python3-tkinter"}),
    "suse": ("zypper install", {"venv": "python3-base", "tkinter": "python3-tk"}),
    "arch": ("pacman -S", {"venv": "python", "tkinter": "tk"}),
}


def missing(module: str) -> str:
    """A sentence: which part is missing, and the command that brings it on this system."""
    part = "venv" if module == "ensurepip" else module
    return f"this Python lacks the module {module!r}. {remedy(part)}"


def remedy(part: str) -> str:
    """How to get ``part`` ("venv" or "tkinter") here."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform == "darwin":
        if part == "tkinter":
            return f"Install it with: brew install python-tk@{version}"
        return f"Install a whole Python with: brew install python@{version}"
    if sys.platform == "win32":
        return 'Run the Python installer again ("Modify") and tick "pip" and "tcl/tk and IDLE".'
    for family in _families():
        if family in _LIKE:
            command, names = _LIKE[family]
            return f"Install it with: sudo {command} {names[part]}"
    return f"Install your system's package that holds Python's {part}."


def _families() -> list[str]:
    """The system's own name and those that it is like, from os-release."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return ["suse" if name.startswith(("suse", "opensuse")) else name for name in names]
