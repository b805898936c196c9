"""The commands' real ground: profiles on disk, the chat engine, the window."""

from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.cli.language import words
from secure_chat.client.cli.session import Backend, WindowWish
from secure_chat.client.i18n import N_
from secure_chat.errors import NotDone
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.invite import InviteLink

_NO_TK = N_(
    "The window needs tkinter, which this Python lacks (Debian and Ubuntu: the package "
    "python3-tk). The commands work without it: secure-chat --help."
)
_NO_SCREEN = N_(
    "There is no screen for the window. The commands work without it: secure-chat --help."
)

# Imported where they are used: `profiles` and mistakes in the arguments answer at once.


def real_backend() -> Backend:
    """What `secure-chat` runs on."""
    return Backend(_create, _open, _profiles, _root, _window, _remove)


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


def _remove(folder: Path) -> None:
    from secure_chat.client.profile import remove_profile

    remove_profile(folder)


def _root() -> Path:
    from secure_chat.client.profile import default_root

    return default_root()


def _window(wish: WindowWish) -> int:
    try:
        from secure_chat.client.presenter.settings import Options
        from secure_chat.client.window import run
    except ImportError as missing:
        if missing.name not in {"tkinter", "_tkinter"}:
            raise
        raise NotDone(what=words(_NO_TK)) from None
    try:
        return run(Options(wish.profile, wish.link, wish.ca_file, wish.language, wish.theme))
    except Exception as wrong:
        if type(wrong).__name__ != "TclError":  # tkinter is imported by the window alone
            raise
        raise NotDone(what=words(_NO_SCREEN)) from None
