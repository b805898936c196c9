"""Where the keyboard is, so that it can go back there: also after everything was drawn anew."""

import tkinter as tk


def place_in(parent: tk.Misc) -> str:
    """The place within ``parent`` that has the keyboard, or had it last; empty: none has."""
    focus = parent.winfo_toplevel().focus_lastfor()
    path, inside = str(focus), f"{parent}."
    return path[len(str(parent)) :] if focus is not None and path.startswith(inside) else ""


def go_to(parent: tk.Misc, place: str) -> bool:
    """Give the keyboard to a place of `place_in`; False if it is not there, or out of sight.

    Widgets are named in the order in which they are made, so a screen that was made anew has the
    same places.
    """
    if not place:
        return False
    parent.update_idletasks()  # what was packed just now is mapped then
    try:
        widget = parent.nametowidget(f"{parent}{place}")
    except KeyError:
        return False
    if not widget.winfo_manager():
        return False
    widget.focus_set()
    return True
