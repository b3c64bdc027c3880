"""Alembic's entry: runs on the connection that etter.migrate hands over, or for `alembic` itself on DATABASE_URL."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.schema import SchemaItem

from etter.db.engine import plain_engine
from etter.db.tables import Base
from etter.settings import load_settings


def include(_item: SchemaItem, _name: str | None, kind: str, reflected: bool, compared: SchemaItem | None) -> bool:
    """Leave out indexes that the classes do not have: they are those of `indexes/`, which come and go by themselves."""
    return not (kind == "index" and reflected and compared is None)


@contextmanager
def connected() -> Iterator[Connection]:
    """The connection to run on."""
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        yield given
        return
    with plain_engine(load_settings(os.environ).database_url).connect() as connection:
        yield connection


with connected() as one:
    context.configure(
        connection=one, target_metadata=Base.metadata, transaction_per_migration=True, include_object=include
    )
    with context.begin_transaction():
        context.run_migrations()
