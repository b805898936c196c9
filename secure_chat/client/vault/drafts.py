"""What is being written in each conversation, kept for the next start."""

import apsw

from secure_chat.client.events import Draft
from secure_chat.protocol.addresses import UserId

_OPENED = "last_opened"


def get(db: apsw.Connection, user_id: UserId) -> Draft:
    """The draft of a conversation; an empty one if there is none."""
    row = db.execute(
        "SELECT text, reply_to, editing, aside FROM drafts WHERE user_id = ?", (user_id,)
    ).fetchone()
    return Draft() if row is None else Draft(*row)


def put(db: apsw.Connection, user_id: UserId, draft: Draft) -> None:
    """Another draft; an empty one is none."""
    if draft == Draft():
        db.execute("DELETE FROM drafts WHERE user_id = ?", (user_id,))
        return
    db.execute(
        "INSERT OR REPLACE INTO drafts (user_id, text, reply_to, editing, aside)"
        " VALUES (?, ?, ?, ?, ?)",
        (user_id, draft.text, draft.reply_to, draft.editing, draft.aside),
    )


def last_opened(db: apsw.Connection) -> UserId | None:
    """The conversation that was opened last."""
    found = db.execute("SELECT value FROM choices WHERE name = ?", (_OPENED,)).get
    return None if found is None else UserId(found)


def set_last_opened(db: apsw.Connection, user_id: UserId) -> None:
    """A conversation is opened."""
    db.execute("INSERT OR REPLACE INTO choices VALUES (?, ?)", (_OPENED, user_id))
