"""The open book: every row that the server holds on one account, table by table.

One table of sections says which rows of which table belong to an account. Rows are shown with all
their columns, whatever these are, so that a later column cannot be left out; a test walks the
schema and fails over a table that is neither a section nor in `NOT_PERSONAL`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    or_,
    select,
    tuple_,
)

from secure_chat.protocol.held import HeldRow, encoded_size, held_row
from secure_chat.server.store import mail
from secure_chat.server.store.schema import (
    accounts,
    bodies,
    deliveries,
    devices,
    one_time_kem_keys,
    one_time_keys,
    uploads,
)

NOT_PERSONAL: Final = {
    "facts": "the server's own id",
    "invites": "nothing says which account used which invite",
    "reserved_names": "names of accounts that are gone",
}
"""Tables that hold nothing on an account that exists, and why."""

PAGE_BYTES: Final = 48 * 1024
_ROWS: Final = 200
_BODIES: Final = 16  # each up to 60 KiB that has to be read


class Owner(NamedTuple):
    """Whose book it is: the account, its devices and their addresses as senders."""

    account: int
    devices: list[int]
    senders: list[str]


class Section(NamedTuple):
    """Rows of one table that belong to an account, in order of ``key``."""

    table: Table
    which: Callable[[Owner], ColumnElement[bool]]
    key: tuple[Column[int], ...]
    rows: int = _ROWS


class Page(NamedTuple):
    """A part of the book; ``next`` is where the following one begins, empty at the end."""

    rows: list[HeldRow]
    next: str


def _received_or_sent(owner: Owner) -> ColumnElement[bool]:
    """What waits for the account, and what it sent and others have not fetched."""
    received = deliveries.c.device_id.in_(owner.devices)
    return or_(received, *(mail.is_sent_by(sender) for sender in owner.senders))


def _bodies(owner: Owner) -> ColumnElement[bool]:
    return bodies.c.id.in_(select(deliveries.c.body_id).where(_received_or_sent(owner)))


SECTIONS: Final = (
    Section(accounts, lambda owner: accounts.c.id == owner.account, (accounts.c.id,)),
    Section(devices, lambda owner: devices.c.account_id == owner.account, (devices.c.id,)),
    Section(
        one_time_keys,
        lambda owner: one_time_keys.c.device_id.in_(owner.devices),
        (one_time_keys.c.device_id, one_time_keys.c.key_id),
    ),
    Section(
        one_time_kem_keys,
        lambda owner: one_time_kem_keys.c.device_id.in_(owner.devices),
        (one_time_kem_keys.c.device_id, one_time_kem_keys.c.key_id),
    ),
    Section(deliveries, _received_or_sent, (deliveries.c.device_id, deliveries.c.seq)),
    Section(bodies, _bodies, (bodies.c.id,), _BODIES),
    Section(uploads, lambda owner: uploads.c.account_id == owner.account, (uploads.c.id,)),
)
"""The book's chapters, in order."""


def page(connection: Connection, account: int, after: str = "") -> Page | None:
    """Rows from the place ``after`` on (empty: the beginning); None if there is no such place."""
    place = _place(after)
    if place is None:
        return None
    number, key = place
    owner = _owner(connection, account)
    rows: list[HeldRow] = []
    size = 0
    for index in range(number, len(SECTIONS)):
        section = SECTIONS[index]
        names = [str(column.name) for column in section.table.c]
        found = connection.execute(_query(section, owner, key)).all()
        for row in found:
            shown = held_row(str(section.table.name), dict(zip(names, row, strict=True)))
            size += encoded_size(shown)
            if rows and size > PAGE_BYTES:
                return Page(rows, _text(index, key))
            rows.append(shown)
            key = tuple(int(row._mapping[column]) for column in section.key)
        if len(found) == section.rows:
            return Page(rows, _text(index, key))
        key = ()
    return Page(rows, "")


def whole(connection: Connection, account: int) -> list[HeldRow]:
    """All of it at once, for the operator."""
    rows: list[HeldRow] = []
    after = ""
    while (part := page(connection, account, after)) is not None:
        rows += part.rows
        after = part.next
        if not after:
            break
    return rows


def _owner(connection: Connection, account: int) -> Owner:
    own = connection.execute(
        select(accounts.c.user_id, devices.c.id, devices.c.name)
        .join(devices, devices.c.account_id == accounts.c.id)
        .where(accounts.c.id == account)
    ).all()
    return Owner(account, [row.id for row in own], [f"{row.user_id}/{row.name}" for row in own])


def _query(section: Section, owner: Owner, key: tuple[int, ...]) -> Select[tuple[object, ...]]:
    wanted = section.which(owner)
    if key:
        wanted = and_(wanted, tuple_(*section.key) > tuple_(*key))
    return select(*section.table.c).where(wanted).order_by(*section.key).limit(section.rows)


def _text(section: int, key: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in (section, *key))


def _place(text: str) -> tuple[int, tuple[int, ...]] | None:
    """The section and the key of its last row that was shown."""
    if not text:
        return 0, ()
    parts = text.split(".")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 18 for part in parts):
        return None
    number, *key = (int(part) for part in parts)
    if number >= len(SECTIONS) or len(key) not in {0, len(SECTIONS[number].key)}:
        return None
    return number, tuple(key)
