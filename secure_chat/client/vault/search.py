"""Finding messages by their words, and those of their files' names (SQLite FTS5).

The index ``search`` holds no text of its own, only folded words with the numbers of messages. It is
kept by triggers (`schema`), so that no way of changing a message can forget it, and with FTS5's
secure-delete, so that the words of a deleted message leave the index at once.
"""

import apsw

from secure_chat.client.events import Message
from secure_chat.client.text import folded, words_of
from secure_chat.client.vault import history

_LONGEST_QUERY = 200  # characters


def register(db: apsw.Connection) -> None:
    """Give a connection the function that the index's triggers call."""
    db.create_scalar_function("folded", _folded, 1, deterministic=True, flags=apsw.SQLITE_INNOCUOUS)


def _folded(*values: "apsw.SQLiteValue") -> str:
    return folded(str(values[0]))


def find(db: apsw.Connection, text: str, limit: int) -> list[Message]:
    """The newest messages that have all of these words, or words that begin so.

    The name of a message's file counts with its text.

    Of strangers whom the person has not answered nothing is found.
    """
    words = words_of(text[:_LONGEST_QUERY])
    if not words:
        return []
    rows = db.execute(
        "SELECT s.rowid FROM search s JOIN messages m ON m.number = s.rowid"
        " JOIN contacts c ON c.user_id = m.user_id AND c.engaged = 1"
        " WHERE s.text MATCH ? ORDER BY s.rowid DESC LIMIT ?",
        (" ".join(f'"{word}"*' for word in words), limit),
    ).fetchall()
    return [history.by_number(db, number) for (number,) in rows if isinstance(number, int)]
