"""All keys of the conversation screen, for the sheet that F1 shows.

The window binds them where they belong; a test presses each.
"""

from dataclasses import dataclass
from typing import Final

from secure_chat.client.i18n import N_


@dataclass(frozen=True)
class Shortcut:
    """Keys as people read them, and what they do."""

    shown: str
    text: str


SHORTCUTS: Final = (
    Shortcut("Enter", N_("send")),
    Shortcut("Shift+Enter", N_("new line")),
    Shortcut("↑", N_("in an empty field: edit your last message")),
    Shortcut("Esc", N_("leave the answer, the edit or the selection")),
    Shortcut("Ctrl+K", N_("search people and messages")),
    Shortcut("Alt+↑ / Alt+↓", N_("the conversation above or below")),
    Shortcut("Ctrl+I", N_("safety number")),
    Shortcut("Ctrl+T", N_("disappearing messages")),
    Shortcut("Ctrl+O", N_("send a file")),
    Shortcut("Ctrl+M", N_("go to the messages")),
    Shortcut("↑ / ↓", N_("among the messages: the one above or below")),
    Shortcut("Home / End", N_("the oldest one here, the newest")),
    Shortcut("Enter, Menu", N_("what can be done with a message")),
    Shortcut("Ctrl+R", N_("reply to the message")),
    Shortcut("Ctrl+C", N_("copy the message")),
    Shortcut("Space, Shift+↑/↓", N_("select messages")),
    Shortcut("Delete", N_("delete the message…")),
    Shortcut("Ctrl+N", N_("write to somebody new")),
    Shortcut("Menu, Shift+F10", N_("among the people: what can be decided about one")),
    Shortcut("Ctrl+,", N_("settings")),
    Shortcut("Ctrl+L", N_("lock the window")),
    Shortcut("Tab", N_("the next part of the window")),
    Shortcut("F1, Ctrl+/", N_("this list")),
    Shortcut("Ctrl+Q", N_("quit")),
)
