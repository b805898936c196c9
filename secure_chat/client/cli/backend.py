"""The commands' real ground: profiles on disk, the chat engine, the window."""

from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.cli.session import Backend
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink

# Imported where they are used: `profiles` and mistakes in the arguments answer at once.


def real_backend() -> Backend:
    """What `secure-chat` runs on."""
    return Backend(_create, _open, _profiles, _root, _window)


def _create(
    folder: Path, link: InviteLink, user_id: UserId, password: str, ca_file: Path | None
) -> Engine:
    from secure_chat.client.engine import ChatEngine
    from secure_chat.client.profile import create_profile

    return ChatEngine(create_profile(folder, link, user_id, password, ca_file=ca_file))


def _open(folder: Path, password: str) -> Engine:
    from secure_chat.client.engine import ChatEngine
    from secure_chat.client.profile import open_profile

    return ChatEngine(open_profile(folder, password))


def _profiles() -> list[str]:
    from secure_chat.client.profile import list_profiles

    return [folder.name for folder in list_profiles(_root())]


def _root() -> Path:
    from secure_chat.client.profile import default_root

    return default_root()


def _window(folder: Path | None) -> int:
    from secure_chat.client.window import run

    return run(folder)
