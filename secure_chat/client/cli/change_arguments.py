"""The grammar of the commands that change messages: edit, delete, react, timer, profile."""

import argparse
import re

from secure_chat.client.cli.grammar import (
    Commands,
    add_number,
    add_timeout,
    add_user,
    command,
    text_value,
)
from secure_chat.client.cli.language import words
from secure_chat.client.cli.parser import Parser
from secure_chat.client.events import Audience
from secure_chat.protocol import limits

_UNITS = {
    "s": 1,
    "m": limits.MINUTE,
    "h": limits.HOUR,
    "d": limits.DAY,
    "w": 7 * limits.DAY,
}


def _add_edit(commands: "Commands[Parser]") -> None:
    parser = command(commands, "edit", words("give a message of yours another text"))
    add_user(parser)
    add_number(parser)
    _add_text(parser, words("the new text; without it, standard input"))
    add_timeout(parser)


def _add_delete(commands: "Commands[Parser]") -> None:
    parser = command(commands, "delete", words("take a message back, on both sides"))
    add_user(parser)
    add_number(parser)
    parser.add_argument(
        "--here",
        action="store_true",
        help=words("remove it from this device alone, whoever wrote it"),
    )
    add_timeout(parser)


def _add_react(commands: "Commands[Parser]") -> None:
    parser = command(commands, "react", words("react to a message with an emoji"))
    add_user(parser)
    add_number(parser)
    parser.add_argument(
        "emoji",
        nargs="?",
        default="",
        metavar="EMOJI",
        type=text_value,
        help=words("one emoji; without it your reaction is withdrawn"),
    )
    add_timeout(parser)


def _add_timer(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "timer", words("let later messages with USER disappear, or show whether they do")
    )
    add_user(parser)
    parser.add_argument(
        "after",
        nargs="?",
        metavar="TIME",
        type=_duration,
        help=words("30s, 5m, 8h, 1d, 4w after reading; off keeps messages"),
    )
    add_timeout(parser)


def _add_profile(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "profile", words("show or change what your contacts are told about you")
    )
    parser.add_argument(
        "--display-name",
        metavar="NAME",
        type=text_value,
        help=words("how you like to be called; empty: by your account's name"),
    )
    for option, help_text in (
        ("--read-receipts", words("who learns that you have read a message")),
        ("--typing", words("who learns that you are writing")),
    ):
        parser.add_argument(
            option, choices=[one.value for one in Audience], default=None, help=help_text
        )
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))
    add_timeout(parser)


ADD_CHANGES = (_add_edit, _add_delete, _add_react, _add_timer, _add_profile)


def _add_text(parser: argparse.ArgumentParser, help_text: str) -> None:
    parser.add_argument(
        "text", nargs="*", default=[], metavar="TEXT", type=text_value, help=help_text
    )


def _duration(text: str) -> int:
    """Seconds; 0 for ``off``."""
    if text == "off":
        return 0
    found = re.fullmatch(r"([0-9]{1,9})([smhdw])", text)
    if found is None or int(found[1]) == 0:
        raise argparse.ArgumentTypeError(
            words("{given!r} is no time such as 30s, 5m, 8h, 1d, 4w or off", given=text)
        )
    return int(found[1]) * _UNITS[found[2]]
