"""Rows of blobs: who brought which, and whether it is whole (PROTOCOL.md 13.3).

A blob is there as long as one account's upload of it is. Its bytes lie in files; see `blobs`.
"""

from enum import Enum, auto

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from secure_chat.errors import Code
from secure_chat.protocol import limits
from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.store.schema import uploads


class Begun(Enum):
    """What is known of a blob when an account brings it."""

    COMING = auto()
    WHOLE = auto()


class Wanted(Struct, frozen=True):
    """An upload that an account begins or takes up again; ``most`` is what it may keep here."""

    account_id: int
    sha256: BlobHash
    size: int
    most: int
    now_ms: int


_whole = (
    select(uploads.c.size)
    .where(uploads.c.sha256 == bindparam("sha256"), uploads.c.whole == true())
    .limit(1)
)


def whole_size(connection: Connection, sha256: bytes) -> int | None:
    """The size of a blob that is whole here, or None."""
    return connection.execute(_whole, {"sha256": bytes(sha256)}).scalar()


def begin(connection: Connection, wanted: Wanted) -> Begun | Code:
    """Let an account bring a blob, if it has room for it; the retention time begins anew."""
    mine = _of(wanted.account_id, wanted.sha256)
    size = whole_size(connection, wanted.sha256)
    if size is not None and size != wanted.size:
        return Code.BLOB_MISMATCH
    known = connection.execute(select(uploads.c.size, uploads.c.whole).where(mine)).one_or_none()
    before = 0 if known is None else known.size
    refusal = _room(connection, wanted, before, is_new=known is None and size is None)
    if refusal is not None:
        return refusal
    values = {"size": wanted.size, "whole": size is not None, "time": wanted.now_ms}
    if known is not None:
        connection.execute(update(uploads).where(mine).values(**values))
    else:
        try:
            with connection.begin_nested():
                connection.execute(
                    insert(uploads).values(
                        account_id=wanted.account_id, sha256=bytes(wanted.sha256), **values
                    )
                )
        except IntegrityError:  # the account was deleted meanwhile
            return Code.UNKNOWN_USER
    return Begun.COMING if size is None else Begun.WHOLE


def _room(connection: Connection, wanted: Wanted, before: int, *, is_new: bool) -> Code | None:
    """Whether the account may keep this much, and bring so many at once."""
    kept, coming = connection.execute(
        select(
            func.coalesce(func.sum(uploads.c.size), 0),
            func.count().filter(uploads.c.whole != true()),
        ).where(uploads.c.account_id == wanted.account_id)
    ).one()
    if kept - before + wanted.size > wanted.most:
        return Code.BLOB_QUOTA
    if is_new and coming >= limits.BLOB_UPLOADS:
        return Code.BLOB_QUOTA
    return None


def complete(connection: Connection, account_id: int, sha256: BlobHash, now_ms: int) -> Code | None:
    """An account's blob lies on the disk, checked."""
    done = connection.execute(
        update(uploads).where(_of(account_id, sha256)).values(whole=True, time=now_ms)
    )
    return None if done.rowcount else Code.UNKNOWN_USER  # the account was deleted meanwhile


def lost(connection: Connection, sha256: BlobHash) -> None:
    """The bytes are not there, whatever the rows say: everybody may bring them again."""
    connection.execute(update(uploads).where(uploads.c.sha256 == bytes(sha256)).values(whole=False))


def expire(connection: Connection, before_ms: int, now_ms: int, most: int) -> int:
    """Forget up to ``most`` uploads: whole since before ``before_ms``, or not taken up again."""
    stale = now_ms - limits.BLOB_UPLOAD_SECONDS * 1000
    old = connection.execute(
        select(uploads.c.account_id, uploads.c.sha256)
        .where(
            or_(
                and_(uploads.c.whole == true(), uploads.c.time < before_ms),
                and_(uploads.c.whole != true(), uploads.c.time < stale),
            )
        )
        .limit(most)
    ).all()
    for account_id, sha256 in old:
        connection.execute(delete(uploads).where(_of(account_id, BlobHash(sha256))))
    return len(old)


def brought_by(connection: Connection, account_id: int) -> list[BlobHash]:
    """The blobs that an account has brought, or begun to bring."""
    rows = connection.execute(select(uploads.c.sha256).where(uploads.c.account_id == account_id))
    return [BlobHash(sha256) for sha256 in rows.scalars()]


def is_named(connection: Connection, sha256: bytes) -> bool:
    """Whether some account has brought a blob, or begun to."""
    wanted = select(uploads.c.id).where(uploads.c.sha256 == bytes(sha256)).limit(1)
    return connection.execute(wanted).first() is not None


class Named(Struct, frozen=True):
    """All that rows speak of: whole blobs, and uploads by account."""

    whole: frozenset[bytes]
    coming: frozenset[tuple[int, bytes]]


def named(connection: Connection) -> Named:
    """What may lie on the disk."""
    rows = connection.execute(select(uploads.c.account_id, uploads.c.sha256, uploads.c.whole)).all()
    return Named(
        frozenset(bytes(row.sha256) for row in rows if row.whole),
        frozenset((row.account_id, bytes(row.sha256)) for row in rows if not row.whole),
    )


def _of(account_id: int, sha256: bytes) -> ColumnElement[bool]:
    return and_(uploads.c.account_id == account_id, uploads.c.sha256 == bytes(sha256))
