"""Finding messages by their words (SQLite FTS5).

The index ``search`` holds no text of its own, only folded words with the numbers of messages. It is
kept by triggers (`schema`), so that no way of changing a message can forget it, and with FTS5's
secure-delete, so that the words of a deleted message leave the index at once.
"""

import unicodedata

import apsw

from secure_chat.client.events import Message
from secure_chat.client.vault import history

_SAME = str.maketrans(
    "\u064a\u0649\u0643\u0629٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹",
    "\u06cc\u06cc\u06a9\u0647" + 2 * "0123456789",
    "\u0640\u200d",
)
"""Arabic letters as the Persian ones that people type for them, digits of all as ours; the letter
lengthener (tatweel) and joiners are dropped."""
_LONGEST_QUERY = 200  # characters


def folded(text: str) -> str:
    """``text`` as the index knows it: without case, accents, and doubles of the same letter.

    Another result for the same text needs a migration that builds the index anew.
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(one for one in apart if unicodedata.category(one) != "Mn")
    return bare.casefold().translate(_SAME)


def register(db: apsw.Connection) -> None:
    """Give a connection the function that the index's triggers call."""
    db.create_scalar_function("folded", _folded, 1, deterministic=True, flags=apsw.SQLITE_INNOCUOUS)


def _folded(*values: "apsw.SQLiteValue") -> str:
    return folded(str(values[0]))


def find(db: apsw.Connection, text: str, limit: int) -> list[Message]:
    """The newest messages that have all of these words, or words that begin so.

    Of strangers whom the person has not answered nothing is found.
    """
    words = "".join(one if one.isalnum() else " " for one in folded(text[:_LONGEST_QUERY])).split()
    if not words:
        return []
    rows = db.execute(
        "SELECT s.rowid FROM search s JOIN messages m ON m.number = s.rowid"
        " JOIN contacts c ON c.user_id = m.user_id AND c.engaged = 1"
        " WHERE s.text MATCH ? ORDER BY s.rowid DESC LIMIT ?",
        (" ".join(f'"{word}"*' for word in words), limit),
    ).fetchall()
    return [history.by_number(db, number) for (number,) in rows if isinstance(number, int)]
