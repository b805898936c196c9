"""Accounts, their devices and manifests."""

from msgspec import Struct
from sqlalchemy import Connection, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from secure_chat.errors import Code
from secure_chat.protocol.addresses import DeviceName, UserId, skeleton
from secure_chat.protocol.manifest import Manifest, decode_manifest
from secure_chat.protocol.messages import KemPrekey, SignedPrekey
from secure_chat.protocol.wiretypes import AccountKey, InviteToken, ManifestBytes, Signature
from secure_chat.server.store import departures, invites
from secure_chat.server.store.schema import accounts, devices


class NewAccount(Struct, frozen=True):
    """What a registration stores, checked already; ``invite`` None: none is needed."""

    user_id: UserId
    device: DeviceName
    device_key: bytes
    account_key: AccountKey
    manifest: ManifestBytes
    manifest_signature: Signature
    manifest_counter: int
    signed_prekey: SignedPrekey
    last_resort: KemPrekey
    invite: InviteToken | None


class Published(Struct, frozen=True):
    """An account's key and newest manifest, as they were signed."""

    account_key: AccountKey
    manifest: ManifestBytes
    manifest_signature: Signature
    counter: int

    def decoded(self) -> Manifest:
        """The manifest read; it was checked when it was stored."""
        return decode_manifest(self.manifest)


def register(connection: Connection, new: NewAccount, now_ms: int) -> Code | int:
    """Create an account and use up its invite, or neither: the device's id, or why not."""
    if new.invite is not None and not invites.use(connection, new.invite, now_ms):
        return Code.BAD_INVITE
    if departures.is_reserved(connection, new.user_id, skeleton(new.user_id)):
        if new.invite is not None:
            invites.give_back(connection, new.invite)
        return Code.NAME_TAKEN
    try:
        with connection.begin_nested():
            return _insert(connection, new)
    except (
        IntegrityError
    ):  # user_id or skeleton: of racing registrations exactly one gets here first
        if new.invite is not None:
            invites.give_back(connection, new.invite)
        return Code.NAME_TAKEN


def _insert(connection: Connection, new: NewAccount) -> int:
    account = connection.execute(
        insert(accounts).values(
            user_id=new.user_id,
            skeleton=skeleton(new.user_id),
            account_key=bytes(new.account_key),
            manifest=bytes(new.manifest),
            manifest_signature=bytes(new.manifest_signature),
            manifest_counter=new.manifest_counter,
        )
    ).inserted_primary_key
    assert account is not None
    device = connection.execute(
        insert(devices).values(
            account_id=account[0],
            name=new.device,
            signing_key=bytes(new.device_key),
            **signed_prekey_columns(new.signed_prekey),
            **last_resort_columns(new.last_resort),
        )
    ).inserted_primary_key
    assert device is not None
    return int(device[0])


def signed_prekey_columns(key: SignedPrekey) -> dict[str, int | bytes]:
    """A signed prekey as columns of its device."""
    return {
        "signed_prekey_id": key.id,
        "signed_prekey": bytes(key.key),
        "signed_prekey_expires": key.expires,
        "signed_prekey_signature": bytes(key.signature),
    }


def last_resort_columns(key: KemPrekey) -> dict[str, int | bytes]:
    """A last-resort ML-KEM key as columns of its device."""
    return {
        "last_resort_id": key.id,
        "last_resort": bytes(key.key),
        "last_resort_expires": key.expires,
        "last_resort_signature": bytes(key.signature),
    }


_page = (
    select(accounts.c.user_id)
    .where(accounts.c.user_id > bindparam("after"), accounts.c.disabled.is_(False))
    .order_by(accounts.c.user_id)
    .limit(bindparam("most"))
)
_published = select(
    accounts.c.account_key,
    accounts.c.manifest,
    accounts.c.manifest_signature,
    accounts.c.manifest_counter,
).where(accounts.c.user_id == bindparam("user_id"))


def list_page(connection: Connection, after: str, most: int) -> list[str]:
    """Names in order after ``after``, at most ``most``."""
    return list(connection.execute(_page, {"after": after, "most": most}).scalars())


def count(connection: Connection) -> int:
    """How many accounts there are."""
    return connection.execute(select(func.count()).select_from(accounts)).scalar_one()


def published(connection: Connection, user_id: str) -> Published | None:
    """What an account has published, or None if there is no such account."""
    row = connection.execute(_published, {"user_id": user_id}).one_or_none()
    if row is None:
        return None
    key, manifest, signature, counter = row
    return Published(AccountKey(key), ManifestBytes(manifest), Signature(signature), counter)


class Replacement(Struct, frozen=True):
    """The next manifest of an account, checked as the successor of ``counter`` - 1."""

    user_id: UserId
    manifest: ManifestBytes
    manifest_signature: Signature
    decoded: Manifest


def replace_manifest(connection: Connection, new: Replacement) -> Code | list[str]:
    """Publish a manifest if the one before is still in place; the devices that it leaves out."""
    changed = connection.execute(
        update(accounts)
        .where(
            accounts.c.user_id == new.user_id,
            accounts.c.manifest_counter == new.decoded.counter - 1,
        )
        .values(
            manifest=bytes(new.manifest),
            manifest_signature=bytes(new.manifest_signature),
            manifest_counter=new.decoded.counter,
        )
    )
    if changed.rowcount != 1:
        return Code.MANIFEST_CONFLICT
    account = connection.execute(
        select(accounts.c.id).where(accounts.c.user_id == new.user_id)
    ).scalar_one()
    known = select(devices.c.name, devices.c.id).where(devices.c.account_id == account)
    present: dict[str, int] = {row.name: row.id for row in connection.execute(known)}
    for entry in new.decoded.devices:
        key = bytes(entry.signing_key)
        if entry.name in present:
            connection.execute(
                update(devices)
                .where(devices.c.id == present[entry.name])
                .values(signing_key=key, revoked=False)
            )
        else:
            connection.execute(
                insert(devices).values(account_id=account, name=entry.name, signing_key=key)
            )
    left_out = sorted(set(present) - {entry.name for entry in new.decoded.devices})
    for name in left_out:
        connection.execute(
            update(devices).where(devices.c.id == present[name]).values(revoked=True)
        )
    return left_out
