"""What the sign-in screen needs of profiles, so that it can be shown and tested without any."""

from pathlib import Path
from typing import NamedTuple, Protocol

from secure_chat.client.api import Engine
from secure_chat.protocol.invite import InviteLink


class KnownProfile(NamedTuple):
    """A profile on this machine."""

    folder: Path
    name: str  # user_id
    server: str  # host:port


class Accounts(Protocol):
    """Opens and makes profiles. `open` and `create` take a second or more: never on Tk's thread."""

    @property
    def remembered(self) -> Path | None:
        """The folder for what the window remembers; None: nothing is."""

    def known(self) -> list[KnownProfile]:
        """The profiles of this person on this machine."""

    def open(self, profile: KnownProfile, password: str) -> Engine:
        """Unlock a profile; raises `SecureChatError` (wrong password, in use, damaged)."""

    def create(self, link: InviteLink, user_id: str, password: str, ca_file: Path | None) -> Engine:
        """Make a profile that registers once its engine is started; raises `SecureChatError`."""

    def remove(self, engine: Engine) -> None:
        """Stop an engine and remove its profile from this device; raises `SecureChatError`."""

    def keep(self, engine: Engine) -> None:
        """Stop a new profile's engine and keep the profile: the server may have registered it."""

    def discard(self, engine: Engine) -> None:
        """Stop a new profile's engine and forget the profile: its registration was refused."""
