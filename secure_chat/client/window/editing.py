"""What people expect of a text field and Tk on X11 does not do by itself.

Ctrl+A selects all, a paste replaces the selection, the right button opens a menu, and a click on a
button leaves the keyboard where one writes.
"""

import tkinter as tk
from functools import partial

from secure_chat.client.window.soon import Soon
from secure_chat.client.window.ui import Ui

_CLASSES = ("TEntry", "Text")


def make_fields_comfortable(ui: Ui) -> None:
    """For every field of the window, those to come included. Call it again in another language."""
    root = ui.root
    if root.tk.call("tk", "windowingsystem") == "x11":
        root.event_delete("<<LineStart>>", "<Control-Key-a>")
        root.event_add("<<SelectAll>>", "<Control-Key-a>")
    for keys in ("<Control-k>", "<Control-o>", "<Control-t>", "<Control-i>"):
        root.unbind_class("Text", keys)  # Emacs' keys, of which one deletes; ours mean other things
    # A mouse on a button takes the keyboard from nobody: who writes goes on after a click.
    root.tk.call("bind", "TButton", "<Button-1>", "%W instate !disabled {%W state pressed}")
    for name in _CLASSES:
        root.bind_class(name, "<<Paste>>", _paste)
        root.bind_class(name, "<Button-3>", lambda event: _show_menu(ui, event))
        root.bind_class(name, "<Menu>", lambda event: _show_menu(ui, event))
        root.bind_class(name, "<Shift-F10>", lambda event: _show_menu(ui, event))


def _paste(event: "tk.Event[tk.Misc]") -> str:
    """Put the clipboard's text in the place of the selection."""
    field = event.widget
    if str(field.cget("state")) in {"disabled", "readonly"}:
        return "break"
    try:
        text = field.clipboard_get()
    except tk.TclError:  # empty, or not a text
        return "break"
    call = field.tk.call
    if isinstance(field, tk.Text):
        if field.tag_ranges("sel"):
            field.delete("sel.first", "sel.last")
        single = getattr(field, "single", False)
        field.insert("insert", " ".join(text.split()) if single else text)
        field.see("insert")
        return "break"
    if call(str(field), "selection", "present"):
        call(str(field), "delete", "sel.first", "sel.last")
    call(str(field), "insert", "insert", " ".join(text.split()))  # a link may come with a line end
    field.event_generate("<KeyRelease>")  # what listens to keys hears of the mouse's paste too
    return "break"


def _show_menu(ui: Ui, event: "tk.Event[tk.Misc]") -> str:
    field, words = event.widget, ui.words
    field.focus_set()
    menu = tk.Menu(field, tearoff=False)
    for label, virtual in (
        (words("Cut"), "<<Cut>>"),
        (words("Copy"), "<<Copy>>"),
        (words("Paste"), "<<Paste>>"),
        (words("Select all"), "<<SelectAll>>"),
    ):
        menu.add_command(label=ui.say(label), command=partial(field.event_generate, virtual))
    soon = Soon(menu)
    menu.bind("<Unmap>", lambda _: soon(menu.destroy))
    menu.tk_popup(event.x_root, event.y_root)
    return "break"
