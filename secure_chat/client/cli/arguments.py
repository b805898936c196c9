"""The grammar of the command line: one table of subcommands, one line for every mistake."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from secure_chat.client.cli.language import words
from secure_chat.errors import BadAddress, BadInviteLink, WrongArguments
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.invite import InviteLink, ServerAddress

PROGRAM = "secure-chat"
DEFAULT_TIMEOUT = 30.0
_LONGEST_WAIT = 7 * 24 * 3600.0


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing a usage and exiting, so that a mistake is one line."""

    def error(self, message: str) -> NoReturn:
        hint = words("see {program} --help", program=self.prog)
        raise WrongArguments(reason=f"{message} ({hint})")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; raise `WrongArguments`. ``command`` is the subcommand's name."""
    parser = _Parser(
        prog=PROGRAM,
        description=words("End-to-end encrypted chat. Without a command it opens the window."),
        epilog=words("Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."),
        allow_abbrev=False,
    )
    _add_profile_options(parser, nested=False)
    commands = parser.add_subparsers(dest="command", metavar=words("COMMAND"), parser_class=_Parser)
    for add in _COMMANDS:
        add(commands)
    chosen = parser.parse_args(list(arguments))
    if chosen.command != "profiles" and chosen.password_file and chosen.password_stdin:
        raise WrongArguments(reason=words("Give --password-file or --password-stdin, not both."))
    if chosen.command is None:
        chosen.command = "window"
    return chosen


_Commands = argparse._SubParsersAction  # argparse gives the type no public name


def _command(
    commands: "_Commands[_Parser]", name: str, help_text: str, *, vault: bool = True
) -> _Parser:
    """A subcommand; with ``vault`` it takes the profile's options after its name as well."""
    parser = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
    if vault:
        _add_profile_options(parser, nested=True)
    return parser


def _add_profile_options(parser: argparse.ArgumentParser, *, nested: bool) -> None:
    """--profile and the password's origin, before or after the subcommand."""
    _add_profile(parser, nested=nested)
    unset = argparse.SUPPRESS if nested else None
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        default=unset,
        help=words("read the password from the first line of FILE"),
    )
    source.add_argument(
        "--password-stdin",
        action="store_true",
        default=argparse.SUPPRESS if nested else False,
        help=words("read the password from the first line of standard input"),
    )


def _add_profile(parser: argparse.ArgumentParser, *, nested: bool) -> None:
    parser.add_argument(
        "--profile",
        metavar="NAME",
        # The inner parser must not reset what stood before the subcommand.
        default=argparse.SUPPRESS if nested else None,
        help=words("a profile's name, or its folder when it contains a slash"),
    )


def _add_register(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "register", words("create an account and its profile"))
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--link", type=_link, help=words("the invite link, in quotation marks"))
    where.add_argument(
        "--link-file",
        metavar="FILE",
        type=Path,
        help=words("read the invite link from FILE, so that no other user of this machine sees it"),
    )
    where.add_argument(
        "--server", metavar="HOST:PORT", type=_server, help=words("a server with open registration")
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        type=Path,
        help=words(
            "trust this CA for the server's certificate (with --server or a link without pin)"
        ),
    )
    parser.add_argument("--name", metavar="NAME", type=_user_id, help=words("the account's name"))
    _add_timeout(parser)


def _add_send(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "send", words("send a message"))
    _add_user(parser)
    parser.add_argument(
        "text",
        nargs="*",
        default=[],
        metavar="TEXT",
        type=_text,
        help=words("the message; without it, standard input (which other users cannot see)"),
    )
    parser.add_argument(
        "--wait",
        choices=("accepted", "delivered"),
        default="accepted",
        help=words("what to wait for (accepted: safe at the server; delivered: the device has it)"),
    )
    _add_timeout(parser)


def _add_listen(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "listen", words("print messages: unread ones, then as they come"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    parser.add_argument(
        "--from", dest="sender", metavar="USER", type=_user_id, help=words("only from USER")
    )
    parser.add_argument(
        "--count", metavar="N", type=_count, help=words("end after N messages (of others)")
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="SECONDS",
        type=_seconds,
        help=words("end after SECONDS; with --count it is a failure if fewer came"),
    )


def _add_users(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "users", words("list the people on the server"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    parser.add_argument("--online", action="store_true", help=words("only those who are online"))
    _add_timeout(parser)


def _add_fingerprint(commands: "_Commands[_Parser]") -> None:
    parser = _command(
        commands, "fingerprint", words("your own fingerprint, or the safety number with USER")
    )
    _add_user(parser, optional=True)
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    _add_timeout(parser)


def _add_verify(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "verify", words("mark USER as verified after comparing the number"))
    _add_user(parser)
    parser.add_argument(
        "number",
        nargs="*",
        default=[],
        metavar="NUMBER",
        type=_text,
        help=words("the 60 digits as USER reads them to you; without them you are asked"),
    )
    _add_timeout(parser)


def _add_accept_key(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "accept-key", words("accept the changed key of USER"))
    _add_user(parser)
    parser.add_argument(
        "--yes", action="store_true", help=words("do not ask (for scripts; the decision is yours)")
    )
    _add_timeout(parser)


def _add_export(commands: "_Commands[_Parser]") -> None:
    parser = _command(
        commands, "export", words("write out the history with USER, or with everybody")
    )
    _add_user(parser, optional=True)
    parser.add_argument(
        "--format", choices=("json", "text"), default="json", help=words("JSON lines, or text")
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help=words("a new file instead of standard output")
    )


def _add_profiles(commands: "_Commands[_Parser]") -> None:
    parser = _command(commands, "profiles", words("list the profiles on this machine"), vault=False)
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))


def _add_window(commands: "_Commands[_Parser]") -> None:
    parser = _command(
        commands, "window", words("open the window (also without any command)"), vault=False
    )
    _add_profile(parser, nested=True)
    parser.add_argument("--link", type=_link, help=words("an invite link to begin with"))
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        type=Path,
        help=words("trust this CA for the server's certificate"),
    )
    parser.add_argument("--language", choices=("en", "fa"), help=words("instead of the system's"))
    parser.add_argument("--theme", choices=("light", "dark"), help=words("instead of the last"))


_COMMANDS = (
    _add_register, _add_send, _add_listen, _add_users, _add_fingerprint, _add_verify,
    _add_accept_key, _add_export, _add_profiles, _add_window,
)  # fmt: skip


def _add_user(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "user",
        metavar="USER",
        type=_user_id,
        nargs="?" if optional else None,
        help=words("the other's account name"),
    )


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        help=words("give up after SECONDS (default {n:g})", n=DEFAULT_TIMEOUT),
    )


# argparse turns ArgumentTypeError into its error line.


def _user_id(text: str) -> UserId:
    try:
        return canonical_user_id(text)
    except BadAddress as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _link(text: str) -> InviteLink:
    try:
        return InviteLink.parse(text)
    except BadInviteLink as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _server(text: str) -> InviteLink:
    try:
        return InviteLink(ServerAddress.parse(text))
    except BadInviteLink:
        raise argparse.ArgumentTypeError(words("{given!r} is no HOST:PORT", given=text)) from None


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # undecodable bytes of the shell
        raise argparse.ArgumentTypeError(words("the text is not valid UTF-8")) from None
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_WAIT:  # also refuses NaN
        raise argparse.ArgumentTypeError(
            words("{given!r} is no number of seconds from 0 to a week", given=text)
        )
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(words("{given!r} is no number from 1", given=text))
    return int(text)
