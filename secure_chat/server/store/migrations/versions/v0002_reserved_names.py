"""Names of deleted accounts stay reserved until the operator frees them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    """Create the table of reserved names."""
    op.create_table(
        "reserved_names",
        sa.Column("user_id", sa.String(32), nullable=False),
        sa.Column("skeleton", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_reserved_names"),
        sa.UniqueConstraint("skeleton", name="uq_reserved_names_skeleton"),
    )


def downgrade() -> None:
    """See `secure_chat.server.store.database.migrate`: nothing goes back."""
    raise NotImplementedError("restore the backup of the older version instead")
