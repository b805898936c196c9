"""The profiles of this machine, as the sign-in screen uses them."""

import shutil
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.engine import ChatEngine
from secure_chat.client.presenter.accounts import KnownProfile
from secure_chat.client.profile import (
    create_profile,
    default_root,
    list_profiles,
    open_profile,
    remove_profile,
)
from secure_chat.protocol.invite import InviteLink

_PARTS = "@"


class Profiles:
    """`Accounts` on the disk. A folder's name says whose profile it is.

    It is all that can be known without the password: the account's name, and where there are
    several accounts of one name ``user@host-port``.
    """

    def __init__(self, root: Path | None = None, only: Path | None = None) -> None:
        self._root = default_root() if root is None else root
        self._only = only
        self._folders: dict[int, Path] = {}  # of engines that were made here, by their id()
        self._opened: dict[int, Path] = {}  # of all engines that run, likewise

    @property
    def remembered(self) -> Path | None:
        """The folder for what the window remembers: beside the profiles."""
        return self._root.parent

    def known(self) -> list[KnownProfile]:
        """The profiles under the root; with ``only``, that one, wherever it is."""
        folders = list_profiles(self._root) if self._only is None else [self._only]
        return [_describe(folder) for folder in folders]

    def open(self, profile: KnownProfile, password: str) -> Engine:
        """Unlock a profile. Raises what `open_profile` raises."""
        engine = ChatEngine(open_profile(profile.folder, password))
        self._opened[id(engine)] = profile.folder
        return engine

    def create(self, link: InviteLink, user_id: str, password: str, ca_file: Path | None) -> Engine:
        """Make a profile in a folder of its own. Raises what `create_profile` raises."""
        folder = self._free_folder(user_id, link)
        engine = ChatEngine(create_profile(folder, link, user_id, password, ca_file=ca_file))
        self._folders[id(engine)] = self._opened[id(engine)] = folder
        return engine

    def remove(self, engine: Engine) -> None:
        """Stop an engine and remove its profile; raises what `remove_profile` raises."""
        engine.stop()
        folder = self._opened.pop(id(engine), None)
        if folder is not None:
            remove_profile(folder)

    def keep(self, engine: Engine) -> None:
        """Stop the engine of a profile that `create` made just now; its folder stays."""
        engine.stop()
        self._folders.pop(id(engine), None)

    def discard(self, engine: Engine) -> None:
        """Stop the engine, and delete the folder if it was made by `create` just now."""
        engine.stop()
        folder = self._folders.pop(id(engine), None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _free_folder(self, user_id: str, link: InviteLink) -> Path:
        if self._only is not None:
            return self._only
        host = "".join(c if c.isalnum() or c in ".-" else "_" for c in link.server.host)
        name = f"{user_id}{_PARTS}{host}-{link.server.port}"
        folder, number = self._root / user_id, 2
        if folder.exists():
            folder = self._root / name
        while folder.exists():
            folder, number = self._root / f"{name}-{number}", number + 1
        return folder


def _describe(folder: Path) -> KnownProfile:
    name, _, place = folder.name.partition(_PARTS)
    host, _, port = place.rpartition("-")
    return KnownProfile(folder, name, f"{host}:{port}" if host else "")
