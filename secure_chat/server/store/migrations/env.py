"""Run by Alembic: migrates over the connection that `secure_chat.server.store.database` gives."""

from alembic import context

from secure_chat.server.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
