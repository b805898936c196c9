"""Where a password comes from: a prompt, a file or standard input. Never argv, never environment.

Both can be read by every other program of the same person, and argv by everybody on the machine.
"""

import getpass
import sys
from pathlib import Path

from secure_chat.client.cli.language import words
from secure_chat.client.vault.keyfile import check_new_password
from secure_chat.errors import CannotRead, NoPassword

_LONGEST = 1024


def read_password(
    file: Path | None, *, from_stdin: bool, twice: bool, prompt: str | None = None
) -> str:
    """The profile's password; ``twice`` for a new one.

    Raises `NoPassword`, `CannotRead`, `BadPassword` (a new one that locks no vault).
    """
    if file is not None:
        return _checked(_first_line(file))
    if from_stdin:
        return _checked(sys.stdin.readline(_LONGEST + 2).rstrip("\r\n"))
    return _ask(prompt or words("Password: "), twice=twice)


def _first_line(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as lines:
            return lines.readline(_LONGEST + 2).rstrip("\r\n")
    except UnicodeDecodeError:
        raise CannotRead(path=file, reason=words("it is not UTF-8 text")) from None
    except OSError as wrong:
        raise CannotRead(path=file, reason=wrong.strerror or str(wrong)) from None


def _checked(password: str) -> str:
    if not password:
        raise NoPassword(reason=words("it is empty"))
    if len(password) > _LONGEST:
        raise NoPassword(reason=words("it is longer than {n} characters", n=_LONGEST))
    return password


def _ask(prompt: str, *, twice: bool) -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise NoPassword(
            reason=words("there is no terminal to ask on; use --password-file or --password-stdin")
        )
    try:
        password = _checked(getpass.getpass(prompt))
        if twice:
            check_new_password(password)  # before it is typed again
        if twice and getpass.getpass(words("The same password again: ")) != password:
            raise NoPassword(reason=words("the two differ"))
    except EOFError:
        raise NoPassword(reason=words("none was typed")) from None
    return password
