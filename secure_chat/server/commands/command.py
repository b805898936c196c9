"""What a command of ``secure-chat-server`` is: a name, its arguments, and what it does."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from msgspec import Struct

from secure_chat.server.commands.operation import AnyOperation
from secure_chat.server.config import Config

Run = Callable[[Config, Namespace], int]
"""Does a command and returns its exit code; raises `SecureChatError` when it cannot be done."""


def _none(_parser: ArgumentParser) -> None:
    """No argument but the settings."""


class Command(Struct, frozen=True, kw_only=True):
    """A command, or one of the ``parts`` of a command, such as the ``list`` of ``invite list``.

    A command has either ``run`` or ``parts``. ``default`` is the part that is meant when none is
    named. ``operations`` are those that the operator's door of a running server offers for it.
    ``examples`` are words behind the program's name, each with what they do.
    """

    name: str
    help: str
    description: str = ""
    arguments: Callable[[ArgumentParser], None] = _none
    run: Run | None = None
    parts: tuple["Command", ...] = ()
    default: str = ""
    operations: tuple[AnyOperation, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
