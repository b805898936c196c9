"""``secure-chat-server users``: who has an account, what is held on them, and their end."""

import logging
import queue
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from itertools import groupby
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from secure_chat.errors import (
    BadAddress,
    NameNotReserved,
    NoSuchUser,
    NotConfirmed,
    StorageUnavailable,
)
from secure_chat.protocol.addresses import UserId, canonical_user_id
from secure_chat.protocol.held import HeldRow
from secure_chat.server.commands import output, words
from secure_chat.server.commands.command import Command
from secure_chat.server.commands.operation import Nothing, Operation, Place, Running, perform
from secure_chat.server.config import Config
from secure_chat.server.store import book, departures
from secure_chat.server.store.departures import AccountLine, Deleted

_WAIT_SECONDS = 45.0
_SHOWN = 70  # characters of a value; JSON has all of them

log = logging.getLogger(__name__)


class Who(Struct, frozen=True):
    """An account, by its canonical name."""

    user_id: str


class Users(Struct, frozen=True):
    """Everybody, and the names of those who are gone."""

    users: list[AccountLine]


class Book(Struct, frozen=True):
    """All that is held on an account, table by table."""

    rows: list[HeldRow]


class Gone(Struct, frozen=True):
    """How many messages and files a deletion took along."""

    received: int
    sent: int
    files: int


# ---------------------------------------------------------------- what is done


def _list(place: Place, _: Nothing) -> Users:
    return Users(place.store.examine(departures.listed))


def _show(place: Place, who: Who) -> Book:
    def job(connection: Connection) -> tuple[int, list[HeldRow]] | None:
        account = departures.account_id(connection, who.user_id)
        return None if account is None else (account, book.whole(connection, account))

    found = place.store.examine(job)
    if found is None:
        raise NoSuchUser(user_id=who.user_id)
    account, rows = found
    running = place.running
    if running is not None:
        hub = running.hub
        rows = rows + _on_the_io_thread(
            running, lambda done: done(hub.memory.rows(who.user_id, account, to_owner=False))
        )
    return Book(rows)


def _disable(place: Place, who: Who) -> Nothing:
    _set_disabled(place, who.user_id, disabled=True)
    log.info("an account was disabled")
    return Nothing()


def _enable(place: Place, who: Who) -> Nothing:
    _set_disabled(place, who.user_id, disabled=False)
    log.info("an account was enabled")
    return Nothing()


def _set_disabled(place: Place, user_id: str, *, disabled: bool) -> None:
    def here(connection: Connection) -> bool | None:
        account = departures.account_id(connection, user_id)
        if account is None:
            return None
        return departures.set_disabled(connection, account, disabled=disabled)

    running = place.running
    if running is None:
        done = place.store.ask(here)
    else:
        ends = running.hub.departures
        change = ends.disable if disabled else ends.enable
        done = _on_the_io_thread(running, lambda told: change(user_id, told))
    if done is None:
        raise NoSuchUser(user_id=user_id)


def _delete(place: Place, who: Who) -> Gone:
    def here(connection: Connection) -> Deleted | None:
        account = departures.account_id(connection, who.user_id)
        return None if account is None else departures.remove(connection, account)

    running = place.running
    if running is None:
        gone = place.store.ask(here)
        if gone is not None:
            place.store.let_go(gone, lambda _: None)  # before the store is closed
    else:
        ends = running.hub.departures
        gone = _on_the_io_thread(running, lambda told: ends.delete(who.user_id, told))
    if gone is None:
        raise NoSuchUser(user_id=who.user_id)
    log.info("an account was deleted")
    return Gone(gone.received, len(gone.sent), len(gone.blobs))


def _free(place: Place, who: Who) -> Nothing:
    def job(connection: Connection) -> bool:
        if departures.account_id(connection, who.user_id) is not None:
            return False
        return departures.free(connection, who.user_id)

    if not place.store.ask(job):
        raise NameNotReserved(user_id=who.user_id)
    log.info("a name was freed")
    return Nothing()


def _on_the_io_thread(running: Running, call: Callable[[Callable[[Any], None]], None]) -> Any:
    """Run ``call`` where sessions live, and wait until it has told its outcome."""
    answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
    running.net.call_soon(lambda: call(answer.put))
    try:
        outcome = answer.get(timeout=_WAIT_SECONDS)
    except queue.Empty:
        raise StorageUnavailable from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


_LIST = Operation("users.list", Nothing, Users, _list)
_SHOW = Operation("users.show", Who, Book, _show)
_DISABLE = Operation("users.disable", Who, Nothing, _disable)
_ENABLE = Operation("users.enable", Who, Nothing, _enable)
_DELETE = Operation("users.delete", Who, Gone, _delete)
_FREE = Operation("users.free", Who, Nothing, _free)


# ---------------------------------------------------------------- the command line


def _name(text: str) -> UserId:
    try:
        return canonical_user_id(text)
    except BadAddress:
        raise ArgumentTypeError(f"{text!r} is no name of an account") from None


def _named(parser: ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME", help="the account's name")
    output.add_json(parser)


def _named_and_sure(parser: ArgumentParser) -> None:
    _named(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask (for scripts)")


class _Done(Struct, frozen=True):
    """What ``--json`` says of a change."""

    user_id: str
    done: str


def _say(options: Namespace, done: str, sentence: str) -> int:
    print(output.json(_Done(options.name, done)) if options.json else sentence, flush=True)
    return 0


def _run_list(config: Config, options: Namespace) -> int:
    users = perform(config, _LIST, Nothing()).users
    if options.json:
        print(output.json(users), flush=True)
    elif not users:
        print("There are no accounts.", flush=True)
    else:
        head = ("NAME", "STATE", "DEVICES", "WAITING", "SIZE")
        rows = [
            (x.user_id, x.state, str(x.devices), str(x.waiting), output.size(x.waiting_bytes))
            for x in users
        ]
        print(output.table(head, rows), flush=True)
    return 0


def _run_show(config: Config, options: Namespace) -> int:
    rows = perform(config, _SHOW, Who(options.name)).rows
    if options.json:
        print(output.json(rows), flush=True)
        return 0
    for table, of_table in groupby(rows, key=lambda row: row.table):
        for row in of_table:
            print(table)
            for name, value in row.values.items():
                text = "-" if value is None else str(value)
                more = f"… ({len(text)} characters)" if len(text) > _SHOWN else ""
                print(f"    {name:24}  {text[:_SHOWN]}{more}".rstrip())
    sys.stdout.flush()
    return 0


def _run_disable(config: Config, options: Namespace) -> int:
    perform(config, _DISABLE, Who(options.name))
    return _say(options, "disabled", f"{options.name} is disabled; nothing of it was deleted.")


def _run_enable(config: Config, options: Namespace) -> int:
    perform(config, _ENABLE, Who(options.name))
    return _say(options, "enabled", f"{options.name} may log in again.")


def _run_delete(config: Config, options: Namespace) -> int:
    if not options.yes:
        _confirm(options.name)
    gone = perform(config, _DELETE, Who(options.name))
    waited = output.several(gone.received, "message") + " for it"
    sent = output.several(gone.sent, "message") + " of it to others"
    return _say(
        options, "deleted",
        f"{options.name} is deleted, with {waited}, {sent} and "
        f"{output.several(gone.files, 'file')} that it had brought.\n"
        f"The name stays reserved until: users free {options.name}",
    )  # fmt: skip


def _confirm(name: str) -> None:
    """Raises `NotConfirmed` unless the name is typed once more."""
    if not sys.stdin.isatty():
        raise NotConfirmed(how="there is no terminal to ask on; scripts say --yes")
    if (
        words.typed(f"This deletes {name} with all that is held on it, for good. Its name: ")
        != name
    ):
        raise NotConfirmed(how="that is another name")


def _run_free(config: Config, options: Namespace) -> int:
    perform(config, _FREE, Who(options.name))
    return _say(
        options, "freed",
        f"Anybody may register {options.name} now. Whoever knew the one before will see that the "
        "key has changed.",
    )  # fmt: skip


COMMAND = Command(
    name="users",
    help="list accounts, show what is held on one, disable, delete, free a name",
    description="Accounts, whether the server runs or not. Without a COMMAND: list.",
    default="list",
    parts=(
        Command(
            name="list",
            help="show the accounts, and the reserved names of deleted ones",
            description="Show the accounts with what waits for them, and the reserved names of "
            "deleted ones.",
            arguments=output.add_json,
            run=_run_list,
            examples=(("users list --json", "for programs"),),
        ),
        Command(
            name="show",
            help="show all that is held on an account",
            description="Show every row and column that the server holds on an account: what "
            "secure-chat my-data shows its owner, without the network address.",
            arguments=_named,
            run=_run_show,
            examples=(("users show alice", "every row"),),
        ),
        Command(
            name="disable",
            help="shut an account out at once",
            description="Shut an account out at once, open connections included. Its data stays, "
            "nobody can write to it, and it can be enabled again.",
            arguments=_named,
            run=_run_disable,
            examples=(("users disable mallory", "until: users enable mallory"),),
        ),
        Command(
            name="enable",
            help="let a disabled account in again",
            arguments=_named,
            run=_run_enable,
            examples=(("users enable mallory", "after: users disable mallory"),),
        ),
        Command(
            name="delete",
            help="delete an account with all that is held on it",
            description="Delete an account at once: devices, keys, what waits for it, and what it "
            "sent and others have not fetched. The name stays reserved, so that nobody takes it "
            "unseen.",
            arguments=_named_and_sure,
            run=_run_delete,
            examples=(
                ("users delete mallory", "asks for the name once more; with --yes it does not"),
            ),
        ),
        Command(
            name="free",
            help="let anybody register the name of a deleted account",
            description="Let anybody register the name of a deleted account. Contacts of the one "
            "before see that the key has changed.",
            arguments=_named,
            run=_run_free,
            examples=(("users free mallory", "after: users delete mallory"),),
        ),
    ),
    operations=(_LIST, _SHOW, _DISABLE, _ENABLE, _DELETE, _FREE),
)
