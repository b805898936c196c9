"""Files in the window: chosen in the system's dialogs, sent with what is written, never opened."""

import os
import sys
from pathlib import Path
from tkinter import filedialog

import msgspec
import pytest

from secure_chat.client.events import Attachment, FileState, MessageChanged
from secure_chat.client.window import file_dialogs
from secure_chat.protocol.addresses import UserId
from tests.support.waiting import wait_for
from tests.window.fakes import FakeEngine
from tests.window.scenes import talking_to_bob
from tests.window.stage import Stage, chat_view, drawn_texts
from tests.window.test_conversation import choose, to_messages

pytestmark = pytest.mark.window
BOB = UserId("bob")


def test_a_file_goes_out_with_what_is_written_as_an_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl+O: the text becomes the caption, the strip the message that it answers."""
    path = tmp_path / "minutes.pdf"
    monkeypatch.setattr(filedialog, "askopenfilename", lambda **_: str(path))
    engine = FakeEngine()
    message = engine.say(BOB, "the minutes, please")
    app = talking_to_bob(stage, engine)
    chat_view(app).conversation.deeds.reply(message.number)
    stage.write(app, "here they are")
    stage.press(app, "ctrl+o")
    sent = ("send_file", BOB, (path, "here they are", message.number))
    stage.until(lambda: sent in engine.changes, "sent")
    assert chat_view(app).composer.written == ""
    assert app.chat is not None
    assert app.chat.composer.strip is None


def test_no_file_chosen_leaves_what_is_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the dialogue sends nothing and loses nothing."""
    monkeypatch.setattr(filedialog, "askopenfilename", lambda **_: "")
    engine = FakeEngine()
    engine.say(BOB, "hi")
    app = talking_to_bob(stage, engine)
    stage.write(app, "half a thought")
    stage.press(app, "ctrl+o")
    stage.pump()
    assert chat_view(app).composer.written == "half a thought"
    assert "send_file" not in [what for what, _, _ in engine.changes]


def test_attack_59_a_file_is_saved_cancelled_and_shown_but_never_opened(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the keyboard, from the menu; of a saved file only its folder is given to the system."""
    shown: list[Path] = []

    def show(folder: Path) -> bool:
        shown.append(folder)
        return True

    monkeypatch.setattr(filedialog, "askdirectory", lambda **_: str(tmp_path))
    monkeypatch.setattr(file_dialogs, "show_folder", show)
    engine = FakeEngine()
    file = Attachment("photo.jpg", 1000, "image/jpeg", FileState.OFFERED)
    message = engine.say(BOB, "", file=file)
    app = talking_to_bob(stage, engine)
    to_messages(stage, app)
    choose(stage, app, "Save as…")
    stage.until(lambda: ("save_file", BOB, (message.number, tmp_path)) in engine.changes, "saved")
    moving = msgspec.structs.replace(file, state=FileState.DOWNLOADING, path=str(tmp_path))
    engine.tell(MessageChanged(msgspec.structs.replace(message, file=moving)))
    stage.until(lambda: "1.0 kB · being fetched" in drawn_texts(app), "under way")
    choose(stage, app, "Cancel")
    stage.until(lambda: ("cancel_file", BOB, (message.number,)) in engine.changes, "cancelled")
    path = tmp_path / "photo.jpg"
    saved = msgspec.structs.replace(file, state=FileState.SAVED, path=str(path))
    engine.tell(MessageChanged(msgspec.structs.replace(message, file=saved)))
    stage.until(lambda: "1.0 kB · saved" in drawn_texts(app), "saved")
    choose(stage, app, "Show in folder")
    stage.until(lambda: bool(shown), "its folder is shown")
    assert shown == [tmp_path]


@pytest.mark.skipif(sys.platform != "linux", reason="the program has another name")
def test_a_program_that_shows_a_folder_leaves_no_zombie(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its exit code is taken whenever it ends, so that no dead process stays in the list."""
    program = tmp_path / "xdg-open"
    program.write_text('#!/bin/sh\necho $$ > "$1/pid"\nexit 3\n', encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert file_dialogs.show_folder(tmp_path)
    pid = tmp_path / "pid"
    wait_for(lambda: pid.exists() and pid.read_text().strip(), 20, "the program ran")
    gone = Path("/proc", pid.read_text().strip())
    wait_for(lambda: not gone.exists(), 20, "it is gone")
