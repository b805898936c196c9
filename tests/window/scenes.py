"""Where most tests of the window begin: somebody has signed in, and talks with Bob."""

from pathlib import Path

from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.presenter.settings import Settings
from secure_chat.client.window.app import App
from secure_chat.protocol.addresses import UserId
from tests.window.fakes import FakeAccounts, FakeEngine
from tests.window.stage import Stage, chat_view, drawn_texts

BOB = UserId("bob")
PROFILE = KnownProfile(Path("/p/alice"), "alice", "here:7443")


def signed_in(stage: Stage, engine: FakeEngine, settings: Settings | None = None) -> App:
    """A window that a person has unlocked with the keyboard."""
    app = stage.open(FakeAccounts(engine, [PROFILE]), settings=settings)
    stage.write(app, "correct horse")
    stage.press(app, "Return")
    stage.until(lambda: app.chat is not None, "signed in")
    return app


def talking_to_bob(stage: Stage, engine: FakeEngine, settings: Settings | None = None) -> App:
    app = signed_in(stage, engine, settings)
    chat_view(app).select(BOB)
    stage.until(lambda: bool(drawn_texts(app)), "the conversation is drawn")
    return app
