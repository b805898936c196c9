"""What the system under Tk can and cannot do, found out once at the start."""

import ctypes
import ctypes.util
import sys
import tkinter as tk
from tkinter import font as tkfont

_SAFE_XFT = 20305  # 2.3.5: earlier ones end the program at a colour emoji (BadLength)
_PLAUSIBLE_DPI = range(50, 600)
_BEH = "ب"


def before_the_first_window() -> None:
    """On Windows: ask for real pixels, which must happen before any window exists."""
    if sys.platform == "win32":
        try:
            ctypes.windll.shcore.SetProcessDpiAwareness(1)
        except (AttributeError, OSError):  # Windows 7 and earlier have no such call
            return


def set_scaling(root: tk.Tk) -> None:
    """Let all sizes follow the desktop's Xft.dpi, which Tk alone does not do."""
    dpi = _xft_dpi()
    if dpi in _PLAUSIBLE_DPI:
        root.tk.call("tk", "scaling", dpi / 72)


def _xft_dpi() -> int:
    """The X resource Xft.dpi; 0 where there is none."""
    name = ctypes.util.find_library("X11") if sys.platform.startswith("linux") else None
    if name is None:
        return 0
    try:
        x11 = ctypes.CDLL(name)
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XGetDefault.restype = ctypes.c_char_p
        x11.XGetDefault.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
        x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
        display = x11.XOpenDisplay(None)
        if not display:
            return 0
        value = x11.XGetDefault(display, b"Xft", b"dpi")
        x11.XCloseDisplay(display)
        return round(float(value)) if value else 0
    except (OSError, AttributeError, ValueError):
        return 0


def draws_astral() -> bool:
    """Whether characters beyond U+FFFF are safe to draw (see `_SAFE_XFT`)."""
    if not sys.platform.startswith("linux"):
        return True
    name = ctypes.util.find_library("Xft")
    try:
        return name is not None and ctypes.CDLL(name).XftGetVersion() >= _SAFE_XFT
    except (OSError, AttributeError):
        return False


def toolkit_shapes(measure: tkfont.Font) -> bool:
    """Whether the toolkit joins Arabic letters: four joined ones are narrower than four alone."""
    return measure.measure(_BEH * 4) != 4 * measure.measure(_BEH)
