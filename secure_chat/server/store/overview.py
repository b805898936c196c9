"""How much the store holds, in numbers."""

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, func, select

from secure_chat.server.store import invites
from secure_chat.server.store.schema import accounts, deliveries, devices, uploads


class Held(Struct, frozen=True):
    """What lies in the store. Sizes are bytes of encrypted bodies."""

    accounts: int
    disabled: int
    devices: int
    queued_messages: int
    queued_bytes: int
    open_invites: int
    files: int
    file_bytes: int


def held(connection: Connection, now_ms: int) -> Held:
    """Count; ``now_ms`` by the server's own count of time.

    Takes a while with millions of waiting messages: not for the I/O thread.
    """
    messages, size = connection.execute(
        select(func.count(), func.coalesce(func.sum(deliveries.c.size), 0)).select_from(deliveries)
    ).one()
    whole = select(uploads.c.sha256, uploads.c.size).where(uploads.c.whole).distinct().subquery()
    files, file_size = connection.execute(
        select(func.count(), func.coalesce(func.sum(whole.c.size), 0)).select_from(whole)
    ).one()
    everybody = select(func.count()).select_from(accounts)
    return Held(
        accounts=_number(connection, everybody),
        disabled=_number(connection, everybody.where(accounts.c.disabled)),
        devices=_number(
            connection,
            select(func.count()).select_from(devices).where(devices.c.revoked.is_(False)),
        ),
        queued_messages=int(messages),
        queued_bytes=int(size),
        files=int(files),
        file_bytes=int(file_size),
        open_invites=sum(one.state(now_ms) == "open" for one in invites.listed(connection)),
    )


def _number(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(query).scalar_one())
