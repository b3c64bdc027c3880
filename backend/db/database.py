"""Database work off the event loop: as many threads as the pool has connections, and a bounded queue."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from backend.errors import ConflictError, DatabaseError, DatabaseTimeoutError, UnavailableError

T = TypeVar("T")
_QUERY_CANCELED = "57014"  # PostgreSQL appendix A: query_canceled, sent when statement_timeout strikes


_CONFLICTS = {  # integrity constraint violations that a caller can cause
    "23503": "Something that this refers to does not exist, or is still in use",
    "23505": "Something with the same unique value exists already",
}


class Database:
    """Runs functions of a session in worker threads; one thread never waits for another's connection."""

    def __init__(self, engine: Engine, *, workers: int, wait_seconds: float, max_waiting: int) -> None:
        self.engine = engine
        self.workers = workers
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="etter-db")
        self._slots = asyncio.Semaphore(workers)
        self._wait_seconds = wait_seconds
        self._max_waiting = max_waiting
        self.waiting = 0

    async def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` without a transaction: each statement sees what is committed, and no BEGIN is sent."""
        return await self._run(lambda: self._read(work))

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run `work` in one transaction, committed when it returns, rolled back when it raises."""
        return await self._run(lambda: self._write(work))

    async def connectionless(self, work: Callable[[], T]) -> T:
        """Run blocking work that manages its own connection, within the same bound."""
        return await self._run(work)

    def close(self) -> None:
        """Wait for running work and give the connections back."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self.engine.dispose()

    def _read(self, work: Callable[[Session], T]) -> T:
        with Session(self._reader, autoflush=False) as session:
            return work(session)

    def _write(self, work: Callable[[Session], T]) -> T:
        with Session(self.engine) as session, session.begin():
            return work(session)

    async def _run(self, work: Callable[[], T]) -> T:
        await self._take_slot()
        loop = asyncio.get_running_loop()
        try:
            future: Future[T] = self._executor.submit(contextvars.copy_context().run, work)
        except RuntimeError:
            self._slots.release()
            msg = "The service is stopping"
            raise UnavailableError(msg, retry_after_seconds=1) from None
        # Released when the thread is done, not when its caller stops waiting: a cancelled request still
        # holds its connection until PostgreSQL answers.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._slots.release))
        try:
            return await asyncio.wrap_future(future)
        except PoolTimeoutError:
            raise _exhausted() from None
        except DBAPIError as error:
            raise _translate(error) from error

    async def _take_slot(self) -> None:
        if self.waiting >= self._max_waiting:
            raise _exhausted()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise _exhausted() from None
        finally:
            self.waiting -= 1


def _exhausted() -> UnavailableError:
    return UnavailableError("All database connections are busy", retry_after_seconds=1)


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
