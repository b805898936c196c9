"""Rows of what a person decided about somebody: blocked, muted, pinned, archived, a name of ours.

They stay on this device; nobody is told of any of them.
"""

import apsw
from msgspec import Struct

from secure_chat.client.events import Strangers
from secure_chat.client.vault import contacts
from secure_chat.client.vault.contacts import Contact
from secure_chat.protocol.addresses import UserId

FOREVER = 2**53 - 1
"""Muted until then: until the person says otherwise."""


class Habit(Struct, frozen=True):
    """The decisions about one person; times in ms since 1970, 0: not so."""

    user_id: UserId
    name: str = ""
    blocked: int = 0
    was_engaged: bool = False
    muted: int = 0
    pinned: int = 0
    archived: int = 0


_COLUMNS = "user_id, name, blocked, was_engaged, muted, pinned, archived"


def get(db: apsw.Connection, user_id: UserId) -> Habit:
    """What was decided; the defaults if nothing was."""
    row = db.execute(
        f"SELECT {_COLUMNS} FROM habits WHERE user_id = ?",  # noqa: S608 - constant columns
        (user_id,),
    ).fetchone()
    if row is None:
        return Habit(user_id)
    _, name, blocked, was_engaged, *rest = row
    return Habit(user_id, name, blocked, bool(was_engaged), *rest)


def put(db: apsw.Connection, habit: Habit) -> None:
    """Store every field."""
    db.execute(
        f"INSERT OR REPLACE INTO habits ({_COLUMNS}) VALUES (?,?,?,?,?,?,?)",  # noqa: S608
        (
            habit.user_id,
            habit.name,
            habit.blocked,
            int(habit.was_engaged),
            habit.muted,
            habit.pinned,
            habit.archived,
        ),
    )


def is_blocked(db: apsw.Connection, user_id: UserId) -> bool:
    """Whether what somebody sends is dropped."""
    row = db.execute(
        "SELECT 1 FROM habits WHERE user_id = ? AND blocked > 0", (user_id,)
    ).fetchone()
    return row is not None


def came(db: apsw.Connection, user_id: UserId, now_ms: int, *, ours: bool) -> None:
    """A message joined a conversation: it leaves the archive, unless it is muted and theirs."""
    db.execute(
        "UPDATE habits SET archived = 0 WHERE user_id = ? AND archived > 0 AND (? OR muted <= ?)",
        (user_id, ours, now_ms),
    )


# ---------------------------------------------------------------- strangers


def strangers(db: apsw.Connection) -> Strangers:
    """What happens to messages of people whom we never answered."""
    chosen: str | None = db.execute("SELECT value FROM choices WHERE name = 'strangers'").get
    return Strangers(chosen or Strangers.ASK)


def is_request(db: apsw.Connection, user_id: UserId) -> bool:
    """Whether a stranger's conversation waits for the person: none of it is shown.

    A blocked person is no request: of a stranger who was blocked nothing is kept.
    """
    return waits(db, contacts.get(db, user_id), get(db, user_id))


def waits(db: apsw.Connection, contact: Contact, habit: Habit) -> bool:
    """`is_request`, of what is already read."""
    if contact.engaged or habit.blocked:
        return False
    return strangers(db) is Strangers.ASK
