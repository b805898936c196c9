"""Rows of other people: their account key, how far it is trusted, and another key that waits."""

from typing import Any

import apsw
from msgspec import Struct

from secure_chat.client.events import Trust
from secure_chat.protocol.addresses import UserId
from secure_chat.protocol.manifest import Manifest, decode_manifest
from secure_chat.protocol.wiretypes import AccountKey, ManifestBytes


class Identity(Struct, frozen=True):
    """An account key with the newest manifest that it signed.

    Without a manifest (counter 0) it is known from a contact link alone.
    """

    account_key: AccountKey
    manifest_bytes: ManifestBytes = ManifestBytes(b"")
    counter: int = 0

    @property
    def is_bare(self) -> bool:
        """Whether its devices have yet to be fetched."""
        return self.counter == 0

    @property
    def manifest(self) -> Manifest:
        """The devices of this identity, which must not be bare."""
        return decode_manifest(self.manifest_bytes)


class Contact(Struct, frozen=True):
    """Somebody we talk with. ``pending``: another identity that nobody has accepted."""

    user_id: UserId
    identity: Identity | None = None
    pending: Identity | None = None
    first_seen: int = 0
    changed: int = 0
    verified: int = 0
    engaged: bool = False
    rebuilt: int = 0

    @property
    def trust(self) -> Trust | None:
        """None before any key is known."""
        if self.identity is None:
            return None
        if self.pending is not None:
            return Trust.CHANGED
        return Trust.VERIFIED if self.verified else Trust.NEW

    @property
    def shown(self) -> Identity | None:
        """The identity that fingerprints and safety numbers are of: the one to decide on."""
        return self.pending or self.identity


_COLUMNS = (
    "user_id, account_key, manifest, counter, pending_key, pending_manifest, pending_counter,"
    " first_seen, changed, verified, engaged, rebuilt"
)


def get(db: apsw.Connection, user_id: UserId) -> Contact:
    """The contact, empty if nothing is known."""
    query = f"SELECT {_COLUMNS} FROM contacts WHERE user_id = ?"  # noqa: S608 - constant columns
    row = db.execute(query, (user_id,)).fetchone()
    return Contact(user_id) if row is None else _contact(row)


def everybody(db: apsw.Connection) -> list[Contact]:
    """All contacts by name."""
    query = f"SELECT {_COLUMNS} FROM contacts ORDER BY user_id"  # noqa: S608 - constant columns
    return [_contact(row) for row in db.execute(query)]


def put(db: apsw.Connection, contact: Contact) -> None:
    """Store every field of a contact."""
    query = f"INSERT OR REPLACE INTO contacts ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constant columns
    db.execute(
        query,
        (
            contact.user_id,
            *_row(contact.identity),
            *_row(contact.pending),
            contact.first_seen,
            contact.changed,
            contact.verified,
            int(contact.engaged),
            contact.rebuilt,
        ),
    )


def engage(db: apsw.Connection, user_id: UserId) -> None:
    """We wrote to them or opened the conversation: from now on they may get receipts."""
    db.execute(
        "INSERT INTO contacts (user_id, engaged) VALUES (?, 1)"
        " ON CONFLICT (user_id) DO UPDATE SET engaged = 1",
        (user_id,),
    )


def _row(identity: Identity | None) -> tuple[bytes | None, bytes | None, int]:
    if identity is None:
        return None, None, 0
    return bytes(identity.account_key), bytes(identity.manifest_bytes), identity.counter


def _identity(key: bytes | None, manifest: bytes | None, counter: int) -> Identity | None:
    if key is None or manifest is None:
        return None
    return Identity(AccountKey(key), ManifestBytes(manifest), counter)


def _contact(row: tuple[Any, ...]) -> Contact:
    user_id, key, manifest, counter, pending, pending_manifest, pending_counter, *rest = row
    first_seen, changed, verified, engaged, rebuilt = rest
    return Contact(
        UserId(user_id),
        _identity(key, manifest, counter),
        _identity(pending, pending_manifest, pending_counter),
        first_seen,
        changed,
        verified,
        bool(engaged),
        rebuilt,
    )
