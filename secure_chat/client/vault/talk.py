"""Rows of what is done to messages: edits, reactions, deletions, timers, names.

They are kept under the message's author and content id, and may be here before the message.
"""

import apsw

from secure_chat.client.content import ContentId, Timer, rules
from secure_chat.client.content.payloads import KEPT
from secure_chat.client.content.rules import OURSELVES, Author, Ref
from secure_chat.client.events import Audience, Privacy, Strangers, Version
from secure_chat.client.vault import attached, outbox
from secure_chat.protocol import limits
from secure_chat.protocol.addresses import UserId

EARLY_MAX = 1_000
"""How many changes of messages that are not here are kept for one person; the oldest go first."""
EARLY_KEPT_MS = limits.SEEN_IDS_SECONDS * 1000
GONE_KEPT_MS = 100 * limits.DAY * 1000
"""Longer than any sender keeps and any server stores what could bring a message back."""

_OF = "user_id = ? AND author = ? AND content_id = ?"
_NOT_HERE = (
    "user_id = ?1 AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.user_id = t.user_id"
    " AND m.author = t.author AND m.content_id = t.content_id)"
)
_CHANGES = ("edits", "reactions", "gone")


class VaultView:
    """Implements `rules.View` for one conversation, in the caller's transaction."""

    def __init__(self, db: apsw.Connection, user_id: UserId) -> None:
        self._db = db
        self._user_id = user_id

    def is_here(self, ref: Ref) -> bool:
        """Whether this message came, and has not gone."""
        return self._exists("messages", ref, " AND deleted = 0 AND notice = ''")

    def is_gone(self, ref: Ref) -> bool:
        """Whether this message was deleted or has disappeared."""
        return self._exists("gone", ref) or self._exists("messages", ref, " AND deleted = 1")

    def edit(self, ref: Ref, revision: int) -> str | None:
        """The text of one revision of a message."""
        found: str | None = self._db.execute(
            f"SELECT text FROM edits WHERE {_OF} AND revision = ?",  # noqa: S608 - constant
            (self._user_id, *_key(ref), revision),
        ).get
        return found

    def reaction(self, ref: Ref, by: Author) -> rules.Version | None:
        """Somebody's reaction to a message."""
        row = self._db.execute(
            f"SELECT revision, emoji FROM reactions WHERE {_OF} AND reader = ?",  # noqa: S608
            (self._user_id, *_key(ref), by),
        ).fetchone()
        return None if row is None else rules.Version(*row)

    def timer(self) -> Timer:
        """After how long messages disappear."""
        row = self._db.execute(
            "SELECT timer_revision, timer FROM talks WHERE user_id = ?", (self._user_id,)
        ).fetchone()
        return Timer(0, 0) if row is None else Timer(*row)

    def name(self, of: Author) -> rules.Version | None:
        """How somebody likes to be called; our own name is the same for everybody."""
        row = self._db.execute(
            "SELECT revision, name FROM names WHERE user_id = ? AND author = ?",
            (_named(self._user_id, of), of),
        ).fetchone()
        return None if row is None else rules.Version(*row)

    def addressee(self, content_id: ContentId) -> Author | None:
        """To which account key we encrypted a content of ours that receipts may name."""
        kinds = ",".join(str(int(kind)) for kind in sorted(KEPT))
        found: bytes | None = self._db.execute(
            "SELECT coalesce((SELECT account_key FROM outgoing WHERE user_id = ?1"  # noqa: S608
            f" AND content_id = ?2 AND kind IN ({kinds})), (SELECT addressee FROM messages"
            " WHERE user_id = ?1 AND author = x'' AND content_id = ?2))",
            (self._user_id, content_id),
        ).get
        return None if found is None else Author(found)

    def _exists(self, table: str, ref: Ref, more: str = "") -> bool:
        query = f"SELECT 1 FROM {table} WHERE {_OF}{more}"  # noqa: S608 - constants
        return self._db.execute(query, (self._user_id, *_key(ref))).get is not None


# ---------------------------------------------------------------- changes


def put_edit(
    db: apsw.Connection, user_id: UserId, ref: Ref, revision: int, text: str, now_ms: int
) -> None:
    """Keep one revision; if the message is here, it shows the highest."""
    db.execute(
        "INSERT OR REPLACE INTO edits (user_id, author, content_id, revision, text, time)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (user_id, *_key(ref), revision, text, now_ms),
    )
    show_newest_edit(db, user_id, ref)


def show_newest_edit(db: apsw.Connection, user_id: UserId, ref: Ref) -> None:
    """A message that is here shows its highest revision, and keeps its first text beside it."""
    key = (user_id, *_key(ref))
    newest = db.execute(
        f"SELECT text, time FROM edits WHERE {_OF} AND revision > 0"  # noqa: S608 - constant
        " ORDER BY revision DESC LIMIT 1",
        key,
    ).fetchone()
    if newest is None:
        return
    db.execute(
        "INSERT OR IGNORE INTO edits (user_id, author, content_id, revision, text, time)"  # noqa: S608
        f" SELECT user_id, author, content_id, 0, text, time FROM messages WHERE {_OF}",
        key,
    )
    db.execute(f"UPDATE messages SET text = ?, edited = ? WHERE {_OF}", (*newest, *key))  # noqa: S608


def versions(db: apsw.Connection, user_id: UserId, ref: Ref) -> list[Version]:
    """All texts of an edited message, the first one first; empty if it was never edited."""
    rows = db.execute(
        f"SELECT revision, text, time FROM edits WHERE {_OF} ORDER BY revision",  # noqa: S608
        (user_id, *_key(ref)),
    )
    return [Version(*row) for row in rows]


def erase(db: apsw.Connection, user_id: UserId, ref: Ref, now_ms: int) -> bool:
    """Text, edits and reactions go; the line stays, empty. Returns whether there was one."""
    _forget(db, user_id, ref, now_ms)
    row = db.execute(
        "UPDATE messages SET text = '', deleted = 1, edited = 0, unread = 0, timer = 0,"  # noqa: S608
        f" expires = 0, quote_author = NULL, quote_id = NULL, problem = '' WHERE {_OF}"
        " AND notice = '' RETURNING number",
        (user_id, *_key(ref)),
    ).get
    return row is not None


def remove(db: apsw.Connection, user_id: UserId, ref: Ref, now_ms: int) -> None:
    """The line itself goes from this device as well."""
    _forget(db, user_id, ref, now_ms)
    db.execute(
        f"DELETE FROM messages WHERE {_OF} AND notice = ''",  # noqa: S608 - constant
        (user_id, *_key(ref)),
    )


def _forget(db: apsw.Connection, user_id: UserId, ref: Ref, now_ms: int) -> None:
    """Nothing of a message stays in the vault but its name; what waits to be sent of it neither."""
    key = (user_id, *_key(ref))
    db.execute("INSERT OR IGNORE INTO gone VALUES (?, ?, ?, ?)", (*key, now_ms))
    for table in ("edits", "reactions"):
        db.execute(f"DELETE FROM {table} WHERE {_OF}", key)  # noqa: S608 - constants
    attached.drop(db, user_id, ref)
    outbox.withdraw(db, user_id, ref.content_id, own=ref.author == OURSELVES)


def put_reaction(
    db: apsw.Connection,
    user_id: UserId,
    ref: Ref,
    by: Author,
    version: rules.Version,
    now_ms: int,
) -> None:
    """Somebody's reaction, in place of the one before."""
    db.execute(
        "INSERT OR REPLACE INTO reactions VALUES (?, ?, ?, ?, ?, ?, ?)",
        (user_id, *_key(ref), by, version.revision, version.text, now_ms),
    )


def put_timer(db: apsw.Connection, user_id: UserId, timer: Timer) -> None:
    """After how long later messages disappear."""
    db.execute(
        "INSERT INTO talks (user_id, timer_revision, timer) VALUES (?, ?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET timer_revision = excluded.timer_revision,"
        " timer = excluded.timer",
        (user_id, timer.revision, timer.seconds),
    )


def put_name(db: apsw.Connection, user_id: UserId, of: Author, version: rules.Version) -> None:
    """How somebody likes to be called."""
    db.execute(
        "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)",
        (_named(user_id, of), of, version.revision, version.text),
    )


def own_name(db: apsw.Connection) -> rules.Version:
    """Our display name; revision 0 if we never chose one."""
    known = VaultView(db, UserId("")).name(OURSELVES)
    return known or rules.Version(0, "")


def was_told(db: apsw.Connection, user_id: UserId) -> int:
    """The revision of our display name that was queued for somebody last."""
    told = db.execute("SELECT name_told FROM talks WHERE user_id = ?", (user_id,)).get
    return int(told or 0)


def set_told(db: apsw.Connection, user_id: UserId, revision: int) -> None:
    """Our display name of this revision is queued for somebody."""
    db.execute(
        "INSERT INTO talks (user_id, name_told) VALUES (?, ?)"
        " ON CONFLICT (user_id) DO UPDATE SET name_told = excluded.name_told",
        (user_id, revision),
    )


# ---------------------------------------------------------------- time


def start_timer(db: apsw.Connection, user_id: UserId, content_id: ContentId, now_ms: int) -> None:
    """A message of ours was sent: from now on the time of one that disappears runs."""
    db.execute(
        "UPDATE messages SET expires = ? + timer * 1000 WHERE user_id = ? AND author = x''"
        " AND content_id = ? AND timer > 0 AND expires = 0",
        (now_ms, user_id, content_id),
    )


def next_expiry(db: apsw.Connection) -> int | None:
    """When the next message disappears; ms since 1970."""
    found: int | None = db.execute("SELECT min(expires) FROM messages WHERE expires > 0").get
    return found


def expired(db: apsw.Connection, now_ms: int) -> list[tuple[UserId, int, Ref]]:
    """The messages whose time is over, with their conversations and numbers."""
    rows = db.execute(
        "SELECT user_id, number, author, content_id FROM messages"
        " WHERE expires > 0 AND expires <= ? ORDER BY number",
        (now_ms,),
    )
    return [
        (UserId(user_id), number, Ref(Author(author), ContentId(content_id)))
        for user_id, number, author, content_id in rows
    ]


def trim_early(db: apsw.Connection, user_id: UserId) -> None:
    """Changes of messages that never came are bounded: nobody can fill our disk unseen."""
    for table in _CHANGES:
        query = f"SELECT count(*) FROM {table} t WHERE {_NOT_HERE}"  # noqa: S608 - constants
        surplus = db.execute(query, (user_id,)).get - EARLY_MAX
        if surplus > 0:
            db.execute(
                f"DELETE FROM {table} WHERE (user_id, author, content_id) IN"  # noqa: S608
                f" (SELECT user_id, author, content_id FROM {table} t WHERE {_NOT_HERE}"
                " ORDER BY time LIMIT ?2)",
                (user_id, surplus),
            )


def purge(db: apsw.Connection, now_ms: int) -> None:
    """What waited too long for its message, and marks that nothing can come back for."""
    for table in ("edits", "reactions"):
        db.execute(
            f"DELETE FROM {table} AS t WHERE t.time < ? AND NOT EXISTS"  # noqa: S608 - constants
            " (SELECT 1 FROM messages m WHERE m.user_id = t.user_id AND m.author = t.author"
            " AND m.content_id = t.content_id)",
            (now_ms - EARLY_KEPT_MS,),
        )
    db.execute("DELETE FROM gone WHERE time < ?", (now_ms - GONE_KEPT_MS,))


# ---------------------------------------------------------------- choices


def privacy(db: apsw.Connection) -> Privacy:
    """Who learns that we have read, or are writing, and who may write."""
    rows = db.execute("SELECT name, value FROM choices")
    chosen = {str(name): str(value) for name, value in rows}
    return Privacy(
        read_receipts=Audience(chosen.get("read_receipts", DEFAULT_AUDIENCE)),
        typing=Audience(chosen.get("typing", DEFAULT_AUDIENCE)),
        strangers=Strangers(chosen.get("strangers", Strangers.ASK)),
    )


DEFAULT_AUDIENCE = Audience.VERIFIED


def set_privacy(db: apsw.Connection, chosen: Privacy) -> None:
    """Change it from now on."""
    db.executemany(
        "INSERT OR REPLACE INTO choices VALUES (?, ?)",
        [
            ("read_receipts", chosen.read_receipts.value),
            ("typing", chosen.typing.value),
            ("strangers", chosen.strangers.value),
        ],
    )


def _key(ref: Ref) -> tuple[bytes, bytes]:
    return ref.author, ref.content_id


def _named(user_id: UserId, of: Author) -> str:
    return "" if of == OURSELVES else user_id
