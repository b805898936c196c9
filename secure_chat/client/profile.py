"""Profiles: who a person is on one server, kept in a vault under a password.

A profile is a folder. Its keys are made at the first verified connection, because they are bound to
the server's id, which may be known only then.
"""

import os
import shutil
from pathlib import Path

import platformdirs

from secure_chat.client.vault import Vault, identity
from secure_chat.client.vault.database import KEY_FILE
from secure_chat.client.vault.lock import ProfileLock
from secure_chat.errors import BadInviteLink, ProfileMissing, ProfileUnwritable
from secure_chat.protocol.addresses import FIRST_DEVICE, UserId, canonical_user_id
from secure_chat.protocol.invite import InviteLink


class Profile:
    """An open profile; `close` lets others open it."""

    def __init__(self, vault: Vault) -> None:
        with vault.read() as db:
            user_id, device, link, ca_file, _ = identity.whoami(db)
        self.vault = vault
        self.user_id: UserId = user_id
        self.device = device
        self.link = InviteLink.parse(link)
        self.ca_file = None if ca_file is None else Path(ca_file)

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.vault.folder

    def use_link(self, link: InviteLink) -> None:
        """Another address or invite for the same server; raise `BadInviteLink` for another."""
        with self.vault.write() as db:
            server_id = identity.whoami(db)[4]
            if server_id is not None and link.server_id not in {None, server_id}:
                raise BadInviteLink(reason="it leads to another server than this profile's")
            identity.set_link(db, str(link))
        self.link = link

    def close(self) -> None:
        """Close the vault and release its lock."""
        self.vault.close()


def create_profile(
    folder: Path, link: InviteLink, user_id: str, password: str, *, ca_file: Path | None = None
) -> Profile:
    """A new profile in a new or empty folder; nothing is sent yet.

    Raises `BadAddress` for the name, `ProfileExists`, `BadPassword`, `ProfileUnwritable`.
    """
    name = canonical_user_id(user_id)
    vault = Vault.create(folder, password)
    try:
        with vault.write() as db:
            place = None if ca_file is None else str(ca_file.absolute())
            identity.create(db, name, FIRST_DEVICE, str(link), place)
        return Profile(vault)
    except BaseException:
        vault.close()
        raise


def open_profile(folder: Path, password: str) -> Profile:
    """An existing profile. Raises what `Vault.open` raises."""
    vault = Vault.open(folder, password)
    try:
        return Profile(vault)
    except BaseException:
        vault.close()
        raise


def remove_profile(folder: Path) -> None:
    """Remove a profile from this device, with its history and keys, for good.

    Raises `ProfileMissing`, `ProfileInUse` while a program runs on it, `ProfileUnwritable`.
    """
    if not (folder / KEY_FILE).is_file():
        raise ProfileMissing(folder=folder)
    ProfileLock(folder).release()
    try:
        # The key goes first: whatever is left after a failure cannot be read any more.
        (folder / KEY_FILE).unlink()
        shutil.rmtree(folder)
    except OSError as wrong:
        raise ProfileUnwritable(folder=folder, reason=wrong.strerror or "unknown") from wrong


def default_root() -> Path:
    """Where profiles are kept: ``SECURE_CHAT_HOME``, or the platform's folder for a user's data."""
    chosen = os.environ.get("SECURE_CHAT_HOME")
    if chosen:
        return Path(chosen).expanduser()
    return platformdirs.user_data_path("secure_chat", appauthor=False) / "profiles"


def list_profiles(root: Path) -> list[Path]:
    """The folders of profiles under ``root``, by name."""
    if not root.is_dir():
        return []
    return sorted(place for place in root.iterdir() if (place / KEY_FILE).is_file())
