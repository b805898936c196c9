"""Rows of the files that messages bring, and the folder of their sealed bytes.

A row goes with its message. The sealed bytes are worthless without the row's key, so what a crash
leaves in the folder is only room; `secure_chat.client.engine.workshop` clears it.
"""

from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from secure_chat.client.content import ContentId, File
from secure_chat.client.content.rules import OURSELVES, Author, Ref
from secure_chat.client.events import FileState
from secure_chat.client.said import kept, recall
from secure_chat.crypto.files import FileKey
from secure_chat.protocol.addresses import UserId

_OF = "user_id = ? AND author = ? AND content_id = ?"
_COLUMNS = (
    "SELECT f.user_id, f.author, f.content_id, f.name, f.size, f.media_type, f.key, f.sha256,"
    " f.state, f.path, f.problem, f.keep_metadata, m.number FROM files f JOIN messages m"
    " ON m.user_id = f.user_id AND m.author = f.author AND m.content_id = f.content_id"
)
_FOLDER = "files"


class Attached(Struct, frozen=True):
    """The file of one message; ``file.sha256`` is empty until it has been sealed."""

    user_id: UserId
    ref: Ref
    file: File
    state: FileState
    path: str
    problem: str
    keep_metadata: bool
    number: int  # the message's

    @property
    def ours(self) -> bool:
        """Whether we send it."""
        return self.ref.author == OURSELVES


def folder(profile: Path) -> Path:
    """Where the sealed bytes of files lie while they are under way."""
    return profile / _FOLDER


class Source(Struct, frozen=True):
    """Where a file of ours comes from, and whether a picture keeps its metadata.

    The path is empty for a forwarded file that only the server has.
    """

    path: str
    keep_metadata: bool


_THEIRS = Source("", keep_metadata=False)


def add(db: apsw.Connection, user_id: UserId, ref: Ref, file: File, source: Source | None) -> None:
    """The file of a message that joins the conversation; ``source`` is that of one of ours.

    One of ours whose SHA-256 is known is forwarded: the server may have its sealed bytes.
    """
    source = source or _THEIRS
    state = FileState.UPLOADING if file.sha256 else FileState.PREPARING
    if ref.author != OURSELVES:
        state = FileState.OFFERED
    db.execute(
        "INSERT OR IGNORE INTO files (user_id, author, content_id, name, media_type, size, key,"
        " sha256, state, path, keep_metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            user_id, *_key(ref), file.name, file.media_type, file.size, file.key.raw, file.sha256,
            state.value, source.path, source.keep_metadata,
        ),
    )  # fmt: skip


def get(db: apsw.Connection, user_id: UserId, ref: Ref) -> Attached | None:
    """The file of a message, or None."""
    row = db.execute(
        f"{_COLUMNS} WHERE f.user_id = ? AND f.author = ? AND f.content_id = ?",
        (user_id, *_key(ref)),
    ).fetchone()
    return None if row is None else _attached(row)


def moving(db: apsw.Connection, state: FileState) -> list[Attached]:
    """All files in a state, those first that were asked for first."""
    rows = db.execute(f"{_COLUMNS} WHERE f.state = ? ORDER BY m.number", (state.value,))
    return [_attached(row) for row in rows]


def needed(db: apsw.Connection) -> set[str]:
    """The names of all sealed files that are still of use here."""
    moving_now = (FileState.UPLOADING, FileState.DOWNLOADING)
    return {sealed_name(item) for state in moving_now for item in moving(db, state)}


def sealed_path(profile: Path, item: Attached, sha256: bytes = b"") -> Path:
    """Where the sealed bytes of a file lie; ``sha256`` when the row does not have it yet."""
    return folder(profile) / sealed_name(item, sha256)


def sealed_name(item: Attached, sha256: bytes = b"") -> str:
    """What goes up and what comes down never share a file, whatever hash a peer names."""
    return f"{(sha256 or item.file.sha256).hex()}.{'up' if item.ours else 'down'}"


def sealed(
    db: apsw.Connection,
    user_id: UserId,
    ref: Ref,
    key: FileKey,
    sha256: bytes,
    size: int,
    problem: str,
) -> None:
    """A file of ours has been sealed: it can go up. ``problem``: what its sender should know."""
    db.execute(
        "UPDATE files SET key = ?, sha256 = ?, size = ?, state = ?, problem = ?"  # noqa: S608
        f" WHERE {_OF}",
        (key.raw, sha256, size, FileState.UPLOADING.value, kept(problem), user_id, *_key(ref)),
    )


def move(
    db: apsw.Connection,
    user_id: UserId,
    ref: Ref,
    state: FileState,
    *,
    path: str | None = None,
    problem: str = "",
) -> None:
    """Another state; ``path`` stays as it is if None."""
    db.execute(
        f"UPDATE files SET state = ?, path = coalesce(?, path), problem = ? WHERE {_OF}",  # noqa: S608
        (state.value, path, kept(problem), user_id, *_key(ref)),
    )


def drop(db: apsw.Connection, user_id: UserId, ref: Ref) -> None:
    """The message is gone, and its file's key with it."""
    db.execute(f"DELETE FROM files WHERE {_OF}", (user_id, *_key(ref)))  # noqa: S608


def _key(ref: Ref) -> tuple[bytes, bytes]:
    return ref.author, ref.content_id


def _attached(row: tuple[Any, ...]) -> Attached:
    (
        user_id,
        author,
        content_id,
        name,
        size,
        media_type,
        key,
        sha256,
        state,
        path,
        problem,
        keep,
        at,
    ) = row
    return Attached(
        UserId(user_id),
        Ref(Author(author), ContentId(content_id)),
        File(name, size, media_type, FileKey(key), sha256),
        FileState(state),
        path,
        recall(problem),
        bool(keep),
        at,
    )
