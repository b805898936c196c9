"""The end of accounts: disabled for a while, deleted with all that is held, their names freed."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from secure_chat.protocol.wiretypes import BlobHash
from secure_chat.server.store import mail, uploads
from secure_chat.server.store.mail import Expired
from secure_chat.server.store.schema import accounts, deliveries, devices, reserved_names


class AccountLine(Struct, frozen=True):
    """An account in the operator's list; of a deleted one only the reserved name is left."""

    user_id: str
    state: str  # "active", "disabled" or "deleted"
    devices: int = 0
    waiting: int = 0  # messages in its mailboxes
    waiting_bytes: int = 0


class Deleted(Struct, frozen=True):
    """What a deletion took along: messages to the account, and its messages that still waited.

    ``blobs`` are those that it had brought or begun to bring; their files are still there, for
    `BlobFiles.let_go`.
    """

    account_id: int
    received: int
    sent: list[Expired]
    blobs: list[BlobHash]


def account_id(connection: Connection, user_id: str) -> int | None:
    """The id of an account, if there is one of this name."""
    return connection.execute(select(accounts.c.id).where(accounts.c.user_id == user_id)).scalar()


def listed(connection: Connection) -> list[AccountLine]:
    """All accounts and reserved names, by name."""
    mailboxes = (
        select(
            devices.c.account_id,
            func.count(deliveries.c.seq).label("waiting"),
            func.coalesce(func.sum(deliveries.c.size), 0).label("bytes"),
            func.count(devices.c.id.distinct()).label("devices"),
        )
        .select_from(devices.outerjoin(deliveries, deliveries.c.device_id == devices.c.id))
        .where(devices.c.revoked.is_(False))
        .group_by(devices.c.account_id)
        .subquery()
    )
    rows = connection.execute(
        select(
            accounts.c.user_id,
            accounts.c.disabled,
            func.coalesce(mailboxes.c.devices, 0),
            func.coalesce(mailboxes.c.waiting, 0),
            func.coalesce(mailboxes.c.bytes, 0),
        ).select_from(accounts.outerjoin(mailboxes, mailboxes.c.account_id == accounts.c.id))
    )
    lines = [
        AccountLine(name, "disabled" if disabled else "active", *numbers)
        for name, disabled, *numbers in rows
    ]
    gone = connection.execute(select(reserved_names.c.user_id)).scalars()
    lines += [AccountLine(name, "deleted") for name in gone]
    return sorted(lines, key=lambda line: line.user_id)


def set_disabled(connection: Connection, account: int, *, disabled: bool) -> bool:
    """Shut an account out, or let it in again; False if it is gone."""
    changed = connection.execute(
        update(accounts).where(accounts.c.id == account).values(disabled=disabled)
    )
    return changed.rowcount == 1


def remove(connection: Connection, account: int) -> Deleted | None:
    """Delete an account, its devices, keys and mailboxes, and what it sent and still waits.

    Its name stays reserved. None if it is gone already.
    """
    row = connection.execute(
        select(accounts.c.user_id, accounts.c.skeleton).where(accounts.c.id == account)
    ).one_or_none()
    if row is None:
        return None
    own = connection.execute(
        select(devices.c.id, devices.c.name).where(devices.c.account_id == account)
    ).all()
    sent = mail.remove_sent(connection, [f"{row.user_id}/{device.name}" for device in own])
    received = mail.remove_mailboxes(connection, [device.id for device in own])
    blobs = uploads.brought_by(connection, account)
    # Devices, keys and uploads go with the account: foreign keys with ON DELETE CASCADE.
    connection.execute(delete(accounts).where(accounts.c.id == account))
    connection.execute(insert(reserved_names).values(user_id=row.user_id, skeleton=row.skeleton))
    return Deleted(account, received, sent, blobs)


_reserved = select(reserved_names.c.user_id).where(
    or_(
        reserved_names.c.user_id == bindparam("user_id"),
        reserved_names.c.skeleton == bindparam("skeleton"),
    )
)


def is_reserved(connection: Connection, user_id: str, skeleton: str) -> bool:
    """Whether a name, or one that looks like it, belonged to a deleted account."""
    found = connection.execute(_reserved, {"user_id": user_id, "skeleton": skeleton})
    return found.first() is not None


def free(connection: Connection, user_id: str) -> bool:
    """Let anybody register a deleted account's name again; whether it was reserved."""
    gone = connection.execute(delete(reserved_names).where(reserved_names.c.user_id == user_id))
    return gone.rowcount == 1
