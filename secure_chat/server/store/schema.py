"""Every table and column that the server keeps, and why (see also SECURITY.md).

The migrations create these; a test compares both. Times are milliseconds since 1970, sizes bytes.
Nothing here can be decrypted by the server, and nothing says from where somebody connected.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

facts = Table(
    "facts",  # what the server must remember of itself: its id
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),  # never the token itself
    Column("label", String(200), nullable=False),
    Column("uses", Integer, nullable=False),
    Column("used", Integer, nullable=False, server_default="0"),
    Column("expires", BigInteger),
    Column("revoked", Boolean, nullable=False, server_default=false()),
    sqlite_autoincrement=True,
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("user_id", String(32), nullable=False, unique=True),  # canonical, lower case
    Column("skeleton", String(64), nullable=False, unique=True),  # equal for look-alike names
    Column("account_key", LargeBinary(32), nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("manifest_signature", LargeBinary(64), nullable=False),
    Column("manifest_counter", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    sqlite_autoincrement=True,  # the id of a deleted account never comes back
)

reserved_names = Table(
    "reserved_names",  # of deleted accounts: nobody takes such a name until the operator frees it
    metadata,
    Column("user_id", String(32), primary_key=True),
    Column("skeleton", String(64), nullable=False, unique=True),
)

devices = Table(
    "devices",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("name", String(32), nullable=False),
    Column("signing_key", LargeBinary(32), nullable=False),
    Column("revoked", Boolean, nullable=False, server_default=false()),  # left the manifest
    Column("reserved", BigInteger, nullable=False, server_default="0"),  # sequences up to here
    Column("acked", BigInteger, nullable=False, server_default="0"),
    Column("key_version", BigInteger, nullable=False, server_default="0"),
    Column("signed_prekey_id", BigInteger),
    Column("signed_prekey", LargeBinary(32)),
    Column("signed_prekey_expires", BigInteger),
    Column("signed_prekey_signature", LargeBinary(64)),
    Column("last_resort_id", BigInteger),
    Column("last_resort", LargeBinary(1568)),
    Column("last_resort_expires", BigInteger),
    Column("last_resort_signature", LargeBinary(64)),
    UniqueConstraint("account_id", "name"),
    sqlite_autoincrement=True,
)

one_time_keys = Table(
    "one_time_keys",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("key_id", BigInteger, primary_key=True),
    Column("key", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

one_time_kem_keys = Table(
    "one_time_kem_keys",
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("key_id", BigInteger, primary_key=True),
    Column("key", LargeBinary(1568), nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
)

bodies = Table(
    "bodies",  # an opaque payload, kept once however many devices wait for it
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("copies", Integer, nullable=False),  # deliveries that still need it
    Column("body", LargeBinary, nullable=False),
)

deliveries = Table(
    "deliveries",  # one line of one device's mailbox; gone once acknowledged
    metadata,
    Column("device_id", ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("body_id", BigInteger, nullable=False),  # no foreign key: it would scan on each delete
    Column("delivery_id", LargeBinary(16), nullable=False),
    Column("sender", String(65), nullable=False),  # user_id/device, stamped by the server
    Column("time", BigInteger, nullable=False),
    # the same moment by the server's own count (steady.py), for the retention
    Column("since", BigInteger, nullable=False, server_default="0"),
    Column("size", Integer, nullable=False),
    UniqueConstraint("device_id", "sender", "delivery_id"),
    sqlite_with_rowid=False,  # a mailbox lies in order of sequence
)

uploads = Table(
    "uploads",  # blobs by who brought them; the bytes lie in files (see blobs.py)
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("whole", Boolean, nullable=False),  # else it is still coming
    Column("time", BigInteger, nullable=False),  # of the last time that it was begun or whole
    UniqueConstraint("account_id", "sha256"),
    Index("ix_uploads_sha256", "sha256"),
    Index("ix_uploads_time", "time"),
    sqlite_autoincrement=True,
)
