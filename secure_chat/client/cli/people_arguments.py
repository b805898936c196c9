"""The grammar of the commands that decide about people, and of the password's change."""

import argparse
from pathlib import Path

from secure_chat.client.cli.grammar import Commands, add_user, command
from secure_chat.client.cli.language import words
from secure_chat.client.cli.parser import Parser
from secure_chat.client.events import Strangers
from secure_chat.errors import BadContactLink
from secure_chat.protocol.invite import ContactLink


def _add_requests(commands: "Commands[Parser]") -> None:
    parser = command(commands, "requests", words("list the strangers who wait to be accepted"))
    parser.add_argument("--json", action="store_true", help=words("one JSON object a line"))


def _add_accept(commands: "Commands[Parser]") -> None:
    add_user(command(commands, "accept", words("accept USER, and see what they wrote")))


def _add_block(commands: "Commands[Parser]") -> None:
    add_user(command(commands, "block", words("drop all that USER sends; they are not told")))


def _add_unblock(commands: "Commands[Parser]") -> None:
    add_user(command(commands, "unblock", words("take in again what USER sends")))


def _add_strangers(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "strangers", words("show or change what happens to messages of strangers")
    )
    parser.add_argument(
        "policy",
        nargs="?",
        choices=[one.value for one in Strangers],
        help=words("ask: they wait until you accept; admit: they are shown at once"),
    )


def _add_contact_link(commands: "Commands[Parser]") -> None:
    parser = command(
        commands, "contact-link", words("print your contact link, or verify whom LINK names")
    )
    parser.add_argument(
        "link",
        nargs="?",
        metavar="LINK",
        type=_link,
        help=words("a contact link that came by a way which you trust, in quotation marks"),
    )
    parser.add_argument(
        "--yes", action="store_true", help=words("do not ask (for scripts; the decision is yours)")
    )


def _add_password(commands: "Commands[Parser]") -> None:
    parser = command(commands, "password", words("change the profile's password"))
    parser.add_argument(
        "--new-password-file",
        metavar="FILE",
        type=Path,
        help=words("read the new password from the first line of FILE"),
    )


def _link(text: str) -> ContactLink:
    try:
        return ContactLink.parse(text)
    except BadContactLink as wrong:
        raise argparse.ArgumentTypeError(words.error(wrong)) from None


ADD_PEOPLE = (
    _add_requests, _add_accept, _add_block, _add_unblock, _add_strangers, _add_contact_link,
    _add_password,
)  # fmt: skip
