"""Rows of conversations: what a person sees.

What is done to messages (edits, reactions, deletions, timers) is in `talk`.
"""

from typing import Any

import apsw

from secure_chat.client.content import ContentId
from secure_chat.client.content.rules import OURSELVES, Author, Ref
from secure_chat.client.events import (
    Attachment,
    Conversation,
    FileState,
    Message,
    MessageState,
    Person,
    Quote,
    Reaction,
    Trust,
)
from secure_chat.client.said import kept, recall
from secure_chat.client.vault import contacts, drafts, habits
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey

_END = 2**62
_SELECT = """
SELECT m.content_id, m.number, m.user_id, m.ours, m.text, m.time, m.state, m.claimed_time,
  m.notice, m.problem, m.repeated, m.edited, m.deleted, m.timer, m.expires,
  m.quote_author, m.quote_id, q.number, q.text, qf.name,
  f.name, f.size, f.media_type, f.state, f.path, f.problem,
  (SELECT group_concat((r.reader = x'') || r.emoji, ' ') FROM reactions r
    WHERE r.user_id = m.user_id AND r.author = m.author AND r.content_id = m.content_id
    AND r.emoji <> '')
FROM messages m LEFT JOIN messages q ON q.user_id = m.user_id AND q.author = m.quote_author
  AND q.content_id = m.quote_id AND q.notice = '' AND q.deleted = 0
LEFT JOIN files qf ON qf.user_id = q.user_id AND qf.author = q.author
  AND qf.content_id = q.content_id
LEFT JOIN files f ON f.user_id = m.user_id AND f.author = m.author AND f.content_id = m.content_id
"""


def add(
    db: apsw.Connection,
    message: Message,
    *,
    author: Author = OURSELVES,
    quote: Ref | None = None,
    unread: bool = False,
) -> Message | None:
    """Store a message, last if it has number 0; it comes back with its number.

    None if this content is there already.
    """
    row = db.execute(
        "INSERT INTO messages (number, user_id, content_id, ours, author, text, time, claimed_time,"
        " state, problem, unread, timer, quote_author, quote_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (user_id, author, content_id) DO NOTHING RETURNING number",
        (
            message.number or None,
            message.user_id,
            message.content_id,
            int(message.ours),
            author,
            message.text,
            message.time,
            message.claimed_time,
            message.state.value,
            kept(message.problem),
            int(unread),
            message.timer,
            None if quote is None else quote.author,
            None if quote is None else quote.content_id,
        ),
    ).fetchone()
    return None if row is None else by_number(db, row[0])


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
            (now_ms, kept(text), last[0]),
        )
        return by_number(db, last[0]), False
    row = db.execute(
        "INSERT INTO messages (user_id, content_id, ours, author, text, time, state, problem,"
        " notice) VALUES (?, ?, 0, x'', '', ?, ?, ?, ?) RETURNING number",
        (user_id, content_id, now_ms, MessageState.RECEIVED.value, kept(text), kind),
    ).fetchone()
    assert row is not None
    return by_number(db, row[0]), True


def has_notice(db: apsw.Connection, user_id: UserId, kind: str) -> bool:
    """Whether a line of our own of this kind stands in a conversation."""
    query = "SELECT 1 FROM messages WHERE user_id = ? AND notice = ? LIMIT 1"
    return db.execute(query, (user_id, kind)).get is not None


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
            kept(problem),
            user_id,
            content_id,
            *(one.value for one in only_from),
            state.value,
            kept(problem),
        ),
    ).fetchone()
    return None if row is None else by_number(db, row[0])


def set_addressee(
    db: apsw.Connection, user_id: UserId, content_id: ContentId, key: AccountKey
) -> None:
    """A message of ours is encrypted to this identity: its receipts count, and no other's."""
    db.execute(
        "UPDATE messages SET addressee = ? WHERE user_id = ? AND author = x'' AND content_id = ?",
        (bytes(key), user_id, content_id),
    )


def page_after(db: apsw.Connection, user_id: UserId, after: int, limit: int) -> list[Message]:
    """The first ``limit`` messages after a number, in order."""
    rows = db.execute(
        f"{_SELECT} WHERE m.user_id = ? AND m.number > ? ORDER BY m.number LIMIT ?",
        (user_id, after, limit),
    )
    return [_message(row) for row in rows]


def page(db: apsw.Connection, user_id: UserId, before: int | None, limit: int) -> list[Message]:
    """The last ``limit`` messages before a number, in order."""
    rows = db.execute(
        f"{_SELECT} WHERE m.user_id = ? AND m.number < ? ORDER BY m.number DESC LIMIT ?",
        (user_id, _END if before is None else before, limit),
    )
    return [_message(row) for row in rows][::-1]


def mark_read(
    db: apsw.Connection, user_id: UserId, up_to: int | None, now_ms: int
) -> list[ContentId]:
    """A conversation was seen up to a number (None: all); returns what had not been before.

    From now on the time of what disappears runs.
    """
    rows = db.execute(
        "UPDATE messages SET unread = 0,"
        " expires = CASE WHEN timer > 0 AND expires = 0 THEN ? + timer * 1000 ELSE expires END"
        " WHERE user_id = ? AND unread = 1 AND number <= ? RETURNING content_id",
        (now_ms, user_id, _END if up_to is None else up_to),
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
    """The line of one conversation in the list; of a request, nothing that its sender chose."""
    last = page(db, user_id, None, 1)
    contact, habit = contacts.get(db, user_id), habits.get(db, user_id)
    request = bool(last) and habits.waits(db, contact, habit)
    unread, first_unread = db.execute(
        "SELECT count(*), coalesce(min(number), 0) FROM messages WHERE user_id = ? AND unread = 1",
        (user_id,),
    ).get
    timer = db.execute("SELECT timer FROM talks WHERE user_id = ?", (user_id,)).get
    return Conversation(
        user_id,
        contact.trust or Trust.NEW,
        0 if request else unread,
        last[0] if last and not request else None,
        timer=timer or 0,
        display_name=display_name(db, contact),
        first_unread=0 if request else first_unread,
        draft=drafts.get(db, user_id).text,
        name=habit.name,
        request=request,
        arrived=last[0].time if last else 0,
        blocked=habit.blocked > 0,
        muted_until=habit.muted,
        pinned=habit.pinned,
        archived=habit.archived > 0,
    )


def person(db: apsw.Connection, user_id: UserId, *, online: bool) -> Person:
    """Somebody as the faces know them."""
    contact, habit = contacts.get(db, user_id), habits.get(db, user_id)
    name = display_name(db, contact)
    return Person(user_id, online, contact.trust, name, habit.name, habit.blocked > 0)


def display_name(db: apsw.Connection, contact: contacts.Contact) -> str:
    """How a contact likes to be called; strangers choose no name that we show."""
    if contact.identity is None or not contact.engaged:
        return ""
    name = db.execute(
        "SELECT name FROM names WHERE user_id = ? AND author = ?",
        (contact.user_id, bytes(contact.identity.account_key)),
    ).get
    return name or ""


def conversations(db: apsw.Connection) -> list[Conversation]:
    """All of them, the newest first."""
    rows = db.execute(
        "SELECT user_id, max(number) AS newest FROM messages GROUP BY user_id"
        " UNION ALL SELECT user_id, 0 FROM contacts"
        " WHERE engaged = 1 AND user_id NOT IN (SELECT user_id FROM messages)"
        " UNION ALL SELECT user_id, 0 FROM habits WHERE user_id NOT IN"
        " (SELECT user_id FROM messages UNION SELECT user_id FROM contacts WHERE engaged = 1)"
        " ORDER BY 2 DESC, 1"
    ).fetchall()
    return [conversation(db, UserId(str(user_id))) for user_id, _ in rows]


def forget(db: apsw.Connection, user_id: UserId) -> None:
    """No line of ours stays in a conversation; what is late takes no kept place any more."""
    db.execute("DELETE FROM messages WHERE user_id = ? AND notice <> ''", (user_id,))
    for table in ("missing", "drafts"):
        db.execute(f"DELETE FROM {table} WHERE user_id = ?", (user_id,))  # noqa: S608 - constants


def refs(db: apsw.Connection, user_id: UserId) -> list[tuple[int, Ref]]:
    """The numbers and keys of all messages, deleted ones too."""
    rows = db.execute(
        "SELECT number, author, content_id FROM messages WHERE user_id = ? AND notice = ''"
        " ORDER BY number",
        (user_id,),
    )
    return [(number, Ref(Author(author), ContentId(one))) for number, author, one in rows]


def line(
    db: apsw.Connection, user_id: UserId, number: int, *, deleted: bool = False
) -> tuple[Message, Ref] | None:
    """A message by its number, with its key; None if it is not here, or no message.

    One that its author took back counts only if ``deleted`` is asked for.
    """
    row = db.execute(
        "SELECT author, content_id FROM messages WHERE user_id = ? AND number = ?"
        " AND notice = '' AND deleted <= ?",
        (user_id, number, int(deleted)),
    ).fetchone()
    return None if row is None else (by_number(db, number), Ref(Author(row[0]), ContentId(row[1])))


def by_ref(db: apsw.Connection, user_id: UserId, ref: Ref) -> Message | None:
    """A message by its key, deleted or not."""
    row = db.execute(
        f"{_SELECT} WHERE m.user_id = ? AND m.author = ? AND m.content_id = ? AND m.notice = ''",
        (user_id, ref.author, ref.content_id),
    ).fetchone()
    return None if row is None else _message(row)


def quoting(db: apsw.Connection, user_id: UserId, ref: Ref) -> list[Message]:
    """The answers to a message, which show its text."""
    rows = db.execute(
        f"{_SELECT} WHERE m.user_id = ? AND m.quote_id = ? AND m.quote_author = ?",
        (user_id, ref.content_id, ref.author),
    )
    return [_message(row) for row in rows]


def by_number(db: apsw.Connection, number: int) -> Message:
    """A line that is there."""
    row = db.execute(f"{_SELECT} WHERE m.number = ?", (number,)).fetchone()
    assert row is not None
    return _message(row)


def _message(row: tuple[Any, ...]) -> Message:
    content_id, number, user_id, ours, text, time, state, claimed, *rest = row
    notice, problem, repeated, edited, deleted, timer, expires, *rest, reactions = rest
    quote, file = rest[:5], rest[5:]
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
        problem=recall(problem, repeated if notice else 1),
        quoted=_quote(*quote),
        edited=edited,
        deleted=bool(deleted),
        reactions=_reactions(reactions),
        timer=timer,
        expires=expires,
        file=_file(*file),
    )


def _quote(
    author: bytes | None,
    content_id: bytes | None,
    number: int | None,
    text: str | None,
    file_name: str | None,
) -> Quote | None:
    if content_id is None:
        return None
    return Quote(content_id, author == OURSELVES, number or 0, text or "", file_name or "")


def _file(
    name: str | None, size: int, media_type: str, state: str, path: str, problem: str
) -> Attachment | None:
    if name is None:
        return None
    return Attachment(name, size, media_type, FileState(state), path, problem=recall(problem))


def _reactions(joined: str | None) -> tuple[Reaction, ...]:
    """``1👍 0❤``: whether it is ours, and the emoji, which has no spaces."""
    parts = sorted((joined or "").split())
    return tuple(Reaction(ours=part[0] == "1", emoji=part[1:]) for part in parts)
