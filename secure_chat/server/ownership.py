"""Whose files are: what a superuser makes belongs to the server's account, as the folder does.

The server's account is the owner of its data folder. Somebody who restores a backup as root makes
files that this account must open later; so does a new certificate in the account's folder.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

READ: Final = 0o4
WRITE: Final = 0o2
ENTER: Final = 0o1


class Account(NamedTuple):
    """An account of this machine, as far as rights of files go."""

    uid: int
    groups: frozenset[int]
    name: str

    def may(self, facts: os.stat_result, wanted: int) -> bool:
        """Whether the mode lets it do all of ``wanted`` (READ, WRITE, ENTER)."""
        mode = stat.S_IMODE(facts.st_mode)
        if self.uid == 0:
            return True
        if facts.st_uid == self.uid:
            return mode >> 6 & wanted == wanted
        if facts.st_gid in self.groups:
            return mode >> 3 & wanted == wanted
        return mode & wanted == wanted

    def may_reach(self, path: Path, wanted: int) -> bool:
        """The same, with every folder on the way to ``path``. Raises OSError."""
        path = path.resolve()
        return self.may(path.stat(), wanted) and all(
            self.may(folder.stat(), ENTER) for folder in path.parents
        )


def account_of(folder: Path) -> Account | None:
    """The owner of a folder; None where accounts have no numbers (Windows)."""
    if os.name != "posix":
        return None
    import grp
    import pwd

    facts = folder.stat()
    try:
        known = pwd.getpwuid(facts.st_uid)
    except KeyError:
        return Account(facts.st_uid, frozenset({facts.st_gid}), str(facts.st_uid))
    named = {group.gr_gid for group in grp.getgrall() if known.pw_name in group.gr_mem}
    return Account(facts.st_uid, frozenset({known.pw_gid, *named}), known.pw_name)


def give(paths: Iterable[Path], like: Path) -> None:
    """As superuser, make ``paths`` the property of who owns ``like``; else do nothing.

    Raises OSError.
    """
    if os.name != "posix" or os.geteuid() != 0:
        return
    owner = like.stat()
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # it went meanwhile
            facts = path.lstat()
            if (facts.st_uid, facts.st_gid) != (owner.st_uid, owner.st_gid):
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def make_folder(folder: Path, mode: int) -> None:
    """Make a folder, and what is missing above it, for the owner of what it is in.

    Raises OSError.
    """
    missing = [one for one in (folder, *folder.absolute().parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True, mode=mode)
    for one in reversed(missing):
        give([one], one.absolute().parent)


def within(folder: Path) -> Iterator[Path]:
    """A folder and all that is in it, links not followed."""
    yield folder
    for place, folders, files in os.walk(folder):
        yield from (Path(place, name) for name in (*folders, *files))


def like(new: Path, old: Path) -> None:
    """Give a file the owner and the mode of what it replaces, or the owner of its folder."""
    if os.name != "posix":
        return
    with contextlib.suppress(PermissionError):
        if not old.exists():
            give([new], new.absolute().parent)
            return
        facts = old.stat()
        if (facts.st_uid, facts.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(new, facts.st_uid, facts.st_gid)
    if old.exists():
        new.chmod(stat.S_IMODE(old.stat().st_mode))
