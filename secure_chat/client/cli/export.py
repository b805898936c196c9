"""``export``: the history, complete and in order, as JSON lines or as text. Needs no connection."""

import os
from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine
from secure_chat.client.cli.session import Backend, closing
from secure_chat.client.events import Message
from secure_chat.errors import CannotWrite
from secure_chat.protocol.addresses import UserId

_PAGE = 500


def export(chosen: Namespace, backend: Backend) -> int:
    """Write the history with one person, or with everybody."""
    in_json = chosen.format == "json"
    say = output.say_json if in_json else output.say
    with closing(open_engine(chosen, backend)) as engine:
        line = partial(_json_with_versions, engine) if in_json else output.message_text
        if chosen.user is not None:
            who = [chosen.user]
        else:
            who = sorted(conversation.user_id for conversation in engine.conversations())
        if chosen.output is None:
            _write(engine, who, lambda message: say(line(message)))
        else:
            _write_file(engine, who, line, chosen.output)
    return 0


def _json_with_versions(engine: Engine, message: Message) -> str:
    """A message with every text that it had."""
    facts = output.message_facts(message)
    if message.edited:
        facts["versions"] = [
            {"text": version.text, "time": output.iso_time(version.time)}
            for version in engine.versions(message.user_id, message.number)
        ]
    return output.json_line(**facts)


def _write_file(
    engine: Engine, who: list[UserId], line: Callable[[Message], str], path: Path
) -> None:
    """A new file that only this person can read: plaintext leaves the vault here."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123
            _write(engine, who, lambda message: file.write(line(message) + "\n"))
    except FileExistsError:
        raise CannotWrite(path=path, reason=words("it exists already")) from None
    except OSError as wrong:
        raise CannotWrite(path=path, reason=wrong.strerror or str(wrong)) from None


def _write(engine: Engine, who: list[UserId], write: Callable[[Message], object]) -> None:
    for user_id in who:
        for message in _in_order(engine, user_id):
            write(message)


def _in_order(engine: Engine, user_id: UserId) -> Iterator[Message]:
    """All messages from the first: the pages come from the end, so their starts are noted first."""
    starts: list[int | None] = [None]
    while page := engine.history(user_id, starts[-1], _PAGE):
        starts.append(page[0].number)
    for before in reversed(starts[:-1]):
        yield from engine.history(user_id, before, _PAGE)
