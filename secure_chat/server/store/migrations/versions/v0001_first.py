"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Create everything."""
    _server()
    _people()
    _keys()
    _mail()


def downgrade() -> None:
    """Nothing lies before the first schema."""
    raise NotImplementedError("there is no older schema")


def _server() -> None:
    op.create_table(
        "facts",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_facts"),
    )
    op.create_table(
        "invites",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False, server_default="0"),
        sa.Column("expires", sa.BigInteger),
        sa.Column("revoked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_invites"),
        sa.UniqueConstraint("token_hash", name="uq_invites_token_hash"),
        sqlite_autoincrement=True,
    )


def _people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("skeleton", sa.String(64), nullable=False),
        sa.Column("account_key", sa.LargeBinary(32), nullable=False),
        sa.Column("manifest", sa.LargeBinary, nullable=False),
        sa.Column("manifest_signature", sa.LargeBinary(64), nullable=False),
        sa.Column("manifest_counter", sa.BigInteger, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("user_id", name="uq_accounts_user_id"),
        sa.UniqueConstraint("skeleton", name="uq_accounts_skeleton"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("signing_key", sa.LargeBinary(32), nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("acked", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("key_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("signed_prekey_id", sa.BigInteger),
        sa.Column("signed_prekey", sa.LargeBinary(32)),
        sa.Column("signed_prekey_expires", sa.BigInteger),
        sa.Column("signed_prekey_signature", sa.LargeBinary(64)),
        sa.Column("last_resort_id", sa.BigInteger),
        sa.Column("last_resort", sa.LargeBinary(1568)),
        sa.Column("last_resort_expires", sa.BigInteger),
        sa.Column("last_resort_signature", sa.LargeBinary(64)),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        _owner("devices", "account_id", "accounts.id"),
        sa.UniqueConstraint("account_id", "name", name="uq_devices_account_id_name"),
        sqlite_autoincrement=True,
    )


def _keys() -> None:
    op.create_table(
        "one_time_keys",
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("key_id", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary(32), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "key_id", name="pk_one_time_keys"),
        _owner("one_time_keys", "device_id", "devices.id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "one_time_kem_keys",
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("key_id", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary(1568), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("signature", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "key_id", name="pk_one_time_kem_keys"),
        _owner("one_time_kem_keys", "device_id", "devices.id"),
    )


def _mail() -> None:
    op.create_table(
        "bodies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("copies", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bodies"),
    )
    op.create_table(
        "deliveries",
        sa.Column("device_id", sa.Integer, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("body_id", sa.BigInteger, nullable=False),
        sa.Column("delivery_id", sa.LargeBinary(16), nullable=False),
        sa.Column("sender", sa.String(65), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "seq", name="pk_deliveries"),
        _owner("deliveries", "device_id", "devices.id"),
        sa.UniqueConstraint(
            "device_id",
            "sender",
            "delivery_id",
            name="uq_deliveries_device_id_sender_delivery_id",
        ),
        sqlite_with_rowid=False,
    )


def _owner(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [target], name=f"fk_{table}_{column}", ondelete="CASCADE"
    )
