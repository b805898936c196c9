"""Keys that a screen binds outside its own widgets, and that have to go with it.

Tk forgets what is bound to a widget when that is destroyed. What is bound to the window or to a
class of widgets stays, and with it everything that the callback knows: after a lock that would be
the whole conversation.
"""

import tkinter as tk
from collections.abc import Callable


class Bindings:
    """What one screen has bound to others than itself."""

    def __init__(self, owner: tk.Misc) -> None:
        self._owner, self._top = owner, owner.winfo_toplevel()
        self._of_window: list[tuple[str, str]] = []  # sequence, Tcl command
        self._of_class: list[tuple[str, str, str]] = []  # class, sequence, Tcl command

    def window(self, sequence: str, act: "Callable[[tk.Event[tk.Misc]], object]") -> None:
        """Bind a key of the whole window, in the place of what was bound."""
        command = self._top.bind(sequence, act)
        self._of_window.append((sequence, command))

    def of_class(
        self, name: str, sequence: str, act: "Callable[[tk.Event[tk.Misc]], object]"
    ) -> None:
        """Bind a key of all widgets that have this tag, beside what is bound."""
        command = self._owner.bind_class(name, sequence, act, add="+")
        self._of_class.append((name, sequence, command))

    def release(self) -> None:
        """Take everything back, unless somebody else has bound it anew since."""
        top, owner = self._top, self._owner
        for sequence, command in self._of_window:
            if command in str(top.bind(sequence)):
                top.unbind(sequence)
            top.deletecommand(command)
        for name, sequence, command in self._of_class:
            if command in str(owner.bind_class(name, sequence)):
                owner.unbind_class(name, sequence)
            top.deletecommand(command)
        self._of_window.clear()
        self._of_class.clear()
