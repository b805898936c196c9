"""Rows that number what we send, and tell what is missing of what others sent (PROTOCOL.md 12.7).

A content that is missing keeps its place: line numbers are set aside for it, so that it stands in
its sender's order however late it comes.
"""

import apsw
from msgspec import Struct

from secure_chat.client.content import NO_STREAM, STREAM_BYTES, ContentId, Place
from secure_chat.client.events import MessageState
from secure_chat.client.said import kept
from secure_chat.client.vault.outbox import Owed
from secure_chat.crypto.rng import Random
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey

MISSING_MAX = 1_000
"""How many missing contents of one identity keep their places."""
STREAMS_KEPT = 32
_LARGEST = 2**62
_KEY = "user_id = ? AND account_key = ? AND stream = ?"
_MISSING = "missing"


class Stream(Struct, frozen=True):
    """One numbering: of a device of ``account_key``."""

    user_id: UserId
    account_key: AccountKey
    stream: bytes

    @property
    def key(self) -> tuple[str, bytes, bytes]:
        """Its columns."""
        return self.user_id, bytes(self.account_key), self.stream

    @property
    def kind(self) -> str:
        """The kind of notice that stands for what is missing of it."""
        return f"{_MISSING} {bytes(self.account_key).hex()} {self.stream.hex()}"


class Arrival(Struct, frozen=True):
    """What the arrival of a content means for its stream."""

    slot: int = 0  # the line number that was kept for it; 0: it comes last
    changed: bool = False  # other contents are missing now
    untracked: int = 0  # so many are missing that no place is kept for them


class Lines(Struct, frozen=True):
    """Notices by line number: withdrawn ones (with their ids), new ones and changed ones."""

    removed: tuple[tuple[int, bytes], ...]
    added: tuple[int, ...]
    changed: tuple[int, ...]


# ---------------------------------------------------------------- ours


def place(db: apsw.Connection, owed: Owed, account_key: AccountKey, random: Random) -> Place:
    """Where a content stands that is encrypted now; sent again, it keeps its number."""
    stream, number = db.execute(
        "INSERT INTO streams VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET number = number"
        " RETURNING stream, number",
        (owed.user_id, bytes(account_key), random(STREAM_BYTES)),
    ).get
    own: int = db.execute("SELECT sequence FROM outgoing WHERE id = ?", (owed.number,)).get
    if own == 0 and owed.is_kept:
        own = number + 1
        db.execute("UPDATE outgoing SET sequence = ? WHERE id = ?", (own, owed.number))
        db.execute(
            "UPDATE streams SET number = ? WHERE user_id = ? AND account_key = ?",
            (own, owed.user_id, bytes(account_key)),
        )
    return Place(stream, own or number, own=own > 0)


def begin_anew(db: apsw.Connection) -> None:
    """A restored vault does not know which numbers it has given: other streams begin."""
    db.execute("DELETE FROM streams")
    db.execute("UPDATE outgoing SET sequence = 0")


# ---------------------------------------------------------------- theirs


def arrived(db: apsw.Connection, stream: Stream, at: Place, *, from_the_start: bool) -> Arrival:
    """Take in a number. ``from_the_start``: this device has been there since the stream began."""
    if stream.stream == NO_STREAM:
        return Arrival()
    number = min(at.number, _LARGEST)
    last = _last(db, stream)
    if last is None:
        last = 0 if from_the_start else max(number - at.own, 0)
        db.execute(
            "INSERT INTO heard (user_id, account_key, stream, number) VALUES (?, ?, ?, ?)",
            (*stream.key, last),
        )
        _forget_old(db, stream)
    if number <= last:
        return _late(db, stream, number) if at.own else Arrival()
    db.execute(f"UPDATE heard SET number = ? WHERE {_KEY}", (number, *stream.key))  # noqa: S608
    between = range(last + 1, number + (0 if at.own else 1))
    return _skipped(db, stream, between) if between else Arrival()


def passed(db: apsw.Connection, stream: Stream, at: Place) -> None:
    """Everything up to this number counts as here: nobody waits for it."""
    if stream.stream == NO_STREAM:
        return
    number = min(at.number, _LARGEST)
    db.execute(
        "INSERT INTO heard (user_id, account_key, stream, number) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (user_id, account_key, stream) DO UPDATE"
        " SET number = max(number, excluded.number)",
        (*stream.key, number),
    )
    _forget_old(db, stream)


def _last(db: apsw.Connection, stream: Stream) -> int | None:
    row = db.execute(f"SELECT number FROM heard WHERE {_KEY}", stream.key).fetchone()  # noqa: S608
    return None if row is None else int(row[0])


def _forget_old(db: apsw.Connection, stream: Stream) -> None:
    """A contact that begins ever other streams fills nobody's disk."""
    user_id, account_key, _ = stream.key
    db.execute(
        "DELETE FROM heard WHERE user_id = ?1 AND account_key = ?2 AND id NOT IN (SELECT id FROM"
        " heard WHERE user_id = ?1 AND account_key = ?2 ORDER BY id DESC LIMIT ?3)",
        (user_id, account_key, STREAMS_KEPT),
    )


def _late(db: apsw.Connection, stream: Stream, number: int) -> Arrival:
    slot = db.execute(
        f"DELETE FROM missing WHERE {_KEY} AND number = ? RETURNING slot",  # noqa: S608 - constant
        (*stream.key, number),
    ).get
    return Arrival(slot or 0, changed=slot is not None)


def _skipped(db: apsw.Connection, stream: Stream, numbers: range) -> Arrival:
    kept: int = db.execute(
        "SELECT count(*) FROM missing WHERE user_id = ? AND account_key = ?", stream.key[:2]
    ).get
    if len(numbers) > MISSING_MAX - kept:
        return Arrival(untracked=len(numbers))
    first = _set_aside(db, len(numbers))
    db.executemany(
        "INSERT INTO missing (slot, user_id, account_key, stream, number) VALUES (?, ?, ?, ?, ?)",
        [(first + place, *stream.key, number) for place, number in enumerate(numbers)],
    )
    return Arrival(changed=True)


def _set_aside(db: apsw.Connection, count: int) -> int:
    """So many line numbers that no other line gets; the first of them."""
    used = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").get
    if used is None:
        db.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (count,))
        return 1
    db.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'messages'", (count,))
    return int(used) + 1


# ---------------------------------------------------------------- the lines that say it


def draw(db: apsw.Connection, stream: Stream, text: str, new_id: ContentId, now_ms: int) -> Lines:
    """One line for each run of missing contents, at the place of the first of them."""
    wanted = _runs(db, stream)
    present = {
        number: (count, content_id)
        for number, count, content_id in db.execute(
            "SELECT number, repeated, content_id FROM messages WHERE user_id = ? AND notice = ?",
            (stream.user_id, stream.kind),
        )
    }
    gone = [(number, one[1]) for number, one in present.items() if number not in wanted]
    db.executemany("DELETE FROM messages WHERE number = ?", [(number,) for number, _ in gone])
    new = [number for number in wanted if number not in present]
    for number in new:
        numbered = (int.from_bytes(new_id, "big") ^ number).to_bytes(len(new_id), "big")
        db.execute(
            "INSERT INTO messages (number, user_id, content_id, ours, author, text, time, state,"
            " problem, notice, repeated) VALUES (?, ?, ?, 0, x'', '', ?, ?, ?, ?, ?)",
            (
                number,
                stream.user_id,
                numbered,
                now_ms,
                MessageState.RECEIVED.value,
                kept(text),
                stream.kind,
                wanted[number],
            ),
        )
    other = [n for n, count in wanted.items() if n in present and present[n][0] != count]
    for number in other:
        db.execute("UPDATE messages SET repeated = ? WHERE number = ?", (wanted[number], number))
    return Lines(tuple(gone), tuple(new), tuple(other))


def _runs(db: apsw.Connection, stream: Stream) -> dict[int, int]:
    """How many are missing in a row, by the first one's line number."""
    runs: dict[int, int] = {}
    first, after = 0, (0, 0)
    rows = db.execute(
        f"SELECT slot, number FROM missing WHERE {_KEY} ORDER BY slot",  # noqa: S608 - constant
        stream.key,
    )
    for slot, number in rows:
        if (slot, number) != after:
            first = slot
            runs[first] = 0
        runs[first] += 1
        after = (slot + 1, number + 1)
    return runs
