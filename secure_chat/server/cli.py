"""The command line of the server: ``secure-chat-server [serve]`` and the operator's commands.

Whatever goes wrong before the server runs, or keeps a command from being done, is one line on
standard error and exit code 2; a failure of this machine or of this program exits with 1.
"""

import argparse
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from secure_chat import __version__
from secure_chat.bugs import described
from secure_chat.errors import BadCertificateFile, SecureChatError
from secure_chat.server import config
from secure_chat.server.commands.command import Command, Run
from secure_chat.server.commands.registry import COMMANDS
from secure_chat.server.commands.words import Number
from secure_chat.streams import replace_closed

PROGRAM = "secure-chat-server"
_MAKE_ONE = "Make one with make-cert, or name another with --cert and --key."
_ABOUT_SETTINGS = (
    "The same for every command, so that each finds the same server. A file can hold them instead: "
    f"{PROGRAM} config > server.toml"
)
_WIDTH = 78
_GENERAL = {"-h", "--help", "--version"}


class _Parser(argparse.ArgumentParser):
    """argparse that refuses in one line, and lays out texts without breaking words."""

    def __init__(self, description: str = "", **named: Any) -> None:
        super().__init__(
            description=textwrap.fill(description, _WIDTH, break_on_hyphens=False) or None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            **named,
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    replace_closed()
    _clean_up_when_ended()
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(_completed(words))
    try:
        run: Run = options.run
        return run(config.from_options(options), options)
    except BadCertificateFile as wrong:
        print(f"{PROGRAM}: {wrong} {_MAKE_ONE}", file=sys.stderr)
        return 2
    except SecureChatError as wrong:
        print(f"{PROGRAM}: {wrong}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return _pipe_closed()
    except OSError as wrong:
        print(f"{PROGRAM}: {wrong.strerror or type(wrong).__name__}.", file=sys.stderr)
        return 1
    except Exception as bug:
        where = described(bug)
        print(f"{PROGRAM}: a mistake in this program: {where}. Please report it.", file=sys.stderr)
        return 1


def _clean_up_when_ended() -> None:
    """Let a command that is told to end delete what it began, as after Ctrl+C.

    `serve` takes these signals itself, later.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if (
            number is not None
            and threading.current_thread() is threading.main_thread()
            and signal.getsignal(number) is signal.SIG_DFL  # else: nohup, or somebody's own
        ):
            signal.signal(number, end)


def _completed(words: list[str]) -> list[str]:
    """With the command, and the part of it, that is meant when none is named."""
    if not words or (words[0].startswith("-") and words[0] not in _GENERAL):
        words = ["serve", *words]
    default = next((command.default for command in COMMANDS if command.name == words[0]), "")
    unnamed = len(words) == 1 or (words[1].startswith("-") and words[1] not in _GENERAL)
    return [words[0], default, *words[1:]] if default and unnamed else words


def _pipe_closed() -> int:
    """Nobody reads on: keep the interpreter's last flush from complaining."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 128 + 13  # SIGPIPE


def _parser() -> _Parser:
    parser = _Parser(
        prog=PROGRAM, description="The server of secure_chat: it routes what it cannot read."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    _add_commands(parser, COMMANDS)
    return parser


def _add_commands(parser: argparse.ArgumentParser, commands: Sequence[Command]) -> None:
    table = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        one = table.add_parser(
            command.name,
            help=command.help,
            description=command.description or f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=_examples(command),
        )
        if command.parts:
            _add_commands(one, command.parts)
            continue
        command.arguments(one)
        one.usage = one.format_usage().removeprefix("usage: ").rstrip() + " [SETTING ...]"
        _add_settings(one)  # the same for all, so that all find the same server
        one.set_defaults(run=command.run)


def _number(setting: config.Setting) -> Number:
    """What reads the setting from the command line."""
    assert setting.least is not None
    assert setting.most is not None
    return Number(setting.least, setting.most)


def _examples(command: Command) -> str | None:
    """What follows the options in the help of a command."""
    if not command.examples:
        return None
    lines = [f"  {PROGRAM} {words}\n      {what}" for words, what in command.examples]
    return "\n".join(["examples:", *lines])


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "settings of the server",
        textwrap.fill(_ABOUT_SETTINGS, _WIDTH - 2, break_on_hyphens=False),
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"settings as TOML (default: ${config.FILE_VARIABLE})",
    )
    for setting in config.settings():
        words = isinstance(setting.kind, tuple)
        takes = f"{setting.range}; " if setting.range else ""
        text = f"{setting.description} ({takes}default: {setting.default or 'none'})"
        text = text.replace("%", "%%")
        if setting.kind is bool:
            flag = argparse.BooleanOptionalAction
            group.add_argument(setting.flag, dest=setting.name, action=flag, help=text)
            continue
        group.add_argument(
            setting.flag,
            dest=setting.name,
            type=_number(setting) if setting.kind is int else str,
            choices=setting.kind if words else None,
            metavar=None if words else setting.name.upper(),
            help=text,
        )
