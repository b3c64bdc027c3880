"""Advisory locks, by which processes that start at the same time take turns."""

import time

from sqlalchemy import Connection, text

_POLL_SECONDS = 0.2


class LockTimeoutError(RuntimeError):
    """Another process has held the lock for longer than we wait."""


def take_lock(connection: Connection, key: int, wait_seconds: float) -> None:
    """Take the session's advisory lock `key`. Raises LockTimeoutError.

    It is asked for again and again rather than waited for: a statement that waits for a lock holds a snapshot, and
    CREATE INDEX CONCURRENTLY in the process that has the lock waits for all snapshots: a deadlock.
    """
    for _ in range(max(1, round(wait_seconds / _POLL_SECONDS))):
        taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one()
        connection.commit()  # between attempts no snapshot is held
        if taken:
            return
        time.sleep(_POLL_SECONDS)
    msg = f"another process has been at work for {wait_seconds:.0f} s"
    raise LockTimeoutError(msg)
