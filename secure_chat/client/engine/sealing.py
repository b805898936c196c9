"""Encrypting what is owed: once for each device of a contact, and repeated until accepted."""

import apsw
from msgspec import Struct

from secure_chat.client import content
from secure_chat.client.engine.context import Context
from secure_chat.client.vault import history, outbox, sequence
from secure_chat.client.vault.contacts import Identity
from secure_chat.client.vault.keys import SessionName
from secure_chat.client.vault.outbox import Copy, Owed
from secure_chat.crypto.peer import PeerSessions
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.wiretypes import DeliveryId


class Sealed(Struct, frozen=True):
    """What is ready to leave, or which device's keys are missing first."""

    counter: int = 0
    copies: tuple[Copy, ...] = ()
    missing: DeviceName | None = None


def seal(context: Context, db: apsw.Connection, owed: Owed, identity: Identity) -> Sealed:
    """Encrypt for each device without a copy; the ratchets advance in this transaction."""
    devices = [entry.name for entry in identity.manifest.devices]
    outbox.drop_copies(db, owed.number, set(devices))
    present = {copy.device for copy in outbox.copies(db, owed.number)}
    for device in devices:
        if device not in present:
            sessions = _ready_sessions(context, db, owed.user_id, device, identity)
            if sessions is None:
                return Sealed(missing=device)
            _seal_copy(context, db, owed, device, identity, sessions)
    copies = tuple(copy for copy in outbox.copies(db, owed.number) if not copy.accepted)
    return Sealed(identity.counter, copies)


def _ready_sessions(
    context: Context, db: apsw.Connection, user_id: UserId, device: DeviceName, identity: Identity
) -> PeerSessions | None:
    name = SessionName(DeviceAddress(user_id, device), identity.account_key)
    sessions = context.sessions(db, name)
    if sessions is None or sessions.peer.entry != identity.manifest.device(device):
        return None  # none yet, or with keys that the device no longer has
    return sessions if sessions.ready else None


def _seal_copy(
    context: Context,
    db: apsw.Connection,
    owed: Owed,
    device: DeviceName,
    identity: Identity,
    sessions: PeerSessions,
) -> None:
    head = content.Content(
        owed.content_id,
        owed.created,
        content.Turn(),
        own_counter=context.our_counter,
        their_counter=identity.counter,
        place=sequence.place(db, owed, identity.account_key, context.random),
    )
    plain = content.assemble(head, owed.kind, owed.payload)
    body = sessions.seal(plain, context.now_ms, context.random)
    name = SessionName(DeviceAddress(owed.user_id, device), identity.account_key)
    context.store_sessions(db, name, sessions)
    if owed.is_text:
        history.set_addressee(db, owed.user_id, owed.content_id, identity.account_key)
    delivery_id = DeliveryId(context.random(DeliveryId.size or 0))
    outbox.add_copy(db, Copy(delivery_id, owed.number, device, body))
