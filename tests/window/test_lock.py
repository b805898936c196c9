"""What a locked window has left of what was shown, and what can still be done in it: nothing."""

import gc
import logging
from pathlib import Path
from tkinter import TclError, filedialog

import pytest

from secure_chat.client.i18n import Words
from secure_chat.client.presenter import notices
from secure_chat.client.presenter.passwords import Unlocking
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window.app import App
from secure_chat.client.window.pages.lock_page import LockView
from secure_chat.client.window.pages.settings_page import SettingsPage
from secure_chat.protocol.addresses import UserId
from tests.support.waiting import wait_for
from tests.window.fakes import FakeEngine
from tests.window.scenes import talking_to_bob
from tests.window.stage import Silent, Stage, chat_view
from tests.window.test_habits_window import shown

BOB = UserId("bob")
SHOWN = {"Chat", "ChatView", "Talk", "Timeline", "BubbleRow", "Message", "MessageList", "Composer"}


def left_of_the_conversation() -> list[str]:
    """Objects that know what was said, wherever something still refers to them."""
    gc.collect()
    return sorted(type(one).__name__ for one in gc.get_objects() if type(one).__name__ in SHOWN)


def unlock(stage: Stage, app: App) -> None:
    assert isinstance(app.screen, LockView)
    app.screen.entry.insert(0, "correct horse")
    app.screen.submit()
    stage.until(lambda: app.chat is not None, "unlocked")
    chat_view(app).select(BOB)


@pytest.mark.window
def test_a_lock_leaves_nothing_of_what_was_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No screen, row or text lives on, through keys that were bound or pages that were open, and
    no copied message in the clipboard; the key that locked disturbs nothing that is gone."""
    before = left_of_the_conversation()  # of other tests' windows
    fake = FakeEngine()
    fake.say(BOB, "a private word")
    app = talking_to_bob(stage, fake)
    chat_view(app).conversation.deeds.copy({1})
    assert app.root.clipboard_get() == "a private word"
    stage.press(app, "h", "i")
    fake.messages.clear()
    with caplog.at_level(logging.ERROR):
        stage.press(app, "ctrl+l")
        stage.until(lambda: isinstance(app.screen, LockView), "locked")
        stage.pump()
    assert caplog.messages == []
    assert left_of_the_conversation() == before
    assert app._assets.layouts["text"]._word_width.cache_info().currsize < 40  # the lock's words
    with pytest.raises(TclError):
        app.root.clipboard_get()

    unlock(stage, app)
    app.root.clipboard_clear()
    app.root.clipboard_append("from elsewhere")
    stage.press(app, "ctrl+comma")
    stage.until(lambda: isinstance(app.pages.page, SettingsPage), "the settings are open")
    stage.press(app, "ctrl+l")
    stage.until(lambda: isinstance(app.screen, LockView), "locked")
    stage.pump()
    assert left_of_the_conversation() == before
    assert app.root.clipboard_get() == "from elsewhere"


@pytest.mark.window
def test_nothing_is_sent_or_told_behind_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A dialog for files that outlives the screen sends nothing; the desktop is told no text, also
    where the person chose texts; a disk that fails is said on the lock, and one can try again."""
    fake = FakeEngine()
    fake.say(BOB, "hi")
    app = talking_to_bob(stage, fake)
    app.settings.notify = notices.TEXT

    def choose(**_: object) -> str:
        app.lock()
        return str(tmp_path / "secret.pdf")

    monkeypatch.setattr(filedialog, "askopenfilename", choose)
    chat_view(app).conversation.deeds.attach()
    assert isinstance(app.screen, LockView)
    assert "send_file" not in [what for what, _, _ in fake.changes]

    fake.say(BOB, "a private word")
    desktop = app.watch._desktop
    assert isinstance(desktop, Silent)
    stage.until(lambda: bool(desktop.told), "the desktop is told")
    assert (desktop.told[-1].title, desktop.told[-1].body) == ("bob", "1 new message")

    check = fake.check_password

    def fail(_password: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(fake, "check_password", fail)
    app.screen.entry.insert(0, "correct horse")
    app.screen.submit()
    stage.until(lambda: "Input/output error" in shown(app), "said")
    monkeypatch.setattr(fake, "check_password", check)
    unlock(stage, app)


def test_a_mistake_of_the_program_does_not_hold_the_lock_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The failure is named, and the right password opens afterwards."""
    engine = FakeEngine()
    unlocking = Unlocking(engine, Words())
    monkeypatch.setattr(engine, "check_password", lambda _: 1 // 0)
    unlocking.enter("correct horse")
    wait_for(unlocking.poll)
    assert "ZeroDivisionError" in unlocking.mistake
    assert not unlocking.busy
    monkeypatch.undo()
    unlocking.enter("correct horse")
    wait_for(unlocking.poll)
    assert unlocking.done


def test_the_window_locks_by_itself_unless_told_otherwise(tmp_path: Path) -> None:
    """After a quarter of an hour; whoever chose "never" keeps it."""
    path = tmp_path / "window.json"
    assert Settings.load(path, language="en").idle_minutes == 15
    Settings(idle_minutes=0, path=path).save()
    assert Settings.load(path, language="en").idle_minutes == 0
