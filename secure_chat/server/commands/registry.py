"""The table of commands: the command line and the door of a running server are made from it."""

from secure_chat.server.commands import (
    backup,
    check,
    example,
    invite,
    make_cert,
    restore,
    rotate_cert,
    serve,
    stats,
    users,
)
from secure_chat.server.commands.command import Command

_OPERATED = (
    invite.COMMAND,
    users.COMMAND,
    stats.COMMAND,
    check.COMMAND,
    example.COMMAND,
    backup.COMMAND,
    restore.COMMAND,
    make_cert.COMMAND,
    rotate_cert.COMMAND,
)

OPERATIONS = tuple(operation for command in _OPERATED for operation in command.operations)
"""What a running server does when its operator asks."""

COMMANDS: tuple[Command, ...] = (serve.command(OPERATIONS), *_OPERATED)
"""In the order of the help."""
