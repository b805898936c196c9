"""Prekeys: published by their device, each one-time key handed out once."""

from typing import Any

from msgspec import Struct
from sqlalchemy import (
    Connection,
    ScalarSelect,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from secure_chat.errors import Code, Refused
from secure_chat.protocol import limits
from secure_chat.protocol.messages import KemPrekey, KeysPut, OneTimePrekey, SignedPrekey
from secure_chat.protocol.wiretypes import KemPublic, PrekeyPublic, Signature
from secure_chat.server.store.people import (
    Published,
    last_resort_columns,
    published,
    signed_prekey_columns,
)
from secure_chat.server.store.schema import (
    accounts,
    devices,
    one_time_kem_keys,
    one_time_keys,
)

STOCK = 2 * limits.ONE_TIME_KEYS
"""How many one-time keys of a kind a device may have here: a refill may overlap a full stock."""


class Stock(Struct, frozen=True):
    """What a device has published, for `welcome` and `keys_low`."""

    version: int
    one_time: int
    one_time_kem: int


class Claimed(Struct, frozen=True):
    """A bundle that was handed out, and what is left after it."""

    published: Published
    signed_prekey: SignedPrekey
    kem: KemPrekey
    kem_is_last_resort: bool
    one_time: OneTimePrekey | None
    left: Stock


def _count(table: Table) -> ScalarSelect[int]:
    rows = select(func.count()).select_from(table)
    return rows.where(table.c.device_id == devices.c.id).scalar_subquery()


# Made once and not at each login: putting a statement together takes SQLAlchemy longer than SQLite
# takes to carry it out.
_stock = select(devices.c.key_version, _count(one_time_keys), _count(one_time_kem_keys)).where(
    devices.c.id == bindparam("device_id")
)


def stock(connection: Connection, device_id: int) -> Stock:
    """How many one-time keys are left."""
    return Stock(*connection.execute(_stock, {"device_id": device_id}).one())


def publish(connection: Connection, device_id: int, put: KeysPut) -> None:
    """Store checked keys, all of them or none. Raises `Refused` (bad_keys)."""
    if put.restart:
        for table in (one_time_keys, one_time_kem_keys):
            connection.execute(delete(table).where(table.c.device_id == device_id))
    plain = [{"device_id": device_id, "key_id": k.id, "key": bytes(k.key)} for k in put.one_time]
    kem = [
        {
            "device_id": device_id,
            "key_id": k.id,
            "key": bytes(k.key),
            "expires": k.expires,
            "signature": bytes(k.signature),
        }
        for k in put.one_time_kem
    ]
    _add(connection, one_time_keys, device_id, plain)
    _add(connection, one_time_kem_keys, device_id, kem)
    columns: dict[str, Any] = {"key_version": put.version}
    if put.signed_prekey is not None:
        columns |= signed_prekey_columns(put.signed_prekey)
    if put.last_resort is not None:
        columns |= last_resort_columns(put.last_resort)
    connection.execute(update(devices).where(devices.c.id == device_id).values(**columns))


def _add(connection: Connection, table: Table, device_id: int, rows: list[dict[str, Any]]) -> None:
    """Add to a stock. A key that is there already is a repeated request; another one is refused."""
    if not rows:
        return
    known = select(table.c.key_id, table.c.key).where(table.c.device_id == device_id)
    present: dict[int, bytes] = {row.key_id: row.key for row in connection.execute(known)}
    new = {row["key_id"]: row for row in rows if present.get(row["key_id"]) != row["key"]}
    repeated = len({row["key_id"] for row in rows}) != len(rows)
    if repeated or new.keys() & present.keys() or len(present) + len(new) > STOCK:
        raise Refused(Code.BAD_KEYS)
    if new:
        connection.execute(insert(table), list(new.values()))


_target = (
    select(devices)
    .join(accounts)
    .where(
        accounts.c.user_id == bindparam("user_id"),
        accounts.c.disabled.is_(False),
        devices.c.name == bindparam("device"),
        devices.c.revoked.is_(False),
    )
)


def claim(connection: Connection, user_id: str, device: str, *, one_time: bool) -> Code | Claimed:
    """Hand out a bundle; with ``one_time`` keys that leave the stock in this transaction."""
    row = connection.execute(_target, {"user_id": user_id, "device": device}).one_or_none()
    account = published(connection, user_id)
    if row is None or account is None:
        return Code.UNKNOWN_USER
    if row.signed_prekey is None or row.last_resort is None:
        return Code.NO_KEYS
    plain = _take(connection, one_time_keys, row.id) if one_time else None
    kem = _take(connection, one_time_kem_keys, row.id) if one_time else None
    return Claimed(
        account,
        SignedPrekey(
            row.signed_prekey_id,
            PrekeyPublic(row.signed_prekey),
            row.signed_prekey_expires,
            Signature(row.signed_prekey_signature),
        ),
        _kem(kem.key_id, kem.key, kem.expires, kem.signature)
        if kem
        else _kem(
            row.last_resort_id, row.last_resort, row.last_resort_expires, row.last_resort_signature
        ),
        kem is None,
        None if plain is None else OneTimePrekey(plain.key_id, PrekeyPublic(plain.key)),
        stock(connection, row.id),
    )


def _kem(key_id: int, key: bytes, expires: int, signature: bytes) -> KemPrekey:
    return KemPrekey(key_id, KemPublic(key), expires, Signature(signature))


def _take(connection: Connection, table: Table, device_id: int) -> Any:
    """The oldest key of a stock, which is gone with it; None if there is none."""
    row = connection.execute(
        select(table).where(table.c.device_id == device_id).order_by(table.c.key_id).limit(1)
    ).one_or_none()
    if row is not None:
        connection.execute(
            delete(table).where(table.c.device_id == device_id, table.c.key_id == row.key_id)
        )
    return row
