"""Calls that wait until Tk is idle, and that do not come when their widget is gone by then."""

import tkinter as tk
from collections.abc import Callable


class Soon:
    """Of one widget. What Tk calls after it was destroyed would be an error dialog of Tk's own."""

    def __init__(self, widget: tk.Misc) -> None:
        self._widget = widget
        self._due: set[str] = set()
        self._gone = False
        widget.bind("<Destroy>", self._on_destroy, add="+")

    def __call__(self, act: Callable[..., object], *arguments: object) -> None:
        """Call ``act`` when nothing else is to be done."""
        if self._gone:
            return

        def run() -> None:
            self._due.discard(name)
            act(*arguments)

        name = self._widget.after_idle(run)
        self._due.add(name)

    def _on_destroy(self, event: "tk.Event[tk.Misc]") -> None:
        if event.widget is self._widget:
            self._gone = True
            for name in self._due:
                self._widget.after_cancel(name)
            self._due.clear()
