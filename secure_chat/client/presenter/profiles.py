"""The profiles of this machine, as the sign-in screen uses them."""

import shutil
from pathlib import Path
from weakref import WeakKeyDictionary, WeakSet

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
        self._folders: WeakKeyDictionary[Engine, Path] = WeakKeyDictionary()  # as long as they run
        self._new: WeakSet[Engine] = WeakSet()  # whose folder was made here just now

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
        self._folders[engine] = profile.folder
        return engine

    def create(self, link: InviteLink, user_id: str, password: str, ca_file: Path | None) -> Engine:
        """Make a profile in a folder of its own. Raises what `create_profile` raises."""
        folder = self._free_folder(user_id, link)
        engine = ChatEngine(create_profile(folder, link, user_id, password, ca_file=ca_file))
        self._folders[engine] = folder
        self._new.add(engine)
        return engine

    def remove(self, engine: Engine) -> None:
        """Stop an engine and remove its profile; raises what `remove_profile` raises."""
        engine.stop()
        folder = self._folders.pop(engine, None)
        if folder is not None:
            remove_profile(folder)

    def keep(self, engine: Engine) -> None:
        """Stop the engine of a profile that `create` made just now; its folder stays."""
        engine.stop()
        self._new.discard(engine)

    def discard(self, engine: Engine) -> None:
        """Stop the engine, and delete the folder if it was made by `create` just now."""
        engine.stop()
        folder = self._folders.pop(engine, None)
        if folder is not None and engine in self._new:
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
