"""Rows of prekeys and sessions: what opens the messages of others."""

import enum

import apsw
from msgspec import Struct

from secure_chat.crypto.keys import KemPrivate, PrekeyPrivate
from secure_chat.protocol.addresses import DeviceAddress, DeviceName, UserId
from secure_chat.protocol.wiretypes import AccountKey


class Kind(enum.StrEnum):
    """What a prekey is for."""

    SIGNED = "signed"
    LAST_RESORT = "last_resort"
    ONE_TIME = "one_time"
    ONE_TIME_KEM = "one_time_kem"


def add_prekey(db: apsw.Connection, kind: Kind, key_id: int, secret: bytes, public: bytes) -> None:
    """Keep a private part; ``public`` is the encoded form that is published."""
    db.execute(
        "INSERT INTO prekeys (id, kind, secret, public) VALUES (?, ?, ?, ?)",
        (key_id, kind.value, secret, public),
    )


def newest_public(db: apsw.Connection, kind: Kind) -> bytes | None:
    """The published form of the current key of a kind."""
    row = db.execute(
        "SELECT public FROM prekeys WHERE kind = ? AND retired = 0 ORDER BY id DESC LIMIT 1",
        (kind.value,),
    ).fetchone()
    return None if row is None else row[0]


def retire_signed(db: apsw.Connection, now_ms: int) -> None:
    """Others replace the signed and last-resort keys; late messages may still need these."""
    db.execute(
        "UPDATE prekeys SET retired = ? WHERE retired = 0 AND kind IN ('signed', 'last_resort')",
        (now_ms,),
    )


def purge_prekeys(db: apsw.Connection, retired_before_ms: int) -> None:
    """Delete what no message in a mailbox can need any more."""
    db.execute("DELETE FROM prekeys WHERE retired > 0 AND retired < ?", (retired_before_ms,))


def trim_one_time(db: apsw.Connection, kind: Kind, most: int) -> None:
    """Keep the newest one-time keys: a server that asks for ever more cannot fill the disk."""
    db.execute(
        "DELETE FROM prekeys WHERE kind = ? AND id NOT IN"
        " (SELECT id FROM prekeys WHERE kind = ? ORDER BY id DESC LIMIT ?)",
        (kind.value, kind.value, most),
    )


def drop_prekeys(db: apsw.Connection) -> None:
    """A restored vault must use none of its old prekeys again."""
    db.execute("DELETE FROM prekeys")


def drop_used(db: apsw.Connection, key_id: int) -> None:
    """A one-time key opened its message. Signed and last-resort keys stay."""
    db.execute(
        "DELETE FROM prekeys WHERE id = ? AND kind IN ('one_time', 'one_time_kem')", (key_id,)
    )


class VaultPrekeys(Struct, frozen=True):
    """The `PrekeySource` of crypto over one transaction."""

    db: apsw.Connection

    def signed(self, key_id: int) -> PrekeyPrivate | None:
        """A signed prekey, current or retired."""
        secret = self._secret(key_id, Kind.SIGNED)
        return None if secret is None else PrekeyPrivate(secret)

    def one_time(self, key_id: int) -> PrekeyPrivate | None:
        """A one-time X25519 key that was not used yet."""
        secret = self._secret(key_id, Kind.ONE_TIME)
        return None if secret is None else PrekeyPrivate(secret)

    def kem(self, key_id: int) -> KemPrivate | None:
        """An ML-KEM key, one-time or last-resort."""
        secret = self._secret(key_id, Kind.ONE_TIME_KEM) or self._secret(key_id, Kind.LAST_RESORT)
        return None if secret is None else KemPrivate(secret)

    def _secret(self, key_id: int, kind: Kind) -> bytes | None:
        row = self.db.execute(
            "SELECT secret FROM prekeys WHERE id = ? AND kind = ?", (key_id, kind.value)
        ).fetchone()
        return None if row is None else row[0]


class SessionName(Struct, frozen=True):
    """Whose sessions: a device under one account key."""

    address: DeviceAddress
    account_key: AccountKey


def session(db: apsw.Connection, name: SessionName) -> bytes | None:
    """The stored sessions with a device, if there are any."""
    row = db.execute(
        "SELECT state FROM sessions WHERE user_id = ? AND device = ? AND account_key = ?",
        _key(name),
    ).fetchone()
    return None if row is None else row[0]


def save_session(db: apsw.Connection, name: SessionName, state: bytes) -> None:
    """Store the sessions with a device over the ones before."""
    db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)", (*_key(name), state))


def drop_session(db: apsw.Connection, name: SessionName) -> None:
    """Forget the sessions with a device."""
    db.execute(
        "DELETE FROM sessions WHERE user_id = ? AND device = ? AND account_key = ?", _key(name)
    )


def drop_sessions_but(db: apsw.Connection, user_id: UserId, account_key: AccountKey) -> None:
    """Forget the sessions with every other identity of a contact."""
    db.execute(
        "DELETE FROM sessions WHERE user_id = ? AND account_key <> ?", (user_id, bytes(account_key))
    )


def session_names(db: apsw.Connection, first: UserId | None) -> list[SessionName]:
    """All stored sessions, those with ``first`` in front."""
    rows = db.execute(
        "SELECT user_id, device, account_key FROM sessions ORDER BY user_id IS NOT ?, user_id",
        (first,),
    )
    return [
        SessionName(DeviceAddress(UserId(user_id), DeviceName(device)), AccountKey(key))
        for user_id, device, key in rows
    ]


def _key(name: SessionName) -> tuple[str, str, bytes]:
    return name.address.user_id, name.address.device, bytes(name.account_key)


def was_seen(db: apsw.Connection, delivery_id: bytes) -> bytes | None:
    """The digest of the body that came under this delivery id, if one did."""
    row = db.execute("SELECT digest FROM seen WHERE delivery_id = ?", (delivery_id,)).fetchone()
    return None if row is None else row[0]


def mark_seen(db: apsw.Connection, delivery_id: bytes, digest: bytes, now_ms: int) -> None:
    """Remember a delivery that was handled."""
    db.execute("INSERT INTO seen VALUES (?, ?, ?)", (bytes(delivery_id), digest, now_ms))


def purge_seen(db: apsw.Connection, before_ms: int) -> None:
    """Forget deliveries that no mailbox holds any more."""
    db.execute("DELETE FROM seen WHERE time < ?", (before_ms,))
