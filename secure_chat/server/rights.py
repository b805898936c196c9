"""Who may read and write the server's files: its account all of them, and nobody else."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from secure_chat.server.findings import Finding, ok
from secure_chat.server.ownership import ENTER, READ, WRITE, Account, account_of, within

_NAMED: Final = 3  # files that a finding names


def of_the_folder(place: Path) -> Iterator[Finding]:
    """The data folder: closed to others, and all of it open to its owner, the server's account."""
    account = account_of(place)
    if account is None:
        return
    if account.uid != os.geteuid() and os.geteuid() != 0:
        yield Finding("error", f"{place} belongs to another account", "run as that account")
        return
    found = [(path, path.lstat()) for path in within(place)]
    found = [(path, facts) for path, facts in found if not stat.S_ISLNK(facts.st_mode)]
    open_to_others = [path for path, facts in found if stat.S_IMODE(facts.st_mode) & 0o077]
    closed = [path for path, facts in found if not account.may(facts, _needed(facts))]
    if open_to_others:
        yield Finding("error", f"others may read {_named(open_to_others)}", f"chmod -R go= {place}")
    if closed:
        advice = f"chown -R {account.name}: {place}; chmod -R u+rwX {place}"
        what = f"the server's account, {account.name}, cannot read and write {_named(closed)}"
        yield Finding("error", what, advice)
    if not (open_to_others or closed):
        yield ok(f"{place} is its owner's alone")


def _needed(facts: os.stat_result) -> int:
    return READ | WRITE | (ENTER if stat.S_ISDIR(facts.st_mode) else 0)


def _named(paths: list[Path]) -> str:
    more = len(paths) - _NAMED
    named = ", ".join(map(str, paths[:_NAMED]))
    return f"{named} and {more} more" if more > 0 else named


def of_the_key(key: Path) -> Iterator[Finding]:
    """The private key: closed to others, in a folder where they can put no other one."""
    if os.name != "posix":
        return
    folder = stat.S_IMODE(key.absolute().parent.stat().st_mode)
    if folder & 0o002 and not folder & stat.S_ISVTX:
        what = f"everybody on this machine may put another key in the place of {key}"
        yield Finding("error", what, f"chmod go-w {key.absolute().parent}")
    mode = stat.S_IMODE(key.stat().st_mode)
    if mode & 0o007:
        advice = f"chmod 600 {key}; if others have accounts here, think of a new key"
        yield Finding("error", f"everybody on this machine may read {key}", advice)
    elif mode & 0o070:
        advice = f"chmod 600 {key}, unless that group is the server's alone"
        yield Finding("warning", f"a group may read {key}", advice)
    else:
        yield ok(f"{key} is its owner's alone")


def of_the_process(place: Path) -> Finding:
    """Whether a server that is root serves the data of another account."""
    account = account_of(place)
    if account is None or os.geteuid() != 0 or account.uid == 0:
        return ok("the server has an account of its own")
    what = f"the server runs as root on the data of {account.name}, who cannot open what root makes"
    return Finding("warning", what, f"run it as {account.name}")


def of_the_account(paths: Iterable[Path], place: Path) -> Iterator[Finding]:
    """Certificate and key: open to the server's account, the owner of the data folder ``place``.

    Whoever asks may be root, who can read everything. Nothing if there is no folder yet.
    """
    account = account_of(place) if place.is_dir() else None
    if account is None:
        return
    for path in paths:
        if not _readable(account, path):
            advice = f"chown {account.name}: {path}, and let {account.name} enter its folder"
            what = f"the server's account, {account.name}, cannot read {path}"
            yield Finding("error", what, advice)


def _readable(account: Account, path: Path) -> bool:
    try:
        return account.may_reach(path, READ)
    except OSError:
        return False
