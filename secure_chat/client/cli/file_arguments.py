"""The grammar of the commands about files: send-file, save."""

from pathlib import Path

from secure_chat.client.cli.grammar import (
    Commands,
    add_number,
    add_reply,
    add_timeout,
    add_user,
    add_wait,
    command,
    text_value,
)
from secure_chat.client.cli.language import words
from secure_chat.client.cli.parser import Parser


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
    add_reply(parser)
    parser.add_argument(
        "--keep-metadata",
        action="store_true",
        help=words("send a photograph with the place, time and device that its camera wrote"),
    )
    add_wait(parser)


def _add_save(commands: "Commands[Parser]") -> None:
    parser = command(commands, "save", words("fetch a file that somebody sent, and save it"))
    add_user(parser)
    add_number(parser)
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        default=Path(),
        help=words("where to put it (default: the current folder); nothing is overwritten"),
    )
    add_timeout(parser)


ADD_FILES = (_add_send_file, _add_save)
