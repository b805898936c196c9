"""Rows of what we owe others: contents in order, and the ciphertexts made of them.

A content waits until the server took a copy for each device; texts and changes stay after that
until their receipt came. A copy's bytes are made once and repeated as they are.
"""

from typing import Any

import apsw
from msgspec import Struct

from secure_chat.client.content import (
    KEPT,
    LINES,
    RECEIPT_IDS,
    ContentId,
    Payload,
    Receipt,
    Type,
    about,
    decode_payload,
    encode_payload,
    kind_of,
)
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.wiretypes import AccountKey, DeliveryId


class Owed(Struct, frozen=True):
    """A content on its way. ``account_key``: the identity it is meant for, once known."""

    number: int
    user_id: UserId
    content_id: ContentId
    kind: Type
    payload: bytes
    account_key: AccountKey | None
    created: int

    @property
    def is_text(self) -> bool:
        """Whether a line of the conversation stands for it."""
        return self.kind in LINES

    @property
    def is_kept(self) -> bool:
        """Whether it stays here until a receipt names it."""
        return self.kind in KEPT


class Copy(Struct, frozen=True):
    """The ciphertext of a content for one device."""

    delivery_id: DeliveryId
    owed: int
    device: str
    body: bytes
    accepted: bool = False


_OWED = "id, user_id, content_id, kind, payload, account_key, created"
_SELECT = f"SELECT {_OWED} FROM outgoing "  # noqa: S608 - constant columns


def owe(
    db: apsw.Connection,
    user_id: UserId,
    content_id: ContentId,
    payload: Payload,
    account_key: AccountKey | None,
    now_ms: int,
) -> None:
    """Put a content at the end of a conversation's queue."""
    db.execute(
        "INSERT INTO outgoing (user_id, content_id, kind, payload, account_key, created, about)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            user_id,
            content_id,
            int(kind_of(payload)),
            encode_payload(payload),
            None if account_key is None else bytes(account_key),
            now_ms,
            about(payload),
        ),
    )


def owe_receipt(
    db: apsw.Connection,
    user_id: UserId,
    confirmed: list[ContentId],
    account_key: AccountKey | None,
    now_ms: int,
    fresh_id: ContentId,
    *,
    read: bool,
) -> None:
    """A receipt joins the last one that is not encrypted yet: many messages, one answer."""
    kind = int(Type.READ if read else Type.DELIVERED)
    row = db.execute(
        "SELECT id, payload FROM outgoing WHERE user_id = ? AND kind = ? AND accepted = 0"
        " AND account_key IS ? AND id NOT IN (SELECT outgoing FROM copies)"
        " ORDER BY id DESC LIMIT 1",
        (user_id, kind, None if account_key is None else bytes(account_key)),
    ).fetchone()
    known: tuple[ContentId, ...] = ()
    if row is not None:
        waiting = decode_payload(Type(kind), row[1])
        assert isinstance(waiting, Receipt)
        known = waiting.content_ids
    new = [one for one in confirmed if one not in known]
    room = RECEIPT_IDS - len(known) if row is not None else 0
    if row is not None and new[:room]:
        merged = encode_payload(Receipt((*known, *new[:room]), read=read))
        db.execute("UPDATE outgoing SET payload = ? WHERE id = ?", (merged, row[0]))
    for start in range(room, len(new), RECEIPT_IDS):
        ids = tuple(new[start : start + RECEIPT_IDS])
        owe(db, user_id, _numbered(fresh_id, start), Receipt(ids, read=read), account_key, now_ms)


def _numbered(fresh_id: ContentId, start: int) -> ContentId:
    """Another id for each part of a long receipt."""
    return ContentId((int.from_bytes(fresh_id, "big") ^ start).to_bytes(len(fresh_id), "big"))


def first_waiting(db: apsw.Connection, user_id: UserId) -> Owed | None:
    """What comes next in a conversation."""
    row = db.execute(
        f"{_SELECT} WHERE user_id = ? AND accepted = 0 ORDER BY id LIMIT 1", (user_id,)
    ).fetchone()
    return None if row is None else _owed(row)


def waiting(db: apsw.Connection, user_id: UserId) -> list[Owed]:
    """All that the server has not taken yet."""
    rows = db.execute(f"{_SELECT} WHERE user_id = ? AND accepted = 0 ORDER BY id", (user_id,))
    return [_owed(row) for row in rows]


def users_waiting(db: apsw.Connection) -> list[UserId]:
    """The conversations in which something waits."""
    rows = db.execute("SELECT DISTINCT user_id FROM outgoing WHERE accepted = 0")
    return [UserId(user_id) for (user_id,) in rows]


def bind(db: apsw.Connection, user_id: UserId, account_key: AccountKey) -> None:
    """Contents that were queued before any key was known are meant for this identity."""
    db.execute(
        "UPDATE outgoing SET account_key = ? WHERE user_id = ? AND account_key IS NULL",
        (bytes(account_key), user_id),
    )


def readdress(db: apsw.Connection, user_id: UserId, account_key: AccountKey) -> None:
    """The person accepted another identity: what waits is encrypted anew, to that one."""
    db.execute(
        "DELETE FROM copies WHERE outgoing IN"
        " (SELECT id FROM outgoing WHERE user_id = ? AND accepted = 0)",
        (user_id,),
    )
    db.execute(
        "UPDATE outgoing SET account_key = ?, sequence = 0 WHERE user_id = ? AND accepted = 0",
        (bytes(account_key), user_id),
    )


def send_again(db: apsw.Connection, user_id: UserId, account_key: AccountKey) -> list[ContentId]:
    """Contents that the same identity has not confirmed are queued anew, under new delivery ids."""
    db.execute(
        "DELETE FROM copies WHERE outgoing IN"
        " (SELECT id FROM outgoing WHERE user_id = ? AND account_key = ?)",
        (user_id, bytes(account_key)),
    )
    rows = db.execute(
        "UPDATE outgoing SET accepted = 0 WHERE user_id = ? AND account_key = ? AND accepted > 0"
        " RETURNING content_id",
        (user_id, bytes(account_key)),
    )
    return [ContentId(content_id) for (content_id,) in rows]


def copies(db: apsw.Connection, owed: int) -> list[Copy]:
    """The ciphertexts of a content."""
    rows = db.execute(
        "SELECT delivery_id, outgoing, device, body, accepted FROM copies WHERE outgoing = ?",
        (owed,),
    )
    return [Copy(DeliveryId(i), number, d, body, bool(a)) for i, number, d, body, a in rows]


def forget_copies(db: apsw.Connection) -> None:
    """A restored vault: its ciphertexts belong to sessions that are gone."""
    db.execute("DELETE FROM copies")


def add_copy(db: apsw.Connection, copy: Copy) -> None:
    """Keep a ciphertext, in the transaction that advanced its ratchet."""
    db.execute(
        "INSERT INTO copies (delivery_id, outgoing, device, body) VALUES (?, ?, ?, ?)",
        (bytes(copy.delivery_id), copy.owed, copy.device, copy.body),
    )


def drop_copies(db: apsw.Connection, owed: int, keep: set[str]) -> None:
    """Forget ciphertexts for devices that are no longer there."""
    for copy in copies(db, owed):
        if copy.device not in keep:
            drop_copy(db, copy.delivery_id)


def drop_copy(db: apsw.Connection, delivery_id: DeliveryId) -> None:
    """Forget one ciphertext: another will be made."""
    db.execute("DELETE FROM copies WHERE delivery_id = ?", (bytes(delivery_id),))


def find(db: apsw.Connection, delivery_id: DeliveryId) -> Owed | None:
    """The content that a delivery id belongs to."""
    row = db.execute(
        f"{_SELECT} WHERE id = (SELECT outgoing FROM copies WHERE delivery_id = ?)",  # noqa: S608
        (bytes(delivery_id),),
    ).fetchone()
    return None if row is None else _owed(row)


def copy_accepted(db: apsw.Connection, owed: Owed, delivery_id: DeliveryId, now_ms: int) -> bool:
    """The server took a copy; True once it has all of them.

    What is kept stays for a request to send it again; anything else is done.
    """
    db.execute("UPDATE copies SET accepted = 1 WHERE delivery_id = ?", (bytes(delivery_id),))
    if not all(copy.accepted for copy in copies(db, owed.number)):
        return False
    finish(db, owed, now_ms)
    return True


def finish(db: apsw.Connection, owed: Owed, now_ms: int) -> None:
    """Nothing is left to send of a content."""
    if not owed.is_kept:
        drop(db, owed.number)
        return
    db.execute("UPDATE outgoing SET accepted = ? WHERE id = ?", (now_ms, owed.number))
    db.execute("DELETE FROM copies WHERE outgoing = ?", (owed.number,))
    db.execute("DELETE FROM outgoing WHERE id = ? AND confirmed = 1", (owed.number,))


def was_sealed(db: apsw.Connection, user_id: UserId, content_id: ContentId) -> bool:
    """Whether a content may have left this device: it is not here unsealed, waiting."""
    row = db.execute(
        "SELECT 1 FROM outgoing WHERE user_id = ? AND content_id = ? AND accepted = 0"
        " AND id NOT IN (SELECT outgoing FROM copies)",
        (user_id, content_id),
    ).get
    return row is None


def drop(db: apsw.Connection, owed: int) -> None:
    """A content is not owed any more."""
    db.execute("DELETE FROM outgoing WHERE id = ?", (owed,))


def withdraw(db: apsw.Connection, user_id: UserId, content_id: ContentId, *, own: bool) -> None:
    """Nothing of a message is sent any more: no change of it, nor, if it is ours, itself.

    What has a number and may not have left yet goes out empty under it, so that the other side
    misses nothing.
    """
    of = "user_id = ?1 AND (about = ?2 OR (?3 AND content_id = ?2))"
    key = (user_id, content_id, own)
    db.execute(
        f"DELETE FROM copies WHERE outgoing IN (SELECT id FROM outgoing WHERE {of})",  # noqa: S608
        key,
    )
    db.execute(
        f"DELETE FROM outgoing WHERE {of} AND (sequence = 0 OR accepted > 0)",  # noqa: S608
        key,
    )
    db.execute(
        "UPDATE outgoing SET kind = ?4, payload = x'', about = NULL"  # noqa: S608 - constant
        f" WHERE {of}",
        (*key, int(Type.TURN)),
    )


def confirmed(db: apsw.Connection, user_id: UserId, content_id: ContentId) -> None:
    """A device has it: nobody will ask for it again. Copies for other devices still go out."""
    kinds = ",".join(str(int(kind)) for kind in sorted(KEPT))
    db.execute(
        "UPDATE outgoing SET confirmed = 1 WHERE user_id = ? AND content_id = ?"  # noqa: S608
        f" AND kind IN ({kinds})",
        (user_id, content_id),
    )
    db.execute(
        "DELETE FROM outgoing WHERE user_id = ? AND confirmed = 1 AND accepted > 0", (user_id,)
    )


def purge(db: apsw.Connection, accepted_before_ms: int) -> None:
    """Contents whose receipt never came are not kept for ever."""
    db.execute("DELETE FROM outgoing WHERE accepted > 0 AND accepted < ?", (accepted_before_ms,))


def _owed(row: tuple[Any, ...]) -> Owed:
    number, user_id, content_id, kind, payload, account_key, created = row
    return Owed(
        number,
        UserId(user_id),
        ContentId(content_id),
        Type(kind),
        payload,
        None if account_key is None else AccountKey(account_key),
        created,
    )
