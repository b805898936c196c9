"""One person's window: the real one, which registers by itself and opens the conversation.

It reads ``{"root", "link", "user_id", "password", "other", "left"}`` from standard input, a line
of JSON, so that neither link nor password stands among the arguments.
"""

import json
import sys
from pathlib import Path
from typing import Any

from secure_chat.client.presenter.profiles import Profiles
from secure_chat.client.presenter.settings import Options, Settings
from secure_chat.client.presenter.signin import Entered
from secure_chat.client.window.app import App
from secure_chat.protocol.addresses import UserId

_LOOK_MS = 200
_ROOM_FOR_PANEL = 950  # pixels; in a narrower window its button opens it


class DemoApp(App):
    """The window, with the form filled in and the other person selected."""

    def __init__(self, who: dict[str, Any]) -> None:
        root = Path(who["root"])
        super().__init__(Options(root=root), Profiles(root), Settings())
        self._other = UserId(who["other"])
        half = self.root.winfo_screenwidth() // 2
        self.settings.panel_open = half >= _ROOM_FOR_PANEL
        self.root.geometry(f"{half - 20}x640+{10 if who['left'] else half + 10}+40")
        password = who["password"]
        self._signin.create(Entered(who["link"], who["user_id"], password, password))
        self.root.after(_LOOK_MS, self._open_conversation)

    def _open_conversation(self) -> None:
        """Select the other person as soon as the server lists them."""
        if self.chat is not None and any(row.user_id == self._other for row in self.chat.people):
            self.chat.select(self._other)
            if self._engine is not None:  # these two know each other
                self._engine.accept_request(self._other)
        else:
            self.root.after(_LOOK_MS, self._open_conversation)


def main() -> int:
    """Show the window until it is closed."""
    return DemoApp(json.loads(sys.stdin.readline())).run()


if __name__ == "__main__":
    sys.exit(main())
