"""Heartbeats: messages in the write-ahead log that the stream tells again when all before them has been told.

`pg_logical_emit_message` is called in a transaction, so that its commit stands in the log after all that was committed
before it was called, and has the log written to disk: what is not on disk is told to nobody.
"""

from __future__ import annotations

from typing import Final

from veneer.changes.postgres.session import Session

_EMIT: Final = "SELECT pg_logical_emit_message(true, %s, %s)"


def beat_prefix(source: str) -> str:
    """What marks the heartbeats of a source."""
    return f"veneer:{source}"


class Heartbeats:
    """Sends over a connection of its own, which is made anew when it was lost."""

    def __init__(self, dsn: str, source: str, session: Session | None = None) -> None:
        self._dsn = dsn
        self._source = source
        self._session = session
        self._closed = False

    async def send(self, content: str) -> None:
        """Write it. Raises SourceError."""
        session = self._session
        if session is None or session.closed:
            session = self._session = await Session.open(self._dsn, self._source)
            if self._closed:
                session.close()
        await session.query(_EMIT, (beat_prefix(self._source), content))

    async def aclose(self) -> None:
        """Send no more; idempotent."""
        self._closed = True
        if self._session is not None:
            self._session.close()
