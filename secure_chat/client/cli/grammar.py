"""What the subcommands' grammars are made of: the parser, shared options, and types of values."""

import argparse
from pathlib import Path

from secure_chat.client.cli.language import words
from secure_chat.client.cli.parser import Parser
from secure_chat.errors import BadAddress, BadContactLink, BadInviteLink
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.invite import ContactLink, InviteLink, ServerAddress, is_contact_link

PROGRAM = "secure-chat"
LAST = -1
"""Stands for the newest message that a command may mean."""
DEFAULT_TIMEOUT = 30.0
_LONGEST_WAIT = 7 * 24 * 3600.0


Commands = argparse._SubParsersAction  # argparse gives the type no public name


def command(
    commands: "Commands[Parser]", name: str, help_text: str, *, vault: bool = True
) -> Parser:
    """A subcommand; with ``vault`` it takes the profile's options after its name as well."""
    parser = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
    if vault:
        add_profile_options(parser, nested=True)
    return parser


def add_profile_options(parser: argparse.ArgumentParser, *, nested: bool) -> None:
    """--profile and the password's origin, before or after the subcommand."""
    add_profile(parser, nested=nested)
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


def add_profile(parser: argparse.ArgumentParser, *, nested: bool) -> None:
    parser.add_argument(
        "--profile",
        metavar="NAME",
        # The inner parser must not reset what stood before the subcommand.
        default=argparse.SUPPRESS if nested else None,
        help=words("a profile's name, or its folder when it contains a slash"),
    )


def add_user(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "user",
        metavar="USER",
        type=account_value,
        nargs="?" if optional else None,
        help=words("the other's account name"),
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds_value,
        default=DEFAULT_TIMEOUT,
        help=words("give up after SECONDS (default {n:g})", n=DEFAULT_TIMEOUT),
    )


# argparse turns ArgumentTypeError into its error line.


def account_value(text: str) -> UserId:
    try:
        return canonical_user_id(text)
    except BadAddress as wrong:
        raise argparse.ArgumentTypeError(words.error(wrong)) from None


def link_value(text: str) -> InviteLink:
    try:
        return InviteLink.parse(text)
    except BadInviteLink as wrong:
        raise argparse.ArgumentTypeError(words.error(wrong)) from None


def either_link_value(text: str) -> InviteLink | ContactLink:
    try:
        return ContactLink.parse(text) if is_contact_link(text) else InviteLink.parse(text)
    except (BadInviteLink, BadContactLink) as wrong:
        raise argparse.ArgumentTypeError(words.error(wrong)) from None


def server_value(text: str) -> InviteLink:
    try:
        return InviteLink(ServerAddress.parse(text))
    except BadInviteLink:
        raise argparse.ArgumentTypeError(words("{given!r} is no HOST:PORT", given=text)) from None


def text_value(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # undecodable bytes of the shell
        raise argparse.ArgumentTypeError(words("the text is not valid UTF-8")) from None
    return text


def seconds_value(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _LONGEST_WAIT:  # also refuses NaN
        raise argparse.ArgumentTypeError(
            words("{given!r} is no number of seconds from 0 to a week", given=text)
        )
    return seconds


def count_value(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise argparse.ArgumentTypeError(words("{given!r} is no number from 1", given=text))
    return int(text)


def add_number(parser: argparse.ArgumentParser) -> None:
    """Which message is meant."""
    parser.add_argument(
        "number",
        metavar="NUMBER",
        type=number_value,
        help=words("the message: a number of listen --json or export, or last"),
    )


def add_reply(parser: argparse.ArgumentParser) -> None:
    """--reply: what it answers."""
    parser.add_argument(
        "--reply",
        metavar="NUMBER",
        type=number_value,
        help=words("answer this message: a number of listen --json or export, or last"),
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    """--wait, and for how long."""
    parser.add_argument(
        "--wait",
        choices=("accepted", "delivered"),
        default="accepted",
        help=words("what to wait for (accepted: safe at the server; delivered: the device has it)"),
    )
    add_timeout(parser)


def number_value(text: str) -> int:
    """The number of a message, or `LAST`."""
    if text == "last":
        return LAST
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16 and int(text) > 0):
        raise argparse.ArgumentTypeError(
            words("{given!r} is neither the number of a message nor last", given=text)
        )
    return int(text)
