"""Choosing a file to send and a place to save one; nothing is ever opened by itself."""

import subprocess
import sys
import threading
import tkinter as tk
from collections.abc import Callable
from pathlib import Path

from secure_chat.client.presenter.chat import Chat
from secure_chat.client.presenter.rows import FileAction, FileRow
from secure_chat.client.window import choosing
from secure_chat.client.window.ui import Ui


class FileDialogs:
    """Asks the system's dialogs, and tells the presenter."""

    def __init__(self, parent: tk.Misc, ui: Ui, chat: Chat, done: Callable[[], object]) -> None:
        self._parent, self._ui, self._chat, self._done = parent, ui, chat, done

    def attach(self) -> bool:
        """Choose a file to send; whether it is on its way."""
        chosen = choosing.a_file(self._parent, self._ui.words("Send a file"))
        talk = self._chat.talk
        return chosen is not None and talk is not None and talk.send_file(chosen)

    def act(self, number: int, file: FileRow) -> None:
        """The file's own action."""
        talk = self._chat.talk
        if talk is None:
            return
        if file.action is FileAction.SAVE:
            title = self._ui.words("Save {name} into", name=self._ui.drawable(file.name))
            folder = choosing.a_folder(self._parent, title, downloads())
            if folder is None:
                return
            talk.save_file(number, folder)
        elif file.action is FileAction.CANCEL:
            talk.cancel_file(number)
        elif file.action is FileAction.FOLDER and not show_folder(Path(file.path).parent):
            self._chat.report(self._ui.words("The file lies in {path}", path=file.path))
        self._done()


def downloads() -> str:
    """Where people expect files."""
    usual = Path.home() / "Downloads"
    return str(usual if usual.is_dir() else Path.home())


def show_folder(folder: Path) -> bool:
    """Let the system show a folder (never the file in it); whether that began."""
    if not folder.is_dir():
        return False
    program = {"win32": "explorer", "darwin": "open"}.get(sys.platform, "xdg-open")
    try:
        process = subprocess.Popen(
            [program, str(folder.resolve())], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return False
    # Somebody must take its exit code, or it stays in the list of processes.
    threading.Thread(target=process.wait, name="folder-shown", daemon=True).start()
    return True
