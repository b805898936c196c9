"""Which profile a command means, and its engine."""

import os
from argparse import Namespace
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.passwords import read_password
from secure_chat.client.cli.session import Backend
from secure_chat.errors import NotDone, WrongArguments
from secure_chat.protocol.addresses import UserId

_SEPARATORS = tuple(filter(None, {os.sep, os.altsep, "/"}))


def profile_folder(chosen: Namespace, backend: Backend) -> Path:
    """The folder that --profile names, or of the only profile there is."""
    if chosen.profile is not None:
        return _named(chosen.profile, backend.root())
    there = backend.profiles()
    if len(there) == 1:
        return backend.root() / there[0]
    if not there:
        raise NotDone(what=words("There is no profile yet: secure-chat register makes one."))
    names = ", ".join(output.one_line(name) for name in there)
    raise WrongArguments(
        reason=words("Say which profile: --profile NAME, one of {names}.", names=names)
    )


def new_folder(chosen: Namespace, backend: Backend, name: UserId) -> Path:
    """Where a new profile goes: as --profile says, or under the account's name."""
    if chosen.profile is None:
        return backend.root() / name
    return _named(chosen.profile, backend.root())


def _named(text: str, root: Path) -> Path:
    if not text or "\0" in text:
        raise WrongArguments(reason=words("--profile needs a name or a folder."))
    if text.startswith(("~", ".")) or any(mark in text for mark in _SEPARATORS):
        return Path(text).expanduser()
    return root / text


def open_engine(chosen: Namespace, backend: Backend) -> Engine:
    """Unlock the profile; the engine is not started."""
    folder = profile_folder(chosen, backend)
    if not folder.is_dir():
        raise NotDone(
            what=words(
                "There is no profile {folder}; secure-chat profiles lists them.", folder=folder
            )
        )
    password = read_password(chosen.password_file, from_stdin=chosen.password_stdin, twice=False)
    return backend.open(folder, password)
