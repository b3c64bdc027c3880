"""Create what is missing, repair what was left half built, and leave the rest alone."""

import time
from collections.abc import Callable

from sqlalchemy import Connection, Engine, text

from etter.indexes.files import Index, Wanted

LOCK = 0x457474657203
_POLL_SECONDS = 0.2

Report = Callable[[str], object]


class LockTimeoutError(RuntimeError):
    """Another process has been building indexes for longer than we wait."""


def apply_indexes(engine: Engine, wanted: Wanted, report: Report, *, wait_seconds: float = 600.0) -> int:
    """Bring the database to the wanted indexes without blocking writers; return how many were built."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        _lock(connection, wait_seconds)
        try:
            for extension in wanted.extensions:
                connection.exec_driver_sql(extension.sql)
            return sum(_ensure(connection, index, report) for index in wanted.indexes)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})


def drop_indexes(engine: Engine, wanted: Wanted, report: Report) -> int:
    """Drop the indexes of the files, for comparison; return how many there were."""
    dropped = 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for index in wanted.indexes:
            if _validity(connection, index.name) is not None:
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
                report(f"dropped {index.name}")
                dropped += 1
    return dropped


def _lock(connection: Connection, wait_seconds: float) -> None:
    # Asked for again and again rather than waited for: a statement that waits for a lock holds a snapshot, and
    # CREATE INDEX CONCURRENTLY in the process that has the lock waits for all snapshots: a deadlock.
    attempts = max(1, round(wait_seconds / _POLL_SECONDS))
    for _ in range(attempts):
        if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar_one():
            return
        time.sleep(_POLL_SECONDS)
    msg = f"another process has been building indexes for {wait_seconds:.0f} s"
    raise LockTimeoutError(msg)


def _ensure(connection: Connection, index: Index, report: Report) -> bool:
    valid = _validity(connection, index.name)
    if valid is True:
        return False
    if valid is False:
        # A concurrent build that failed or was interrupted leaves an index that costs and never serves.
        report(f"repairing {index.name}: an earlier build was not finished")
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
    connection.exec_driver_sql(index.sql.replace("%", "%%"))
    report(f"built {index.name} on {index.table}")
    return True


def _validity(connection: Connection, name: str) -> bool | None:
    statement = text("SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass(:name)")
    found: bool | None = connection.execute(statement, {"name": name}).scalar_one_or_none()
    return found
