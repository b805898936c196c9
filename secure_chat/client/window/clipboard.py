"""What was copied out of conversations, so that a lock can take it back."""

import hashlib
import tkinter as tk


class Clipboard:
    """Knows the last text that was copied here, by its digest alone."""

    def __init__(self, root: tk.Tk) -> None:
        self._root = root
        self._copied = b""
        for event in ("<<Copy>>", "<<Cut>>"):
            # After the field's own binding has put its selection there.
            root.bind_all(event, lambda _: self._remember(self._now()), add="+")

    def put(self, text: str) -> None:
        """Copy a text of a conversation."""
        self._root.clipboard_clear()
        self._root.clipboard_append(text)
        self._remember(text)

    def take_back(self) -> None:
        """Empty the clipboard if it still holds what was copied here."""
        if self._copied and _digest(self._now()) == self._copied:
            self._root.clipboard_clear()
        self._copied = b""

    def _remember(self, text: str) -> None:
        self._copied = _digest(text) if text else b""

    def _now(self) -> str:
        try:
            return self._root.clipboard_get()
        except tk.TclError:  # empty, or not a text
            return ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
