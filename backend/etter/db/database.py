"""Database work off the event loop: as many threads as the pool has connections."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from sqlalchemy import Engine, Select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from etter.db.streams import Batch, Feed, StreamBounds, StreamPlaces
from etter.errors import ConflictError, DatabaseError, DatabaseTimeoutError, UnavailableError
from etter.workers import Workers

T = TypeVar("T")
STREAM_ROWS = 1000
_IDLE_FOR = text("SELECT set_config('idle_in_transaction_session_timeout', :milliseconds, true)")
_QUERY_CANCELED = "57014"  # PostgreSQL appendix A: query_canceled, sent when statement_timeout strikes
_CONFLICTS = {  # integrity constraint violations that a caller can cause
    "23503": "Something that this refers to does not exist, or is still in use",
    "23505": "Something with the same unique value exists already",
}


class Database:
    """Runs functions of a session in worker threads; one thread never waits for another's connection."""

    def __init__(
        self, engine: Engine, *, workers: int, wait_seconds: float, max_waiting: int, streams: StreamBounds
    ) -> None:
        self.engine = engine
        self._writer = engine.execution_options(isolation_level="READ COMMITTED")
        self._workers = Workers(
            "etter-db",
            threads=workers,
            wait_seconds=wait_seconds,
            max_waiting=max_waiting,
            busy="All database connections are busy",
        )
        self._streams = streams
        self._places = StreamPlaces(streams)

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        return self._workers.waiting

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` without a transaction: each statement sees what is committed, and no BEGIN is sent."""
        return await self._run(lambda: self._read(work))

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction, committed when it returns, rolled back when it raises."""
        return await self._run(lambda: self._write(work))

    async def ping(self) -> None:
        """Ask the database for a sign of life."""
        await self.read(lambda session: session.execute(text("SELECT 1")).scalar_one())

    async def stream(self, statement: Select[Any], owner: int) -> AsyncGenerator[Batch, None]:
        """Yield the rows in batches from a server-side cursor; at most two batches wait in memory.

        Few streams run at a time, so that long exports never take the connections of short requests, and fewer of one
        owner, so that a company cannot take the places of all. Raises UnavailableError where there is no place.
        """
        with self._places.take(owner):
            feed = Feed(asyncio.get_running_loop())
            future = await self._workers.submit(lambda: self._produce(statement, feed))
            try:
                while (batch := await feed.take()) is not None:
                    yield batch
                await self._outcome(asyncio.wrap_future(future))
            finally:
                feed.stop()

    def close(self) -> None:
        """Wait for running work and give the connections back."""
        self._workers.close()
        self.engine.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        with Session(self.engine, autoflush=False) as session:
            return work(session)

    def _write(self, work: Callable[[Session], T]) -> T:
        with Session(self._writer) as session, session.begin():
            return work(session)

    def _produce(self, statement: Select[Any], feed: Feed) -> None:
        try:
            # A server-side cursor lives in a transaction. Whatever became of us, PostgreSQL ends one that lies idle.
            with self._writer.connect() as connection:
                connection.execute(_IDLE_FOR, {"milliseconds": str(round(self._streams.seconds * 1000))})
                rows = connection.execution_options(stream_results=True, yield_per=STREAM_ROWS).execute(statement)
                for batch in rows.partitions():
                    if not feed.put(batch):
                        return
        finally:
            feed.put(None)

    async def _run(self, work: Callable[[], T]) -> T:
        return await self._outcome(asyncio.wrap_future(await self._workers.submit(work)))

    async def _outcome(self, future: "asyncio.Future[T]") -> T:
        try:
            return await future
        except PoolTimeoutError:
            raise self._workers.exhausted() from None
        except DBAPIError as error:
            raise _translate(error) from error


def _translate(error: DBAPIError) -> Exception:
    code = getattr(error.orig, "pgcode", None)
    if code in _CONFLICTS:
        return ConflictError(_CONFLICTS[code])
    if code == _QUERY_CANCELED:
        return DatabaseTimeoutError("The database took longer than the statement timeout allows")
    if error.connection_invalidated or (isinstance(error, OperationalError) and code is None):
        return UnavailableError("The database cannot be reached", retry_after_seconds=1)
    if code is not None and code.startswith(("08", "57P", "53")):  # connection, shutdown, resources
        return UnavailableError("The database is not ready", retry_after_seconds=1)
    return DatabaseError("The database refused the statement")
