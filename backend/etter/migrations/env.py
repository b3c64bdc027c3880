"""Alembic's entry: runs the revisions on the connection that etter.migrate hands over."""

from alembic import context
from sqlalchemy import Connection

from etter.db.tables import Base

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
