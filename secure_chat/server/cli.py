"""The command line of the server: ``secure-chat-server [serve]`` and ``secure-chat-server invite``.

Whatever goes wrong before the server runs, or keeps a command from being done, is one line on
standard error and exit code 2; a failure of this machine or of this program exits with 1.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from secure_chat import __version__
from secure_chat.errors import BadCertificateFile, SecureChatError
from secure_chat.protocol.limits import DAY, HOUR, MINUTE
from secure_chat.server import app, config
from secure_chat.server.bugs import described
from secure_chat.streams import replace_closed

PROGRAM = "secure-chat-server"
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY}
_MAKE_ONE = "Make one with scripts/generate_certs.py, and name it with --cert and --key."
_MAX_USES = 100_000
_MAX_LABEL = 100


class _Parser(argparse.ArgumentParser):
    """argparse that refuses in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. Try: {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    replace_closed()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or (words[0].startswith("-") and words[0] not in {"-h", "--help", "--version"}):
        words.insert(0, "serve")
    options = _parser().parse_args(words)
    try:
        settings = config.load(options.config, _given(options))
        if options.command == "invite":
            return _invite(settings, options)
        return app.serve(settings)
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


def _pipe_closed() -> int:
    """Nobody reads on: keep the interpreter's last flush from complaining."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return 128 + 13  # SIGPIPE


def _invite(settings: config.Config, options: argparse.Namespace) -> int:
    wish = app.InviteWish(options.label, options.uses, options.expires, options.advertise or "")
    print(app.invite(settings, wish), flush=True)
    return 0


def _parser() -> _Parser:
    parser = _Parser(
        PROGRAM, description="The server of secure_chat: it routes what it cannot read."
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    serve = commands.add_parser("serve", help="run the server (the default command)")
    invite = commands.add_parser(
        "invite",
        help="make an invite link",
        description="Make an invite link, whether the server runs or not.",
    )
    invite.add_argument("--uses", type=_uses, default=1, metavar="N", help="accounts (default: 1)")
    invite.add_argument(
        "--expires", type=_duration, default=7 * DAY, metavar="TIME",
        help="such as 30m, 12h or 7d (default: 7d)",
    )  # fmt: skip
    invite.add_argument("--label", type=_label, default="", metavar="TEXT", help="a note for you")
    for command in (serve, invite):  # the same, so that both find the same server
        _add_settings(command)
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")
    for setting in config.settings():
        words = isinstance(setting.kind, tuple)
        parser.add_argument(
            setting.flag,
            dest=setting.name,
            type=int if setting.kind is int else str,
            choices=setting.kind if words else None,
            metavar=None if words else setting.name.upper(),
            help=f"{setting.description} (default: {setting.default or 'none'})".replace("%", "%%"),
        )


def _given(options: argparse.Namespace) -> dict[str, object]:
    """The settings that the command line names."""
    names = {setting.name for setting in config.settings()}
    return {k: v for k, v in vars(options).items() if k in names and v is not None}


def _uses(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_USES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MAX_USES}")
    return int(text)


def _duration(text: str) -> int:
    """``30m``, ``12h``, ``7d`` as seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 12h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def _label(text: str) -> str:
    if len(text) > _MAX_LABEL or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a label has at most {_MAX_LABEL} printable characters")
    return text
