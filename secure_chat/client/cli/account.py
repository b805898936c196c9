"""``my-data`` and ``delete-account``: what the server holds on us, and the end of that."""

import sys
from argparse import Namespace
from collections.abc import Iterable
from itertools import groupby

from secure_chat.client.api import Engine
from secure_chat.client.cli import output
from secure_chat.client.cli.language import words
from secure_chat.client.cli.profiles import open_engine, profile_folder
from secure_chat.client.cli.session import Backend, Events, closing, deadline_in
from secure_chat.client.events import AccountDeletion, ServersData
from secure_chat.client.held_words import title
from secure_chat.errors import NotDone, WrongArguments
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.held import HeldRow, Value

_SHOWN = 70  # characters of a value; JSON has all of them


# ---------------------------------------------------------------- my-data


def my_data(chosen: Namespace, backend: Backend) -> int:
    """Print all that the server holds on our account."""
    with closing(open_engine(chosen, backend)) as engine:
        rows = _servers_data(engine, chosen.timeout)
    if chosen.json:
        for row in rows:
            output.say_json(output.json_line(table=row.table, values=row.values))
    else:
        _say_rows(rows)
    return 0


def _servers_data(engine: Engine, timeout: float) -> tuple[HeldRow, ...]:
    events = Events(engine)
    engine.start()
    asked = False
    for event in events.until(deadline_in(timeout)):
        if events.online and not asked:
            asked = True
            engine.my_data()
        if isinstance(event, ServersData):
            if event.problem is not None:
                raise event.problem
            return event.rows
    raise NotDone(
        what=words("The data did not come within {n:g} s: {why}.", n=timeout, why=events.why_late())
    )


def _say_rows(rows: Iterable[HeldRow]) -> None:
    for table, of_table in groupby(rows, key=lambda row: row.table):
        output.say(output.one_line(title(table, words)))
        for number, row in enumerate(of_table):
            if number:
                output.say()
            for name, value in row.values.items():
                output.say(f"    {output.one_line(name):24}  {_shown(value)}".rstrip())
        output.say()
    output.say(
        words(
            "This is the server's word. SECURITY.md says what each column is for; that there is no "
            "more, only its operator can know."
        )
    )


def _shown(value: Value) -> str:
    if value is None:
        return "-"
    text = output.one_line(str(value))
    if len(text) <= _SHOWN:
        return text
    return words("{beginning}… ({n} characters)", beginning=text[:_SHOWN], n=len(text))


# ---------------------------------------------------------------- delete-account


def delete_account(chosen: Namespace, backend: Backend) -> int:
    """Delete our account at the server, once its name was typed; then perhaps the profile."""
    folder = profile_folder(chosen, backend)
    with closing(open_engine(chosen, backend)) as engine:
        user_id = engine.user_id
        _confirm(user_id, chosen.confirm)
        _delete(engine, chosen.timeout)
    output.say(words("The account {user_id} is deleted at the server.", user_id=user_id))
    if chosen.remove_profile or _wants_profile_removed(chosen):
        backend.remove(folder)
        output.say(words("The profile {folder} is removed from this device.", folder=folder))
    else:
        output.say(
            words(
                "The profile with its history stays in {folder}; it has no account.", folder=folder
            )
        )
    return 0


def _confirm(user_id: UserId, given: UserId | None) -> None:
    """Ends the command unless the account's name was typed or given."""
    if given is None:
        if not sys.stdin.isatty():
            raise WrongArguments(
                reason=words("To delete an account without a terminal, name it: --confirm NAME.")
            )
        output.say(
            words(
                "This deletes the account {user_id} at the server with all that it holds, for "
                "good. Messages that wait for you, and yours that others have not fetched, are "
                "lost. "
                "Nobody can take the name until the operator frees it.",
                user_id=user_id,
            )
        )
        sys.stderr.write(words("Type the account's name to delete it: "))
        sys.stderr.flush()
        typed = sys.stdin.readline().strip()
        given = canonical_user_id(typed) if typed else None
    if given != user_id:
        raise NotDone(
            what=words(
                "That is not the name of this account ({user_id}): nothing was deleted.",
                user_id=user_id,
            )
        )


def _delete(engine: Engine, timeout: float) -> None:
    events = Events(engine)
    engine.start()
    asked = False
    for event in events.until(deadline_in(timeout)):
        if events.online and not asked:
            asked = True
            engine.delete_account()
        if isinstance(event, AccountDeletion):
            if event.problem is not None:
                raise event.problem
            return
    if asked:
        raise NotDone(
            what=words(
                "The server has not answered within {n:g} s: {why}. Whether the account is deleted "
                "shows at the next login.",
                n=timeout,
                why=events.why_late(),
            )
        )
    raise NotDone(
        what=words("Nothing was deleted within {n:g} s: {why}.", n=timeout, why=events.why_late())
    )


def _wants_profile_removed(chosen: Namespace) -> bool:
    if chosen.keep_profile or not sys.stdin.isatty():
        return False
    sys.stderr.write(words("Remove the profile and its history from this device too? [yes/no] "))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in (words("yes"), "yes")
