"""The grammar of the commands about files: send-file, save."""

from pathlib import Path

from secure_chat.client.cli.change_arguments import number_value
from secure_chat.client.cli.grammar import (
    Commands,
    Parser,
    add_timeout,
    add_user,
    command,
    text_value,
)
from secure_chat.client.cli.language import words


def _add_send_file(commands: "Commands[Parser]") -> None:
    parser = command(commands, "send-file", words("send a file"))
    add_user(parser)
    parser.add_argument("path", metavar="PATH", type=Path, help=words("the file"))
    parser.add_argument(
        "--caption",
        metavar="TEXT",
        type=text_value,
        default="",
        help=words("a text that stands with the file"),
    )
    parser.add_argument(
        "--reply",
        metavar="NUMBER",
        type=number_value,
        help=words("answer this message: a number of listen --json or export, or last"),
    )
    parser.add_argument(
        "--keep-metadata",
        action="store_true",
        help=words("send a photograph with the place, time and device that its camera wrote"),
    )
    parser.add_argument(
        "--wait",
        choices=("accepted", "delivered"),
        default="accepted",
        help=words("what to wait for (accepted: safe at the server; delivered: the device has it)"),
    )
    add_timeout(parser)


def _add_save(commands: "Commands[Parser]") -> None:
    parser = command(commands, "save", words("fetch a file that somebody sent, and save it"))
    add_user(parser)
    parser.add_argument(
        "number",
        metavar="NUMBER",
        type=number_value,
        help=words("the message: a number of listen --json or export, or last"),
    )
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help=words("where to put it (default: the current folder); nothing is overwritten"),
    )
    add_timeout(parser)


ADD_FILES = (_add_send_file, _add_save)
