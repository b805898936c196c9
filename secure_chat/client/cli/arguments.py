"""The grammar of the command line: one table of subcommands, one line for every mistake."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from secure_chat.client.cli.change_arguments import ADD_CHANGES
from secure_chat.client.cli.file_arguments import ADD_FILES
from secure_chat.client.cli.grammar import (
    PROGRAM,
    Commands,
    account_value,
    add_profile,
    add_profile_options,
    add_reply,
    add_timeout,
    add_user,
    add_wait,
    command,
    count_value,
    either_link_value,
    link_value,
    seconds_value,
    server_value,
    text_value,
)
from secure_chat.client.cli.language import words
from secure_chat.client.cli.parser import Parser
from secure_chat.client.cli.people_arguments import ADD_PEOPLE
from secure_chat.errors import WrongArguments
from secure_chat.protocol.invite import is_link


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the arguments; raise `WrongArguments`. ``command`` is the subcommand's name."""
    parser = Parser(
        prog=PROGRAM,
        description=words(
            "End-to-end encrypted chat. Without a command it opens the window; with an invite or "
            "contact link in the place of a command, the window opens that link."
        ),
        epilog=words("Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 interrupted."),
        allow_abbrev=False,
    )
    add_profile_options(parser, nested=False)
    commands = parser.add_subparsers(dest="command", metavar=words("COMMAND"), parser_class=Parser)
    for add in _COMMANDS:
        add(commands)
    chosen = parser.parse_args(_link_as_command(arguments))
    if chosen.command != "profiles" and chosen.password_file and chosen.password_stdin:
        raise WrongArguments(reason=words("Give --password-file or --password-stdin, not both."))
    if chosen.command is None:
        chosen.command = "window"
    return chosen


def _link_as_command(arguments: Sequence[str]) -> list[str]:
    """What the system passes when somebody presses a link: ``securechat://…`` and nothing else."""
    if len(arguments) == 1 and is_link(arguments[0]):
        return ["window", "--link", arguments[0]]
    return list(arguments)


def _add_register(commands: "Commands[Parser]") -> None:
    parser = command(commands, "register", words("create an account and its profile"))
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--link", type=link_value, help=words("the invite link, in quotation marks"))
    where.add_argument(
        "--link-file",
        metavar="FILE",
        type=Path,
        help=words("read the invite link from FILE, so that no other user of this machine sees it"),
    )
    where.add_argument(
        "--server",
        metavar="HOST:PORT",
        type=server_value,
        help=words("a server with open registration"),
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        type=Path,
        help=words(
            "trust this CA for the server's certificate (with --server or a link without pin)"
        ),
    )
    parser.add_argument(
        "--name", metavar="NAME", type=account_value, help=words("the account's name")
    )
    add_timeout(parser)


def _add_send(commands: "Commands[Parser]") -> None:
    parser = command(commands, "send", words("send a message"))
    add_user(parser)
    parser.add_argument(
        "text",
        nargs="*",
        default=[],
        metavar="TEXT",
        type=text_value,
        help=words("the message; without it, standard input (which other users cannot see)"),
    )
    add_reply(parser)
    add_wait(parser)


def _add_listen(commands: "Commands[Parser]") -> None:
    parser = command(commands, "listen", words("print messages: unread ones, then as they come"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    parser.add_argument(
        "--from", dest="sender", metavar="USER", type=account_value, help=words("only from USER")
    )
    parser.add_argument(
        "--count", metavar="N", type=count_value, help=words("end after N messages (of others)")
    )
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="SECONDS",
        type=seconds_value,
        help=words("end after SECONDS; with --count it is a failure if fewer came"),
    )


def _add_users(commands: "Commands[Parser]") -> None:
    parser = command(commands, "users", words("list the people on the server"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    parser.add_argument("--online", action="store_true", help=words("only those who are online"))
    add_timeout(parser)


def _add_fingerprint(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "fingerprint", words("your own fingerprint, or the safety number with USER")
    )
    add_user(parser, optional=True)
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    add_timeout(parser)


def _add_verify(commands: "Commands[Parser]") -> None:
    parser = command(commands, "verify", words("mark USER as verified after comparing the number"))
    add_user(parser)
    parser.add_argument(
        "number",
        nargs="*",
        default=[],
        metavar="NUMBER",
        type=text_value,
        help=words("the 60 digits as USER reads them to you; without them you are asked"),
    )
    add_timeout(parser)


def _add_accept_key(commands: "Commands[Parser]") -> None:
    parser = command(commands, "accept-key", words("accept the changed key of USER"))
    add_user(parser)
    parser.add_argument(
        "--yes", action="store_true", help=words("do not ask (for scripts; the decision is yours)")
    )
    add_timeout(parser)


def _add_export(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "export", words("write out the history with USER, or with everybody")
    )
    add_user(parser, optional=True)
    parser.add_argument(
        "--format", choices=("json", "text"), default="json", help=words("JSON lines, or text")
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help=words("a new file instead of standard output")
    )


def _add_my_data(commands: "Commands[Parser]") -> None:
    parser = command(commands, "my-data", words("show all that the server holds on you"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    add_timeout(parser)


def _add_delete_account(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "delete-account", words("delete your account at the server with all it holds")
    )
    parser.add_argument(
        "--confirm",
        metavar="NAME",
        type=account_value,
        help=words("the account's name, for scripts; without it you are asked to type it"),
    )
    fate = parser.add_mutually_exclusive_group()
    fate.add_argument(
        "--remove-profile",
        action="store_true",
        help=words("remove the profile from this device too, without asking"),
    )
    fate.add_argument(
        "--keep-profile", action="store_true", help=words("keep the profile, without asking")
    )
    add_timeout(parser)


def _add_profiles(commands: "Commands[Parser]") -> None:
    parser = command(commands, "profiles", words("list the profiles on this machine"), vault=False)
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))


def _add_window(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "window", words("open the window (also without any command)"), vault=False
    )
    add_profile(parser, nested=True)
    parser.add_argument(
        "--link", type=either_link_value, help=words("an invite or contact link to begin with")
    )
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
    _add_accept_key, _add_export, _add_my_data, _add_delete_account, _add_profiles, _add_window,
    *ADD_CHANGES, *ADD_FILES, *ADD_PEOPLE,
)  # fmt: skip
