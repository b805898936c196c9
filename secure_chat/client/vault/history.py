"""Rows of conversations: what a person sees."""

from typing import Any

import apsw

from secure_chat.client.content import ContentId
from secure_chat.client.events import Conversation, Message, MessageState, Trust
from secure_chat.client.vault import contacts
from secure_chat.protocol.addresses import UserId

_COLUMNS = (
    "content_id, number, user_id, ours, text, time, state, claimed_time, notice, problem, repeated"
)
_END = 2**62
_SELECT = f"SELECT {_COLUMNS} FROM messages "  # noqa: S608 - constant columns


def add(db: apsw.Connection, message: Message, *, unread: bool = False) -> Message | None:
    """Store a message; it comes back with its number, or None if this content is there already."""
    row = db.execute(
        "INSERT INTO messages (user_id, content_id, ours, text, time, claimed_time, state, problem,"
        " unread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (user_id, ours, content_id) DO NOTHING RETURNING number",
        (
            message.user_id,
            message.content_id,
            int(message.ours),
            message.text,
            message.time,
            message.claimed_time,
            message.state.value,
            message.problem,
            int(unread),
        ),
    ).fetchone()
    return None if row is None else _by_number(db, row[0])


def add_notice(
    db: apsw.Connection, user_id: UserId, content_id: ContentId, kind: str, text: str, now_ms: int
) -> tuple[Message, bool]:
    """A line of our own. The same one due again right after itself is counted, not repeated.

    Returns the line and whether it is new.
    """
    last = db.execute(
        "SELECT number, notice FROM messages WHERE user_id = ? ORDER BY number DESC LIMIT 1",
        (user_id,),
    ).fetchone()
    if last is not None and last[1] == kind:
        db.execute(
            "UPDATE messages SET repeated = repeated + 1, time = ?, problem = ? WHERE number = ?",
            (now_ms, text, last[0]),
        )
        return _by_number(db, last[0]), False
    row = db.execute(
        "INSERT INTO messages (user_id, content_id, ours, text, time, state, problem, notice)"
        " VALUES (?, ?, 0, '', ?, ?, ?, ?) RETURNING number",
        (user_id, content_id, now_ms, MessageState.RECEIVED.value, text, kind),
    ).fetchone()
    assert row is not None
    return _by_number(db, row[0]), True


def set_state(
    db: apsw.Connection,
    user_id: UserId,
    content_id: bytes,
    state: MessageState,
    problem: str = "",
    *,
    only_from: tuple[MessageState, ...] = tuple(MessageState),
) -> Message | None:
    """Move a message of ours on; None if it is not in one of ``only_from``."""
    marks = ",".join("?" * len(only_from))
    row = db.execute(
        "UPDATE messages SET state = ?, problem = ? WHERE user_id = ? AND ours = 1"  # noqa: S608 - marks
        f" AND content_id = ? AND state IN ({marks}) AND (state <> ? OR problem <> ?)"
        " RETURNING number",
        (
            state.value,
            problem,
            user_id,
            content_id,
            *(one.value for one in only_from),
            state.value,
            problem,
        ),
    ).fetchone()
    return None if row is None else _by_number(db, row[0])


def page(db: apsw.Connection, user_id: UserId, before: int | None, limit: int) -> list[Message]:
    """The last ``limit`` messages before a number, in order."""
    rows = db.execute(
        f"{_SELECT} WHERE user_id = ? AND number < ? ORDER BY number DESC LIMIT ?",
        (user_id, _END if before is None else before, limit),
    )
    return [_message(row) for row in rows][::-1]


def mark_read(db: apsw.Connection, user_id: UserId, up_to: int | None) -> list[ContentId]:
    """A conversation was seen up to a number (None: all); returns what had not been before."""
    rows = db.execute(
        "UPDATE messages SET unread = 0 WHERE user_id = ? AND unread = 1 AND number <= ?"
        " RETURNING content_id",
        (user_id, _END if up_to is None else up_to),
    )
    return [ContentId(content_id) for (content_id,) in rows]


def received(db: apsw.Connection, user_id: UserId) -> list[ContentId]:
    """All that somebody sent us."""
    rows = db.execute(
        "SELECT content_id FROM messages WHERE user_id = ? AND ours = 0 AND notice = ''"
        " ORDER BY number",
        (user_id,),
    )
    return [ContentId(content_id) for (content_id,) in rows]


def conversation(db: apsw.Connection, user_id: UserId) -> Conversation:
    """The line of one conversation in the list."""
    unread = db.execute(
        "SELECT count(*) FROM messages WHERE user_id = ? AND unread = 1", (user_id,)
    ).get
    last = page(db, user_id, None, 1)
    trust = contacts.get(db, user_id).trust or Trust.NEW
    return Conversation(user_id, trust, unread, last[0] if last else None)


def conversations(db: apsw.Connection) -> list[Conversation]:
    """All of them, the newest first."""
    rows = db.execute(
        "SELECT user_id, max(number) AS newest FROM messages GROUP BY user_id"
        " UNION ALL SELECT user_id, 0 FROM contacts"
        " WHERE engaged = 1 AND user_id NOT IN (SELECT user_id FROM messages)"
        " ORDER BY 2 DESC, 1"
    ).fetchall()
    return [conversation(db, UserId(str(user_id))) for user_id, _ in rows]


def _by_number(db: apsw.Connection, number: int) -> Message:
    row = db.execute(f"{_SELECT} WHERE number = ?", (number,)).fetchone()
    assert row is not None
    return _message(row)


def _message(row: tuple[Any, ...]) -> Message:
    content_id, number, user_id, ours, text, time, state, claimed, notice, problem, repeated = row
    if notice and repeated != 1:
        problem = f"{problem} ({repeated}×)"
    return Message(
        content_id=content_id,
        number=number,
        user_id=UserId(user_id),
        ours=bool(ours),
        text=text,
        time=time,
        state=MessageState(state),
        claimed_time=claimed,
        is_notice=bool(notice),
        problem=problem,
    )
