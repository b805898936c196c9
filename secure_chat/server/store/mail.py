"""Mailboxes on disk: one stored body, one delivery row for each device that waits for it."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from secure_chat.server.store.schema import accounts, bodies, deliveries, devices


class Stored(Enum):
    """What became of a message that was handed to the writer."""

    YES = auto()  # it is on disk now
    ALREADY = auto()  # it was on disk before: same delivery id, same body
    OTHER = auto()  # this delivery id stands for another body
    NO = auto()  # `Letter.only_known`, and it is not known
    NO_DEVICE = auto()  # the device is gone


class Letter(Struct):
    """A message on its way to the disk."""

    device_id: int
    seq: int
    delivery_id: bytes
    sender: str
    time: int
    body: bytes
    since: int  # by the server's own count, for the retention
    only_known: bool = False  # the mailbox is full: look whether it is there, store nothing


class Waiting(NamedTuple):
    """A message read from disk."""

    seq: int
    delivery_id: bytes
    sender: str
    time: int
    body: bytes


class SenderLoad(NamedTuple):
    """What one sender has waiting in a mailbox."""

    sender: str
    messages: int
    size: int


class DeviceState(Struct, frozen=True):
    """A device and its mailbox as the disk has them."""

    device_id: int
    account_id: int
    user_id: str
    device: str
    signing_key: bytes
    disabled: bool
    revoked: bool
    manifest_counter: int
    last_seq: int  # no sequence up to this one may be used again
    acked: int
    tail: int  # highest sequence that waits; 0: none
    loads: list[SenderLoad]


class Expired(NamedTuple):
    """A delivery that was kept for the whole retention time and is gone now."""

    device_id: int
    seq: int
    sender: str
    size: int


_device_state = (
    select(
        devices.c.id,
        devices.c.account_id,
        accounts.c.user_id,
        devices.c.name,
        devices.c.signing_key,
        accounts.c.disabled,
        devices.c.revoked,
        accounts.c.manifest_counter,
        devices.c.reserved,
        devices.c.acked,
        select(func.coalesce(func.max(deliveries.c.seq), 0))
        .where(deliveries.c.device_id == devices.c.id)
        .scalar_subquery(),
    )
    .join(accounts)
    .where(accounts.c.user_id == bindparam("user_id"), devices.c.name == bindparam("device"))
)
_loads = (
    select(deliveries.c.sender, func.count(), func.sum(deliveries.c.size))
    .where(deliveries.c.device_id == bindparam("device_id"))
    .group_by(deliveries.c.sender)
)
_page = (
    select(
        deliveries.c.seq,
        deliveries.c.delivery_id,
        deliveries.c.sender,
        deliveries.c.time,
        bodies.c.body,
    )
    .join(bodies, bodies.c.id == deliveries.c.body_id)
    .where(
        deliveries.c.device_id == bindparam("device_id"),
        deliveries.c.seq > bindparam("after"),
        deliveries.c.seq < bindparam("before"),
    )
    .order_by(deliveries.c.seq)
    .limit(bindparam("most"))
)
_known = (
    select(bodies.c.body)
    .join(deliveries, bodies.c.id == deliveries.c.body_id)
    .where(
        deliveries.c.device_id == bindparam("device_id"),
        deliveries.c.sender == bindparam("sender"),
        deliveries.c.delivery_id == bindparam("delivery_id"),
    )
)


def load_device(
    connection: Connection, user_id: str, device: str, *, loads: bool = True
) -> DeviceState | None:
    """A device with its mailbox, or None if there is none of that name.

    Without ``loads`` its mailbox is not looked into, which takes as long as it is full.
    """
    row = connection.execute(_device_state, {"user_id": user_id, "device": device}).one_or_none()
    if row is None:
        return None
    device_id, account_id, user, name, key, disabled, revoked, counter, reserved, acked, tail = row
    state = DeviceState(
        device_id, account_id, user, name, key, disabled, revoked, counter,
        max(reserved, acked, tail), acked, tail, [],
    )  # fmt: skip
    return with_loads(connection, state) if loads else state


def with_loads(connection: Connection, state: DeviceState) -> DeviceState:
    """A device as `load_device` gives it, with what each sender has waiting."""
    if not state.tail:
        return state
    rows = connection.execute(_loads, {"device_id": state.device_id})
    return msgspec.structs.replace(state, loads=[SenderLoad(*row) for row in rows])


def page(connection: Connection, device_id: int, after: int, before: int, most: int,
         most_bytes: int) -> list[Waiting]:  # fmt: skip
    """Up to ``most`` waiting messages in order, stopping once ``most_bytes`` are reached."""
    found = connection.execute(
        _page, {"device_id": device_id, "after": after, "before": before, "most": most}
    )
    waiting: list[Waiting] = []
    size = 0
    for row in found:
        waiting.append(Waiting(*row))
        size += len(row.body)
        if size >= most_bytes:
            break
    found.close()
    return waiting


def store_letters(
    connection: Connection, letters: Sequence[Letter], first_body: int
) -> list[Stored]:
    """Store a group; in one stroke unless one of them is known already or is a look-up."""
    if not any(letter.only_known for letter in letters):
        try:
            with connection.begin_nested():
                _insert(connection, letters, first_body)
            return [Stored.YES] * len(letters)
        except IntegrityError:
            pass  # one of them is a repetition: look at each
    return [_store_one(connection, letter, first_body + n) for n, letter in enumerate(letters)]


def _insert(connection: Connection, letters: Sequence[Letter], first_body: int) -> None:
    connection.execute(
        insert(bodies),
        [{"id": first_body + n, "copies": 1, "body": le.body} for n, le in enumerate(letters)],
    )
    connection.execute(
        insert(deliveries),
        [
            {
                "device_id": letter.device_id,
                "seq": letter.seq,
                "body_id": first_body + n,
                "delivery_id": letter.delivery_id,
                "sender": letter.sender,
                "time": letter.time,
                "since": letter.since,
                "size": len(letter.body),
            }
            for n, letter in enumerate(letters)
        ],
    )


def _store_one(connection: Connection, letter: Letter, body_id: int) -> Stored:
    known = connection.execute(
        _known,
        {
            "device_id": letter.device_id,
            "sender": letter.sender,
            "delivery_id": letter.delivery_id,
        },
    ).scalar()
    if known is not None:
        return Stored.ALREADY if known == letter.body else Stored.OTHER
    if letter.only_known:
        return Stored.NO
    try:
        with connection.begin_nested():
            _insert(connection, [letter], body_id)
    except IntegrityError:
        return Stored.NO_DEVICE
    return Stored.YES


class Acked(NamedTuple):
    """A mailbox whose device has everything up to ``seq``; ``stored``: rows may be on disk."""

    device_id: int
    seq: int
    stored: bool


_of_device = and_(
    deliveries.c.device_id == bindparam("b_device"), deliveries.c.seq <= bindparam("b_seq")
)
_one = and_(deliveries.c.device_id == bindparam("b_device"), deliveries.c.seq == bindparam("b_seq"))
_note_acked = (
    update(devices)
    .where(devices.c.id == bindparam("b_device"), devices.c.acked < bindparam("b_seq"))
    .values(acked=bindparam("b_seq"))
)
_reserve = (
    update(devices)
    .where(devices.c.id == bindparam("b_device"), devices.c.reserved < bindparam("b_seq"))
    .values(reserved=bindparam("b_seq"))
)


def acknowledge(connection: Connection, acks: Sequence[Acked]) -> None:
    """Forget what devices have taken, and remember how far they are."""
    stored = [{"b_device": ack.device_id, "b_seq": ack.seq} for ack in acks if ack.stored]
    if stored:
        _release(connection, _of_device, stored)
    connection.execute(_note_acked, [{"b_device": ack.device_id, "b_seq": ack.seq} for ack in acks])


def forget(connection: Connection, letters: Sequence[tuple[int, int]]) -> None:
    """Remove letters of a commit that failed, by device and seq, in case it reached the disk."""
    _release(connection, _one, [{"b_device": device, "b_seq": seq} for device, seq in letters])


def _release(connection: Connection, which: object, parameters: list[dict[str, int]]) -> None:
    """Delete deliveries, and bodies that no other delivery needs."""
    ids = select(deliveries.c.body_id).where(which)  # type: ignore[arg-type]
    connection.execute(delete(bodies).where(bodies.c.id.in_(ids), bodies.c.copies == 1), parameters)
    connection.execute(
        update(bodies).where(bodies.c.id.in_(ids)).values(copies=bodies.c.copies - 1), parameters
    )
    connection.execute(delete(deliveries).where(which), parameters)  # type: ignore[arg-type]


def is_sent_by(sender: str | BindParameter[str]) -> ColumnElement[bool]:
    """Deliveries that a device address sent and that still wait somewhere.

    All devices are named, and a bound that every id meets, so that the index over (device, sender,
    id) is worth more than the table: of other people's mailboxes nothing is read.
    """
    return and_(
        deliveries.c.device_id.in_(select(devices.c.id)),
        deliveries.c.sender == sender,
        deliveries.c.delivery_id >= b"",
    )


_sent_by = select(
    deliveries.c.device_id, deliveries.c.seq, deliveries.c.sender, deliveries.c.size
).where(is_sent_by(bindparam("sender")))


def remove_sent(connection: Connection, senders: Sequence[str]) -> list[Expired]:
    """Delete all that these device addresses sent and that still waits somewhere."""
    gone = [
        Expired(*row)
        for sender in senders
        for row in connection.execute(_sent_by, {"sender": sender})
    ]
    if gone:
        _release(connection, _one, [{"b_device": g.device_id, "b_seq": g.seq} for g in gone])
    return gone


def remove_mailboxes(connection: Connection, device_ids: Sequence[int]) -> int:
    """Delete all that waits for these devices; how many messages that were."""
    count = 0
    for device_id in device_ids:
        waiting = select(func.count()).where(deliveries.c.device_id == device_id)
        count += connection.execute(waiting).scalar_one()
        _release(
            connection, deliveries.c.device_id == bindparam("b_device"), [{"b_device": device_id}]
        )
    return count


def reserve(connection: Connection, device_id: int, seq: int) -> None:
    """Raise a mailbox's high-water mark: no sequence up to it is used again, crash or not."""
    connection.execute(_reserve, {"b_device": device_id, "b_seq": seq})


def expire(connection: Connection, before: int, most: int) -> list[Expired]:
    """Delete up to ``most`` deliveries that wait since before ``before`` (ms, own count)."""
    return _drop(connection, deliveries.c.since < before, most)


def drop_accepted_before(connection: Connection, before: int, most: int) -> list[Expired]:
    """As `expire`, but old by both counts: the server's own, and the machine's clock."""
    old = and_(deliveries.c.since < before, deliveries.c.time < before)
    return _drop(connection, old, most)


def _drop(connection: Connection, which: ColumnElement[bool], most: int) -> list[Expired]:
    old = connection.execute(
        select(deliveries.c.device_id, deliveries.c.seq, deliveries.c.sender, deliveries.c.size)
        .where(which)
        .limit(most)
    ).all()
    gone = [Expired(*row) for row in old]
    if gone:
        _release(connection, _one, [{"b_device": g.device_id, "b_seq": g.seq} for g in gone])
    return gone


def highest_body(connection: Connection) -> int:
    """The highest id a body has; 0: none."""
    return connection.execute(select(func.max(bodies.c.id))).scalar() or 0
