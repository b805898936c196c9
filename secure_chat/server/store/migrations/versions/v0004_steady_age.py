"""Deliveries grow old by the server's own count of time, not by the machine's clock."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """The count begins as the machine's time, so what waits keeps its age."""
    op.add_column(
        "deliveries", sa.Column("since", sa.BigInteger, nullable=False, server_default="0")
    )
    op.execute("UPDATE deliveries SET since = time")


def downgrade() -> None:
    """See `secure_chat.server.store.database.migrate`: nothing goes back."""
    raise NotImplementedError("restore the backup of the older version instead")
