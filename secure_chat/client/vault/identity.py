"""Rows of who we are: account, device, their secrets, and what the server has of us."""

import apsw
from msgspec import Struct

from secure_chat.crypto.identity import LocalDevice
from secure_chat.crypto.keys import (
    AccountSigningKey,
    DeviceDhPrivate,
    DeviceSigningKey,
    MlsSigningKey,
)
from secure_chat.errors import VaultDamaged
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.wiretypes import ManifestBytes, ServerId, Signature


class Standing(Struct, frozen=True):
    """What the vault knows of our registration; see the table ``profile``."""

    register_sent: bool
    registered: bool
    acked: int
    key_version: int
    keys_rotated: int


class Account(Struct, frozen=True):
    """Our own keys."""

    signing: AccountSigningKey
    device: LocalDevice


def create(
    db: apsw.Connection, user_id: UserId, device: DeviceName, link: str, ca_file: str | None
) -> None:
    """The profile's only row."""
    db.execute(
        "INSERT INTO profile (one, user_id, device, link, ca_file) VALUES (1, ?, ?, ?, ?)",
        (user_id, device, link, ca_file),
    )


def whoami(db: apsw.Connection) -> tuple[UserId, DeviceName, str, str | None, ServerId | None]:
    """Account, device, invite link, CA file and server id (None before the first connection)."""
    row = db.execute("SELECT user_id, device, link, ca_file, server_id FROM profile").fetchone()
    if row is None:
        raise VaultDamaged(reason="its profile was never finished")
    user_id, device, link, ca_file, server_id = row
    known = None if server_id is None else ServerId(server_id)
    return UserId(user_id), DeviceName(device), link, ca_file, known


def set_link(db: apsw.Connection, link: str) -> None:
    """Another address, pin or invite of the same server."""
    db.execute("UPDATE profile SET link = ?", (link,))


def save_account(db: apsw.Connection, account: Account) -> None:
    """Keep the keys that were just made for this server."""
    device = account.device
    db.execute(
        "UPDATE profile SET server_id = ?, account_secret = ?, signing_secret = ?, dh_secret = ?,"
        " mls_secret = ?, manifest = ?, manifest_signature = ?",
        (
            bytes(device.server_id),
            account.signing.raw,
            device.signing.raw,
            device.dh.raw,
            device.mls.raw,
            bytes(device.manifest),
            bytes(device.manifest_signature),
        ),
    )


def account(db: apsw.Connection) -> Account | None:
    """Our keys, or None before the first verified connection."""
    row = db.execute(
        "SELECT user_id, device, server_id, account_secret, signing_secret, dh_secret, mls_secret,"
        " manifest, manifest_signature FROM profile"
    ).get
    user_id, device, server_id, secret, signing, dh, mls, manifest, signature = row
    if secret is None:
        return None
    ours = AccountSigningKey(secret)
    local = LocalDevice(
        address=DeviceAddress(UserId(user_id), DeviceName(device)),
        server_id=ServerId(server_id),
        account_key=ours.public,
        signing=DeviceSigningKey(signing),
        dh=DeviceDhPrivate(dh),
        mls=MlsSigningKey(mls),
        manifest=ManifestBytes(manifest),
        manifest_signature=Signature(signature),
    )
    return Account(ours, local)


def standing(db: apsw.Connection) -> Standing:
    """What the server has of us, as far as we know."""
    row = db.execute(
        "SELECT register_sent, registered, acked, key_version, keys_rotated FROM profile"
    ).get
    sent, registered, acked, key_version, rotated = row
    return Standing(bool(sent), bool(registered), acked, key_version, rotated)


def set_register_sent(db: apsw.Connection, *, sent: bool) -> None:
    """Whether a registration may have reached the server: then a login is tried first."""
    db.execute("UPDATE profile SET register_sent = ?", (int(sent),))


def set_registered(db: apsw.Connection) -> None:
    """The server has our account."""
    db.execute("UPDATE profile SET registered = 1")


def set_acked(db: apsw.Connection, seq: int) -> None:
    """Everything up to ``seq`` is safe here; it only grows."""
    db.execute("UPDATE profile SET acked = max(acked, ?)", (seq,))


def set_key_version(db: apsw.Connection, version: int) -> None:
    """The prekey set with this version was made."""
    db.execute("UPDATE profile SET key_version = ?", (version,))


def set_keys_rotated(db: apsw.Connection, now_ms: int) -> None:
    """The signed prekeys were made new."""
    db.execute("UPDATE profile SET keys_rotated = ?", (now_ms,))
