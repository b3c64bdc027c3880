"""The engine: psycopg2 behind a QueuePool, with the session settings that every connection starts with."""

import logging
import time
from typing import Protocol

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.pool import NullPool, QueuePool

from etter.db.record import RequestRecord, current_record
from etter.settings import Settings

log = logging.getLogger("etter.sql")
_STARTED = "etter_query_started"


class QueryObserver(Protocol):
    """Whoever wants to hear how long each statement took."""

    def query_finished(self, seconds: float, *, slow: bool) -> None:
        """Take note of one executed statement."""


def sync_url(text: str) -> URL:
    """Name the driver: since SQLAlchemy 2.1 a bare `postgresql://` would mean psycopg 3."""
    return make_url(text).set(drivername="postgresql+psycopg2")


def make_engine(settings: Settings, observer: QueryObserver | None = None) -> Engine:
    """Build the pooled engine. No connection is made before the first use."""
    engine = create_engine(
        sync_url(settings.database_url),
        poolclass=QueuePool,
        pool_size=settings.db_pool_size,
        max_overflow=settings.db_max_overflow,
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=int(settings.db_pool_recycle) or 1,
        pool_pre_ping=True,
        # A failed statement's values are people's data: they belong neither into a log nor into error tracking.
        hide_parameters=True,
        # Reads need no BEGIN, and changing a connection's mode costs a round trip: autocommit is the resting state,
        # and only writes leave it (see Database), for READ COMMITTED.
        isolation_level="AUTOCOMMIT",
        connect_args={
            "connect_timeout": settings.db_connect_timeout,
            "application_name": settings.db_application_name,
            "options": f"-c statement_timeout={round(settings.db_query_timeout * 1000)} -c timezone=UTC -c jit=off "
            "-c default_transaction_isolation=read\\ committed",
        },
    )
    _listen(engine, settings.slow_query_seconds, observer)
    return engine


def plain_engine(database_url: str) -> Engine:
    """Make an engine for commands: no pool, no statement timeout."""
    return create_engine(sync_url(database_url), poolclass=NullPool, connect_args={"connect_timeout": 10})


def _listen(engine: Engine, slow_seconds: float, observer: QueryObserver | None) -> None:
    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def before(
        connection: Connection,
        _cursor: DBAPICursor,
        statement: str,
        parameters: object,
        _context: ExecutionContext | None,
        _many: bool,
    ) -> tuple[str, object]:
        connection.info[_STARTED] = time.perf_counter()
        return _with_comment(statement, current_record.get()), parameters

    @event.listens_for(engine, "after_cursor_execute")
    def after(
        connection: Connection,
        _cursor: DBAPICursor,
        statement: str,
        _parameters: object,
        _context: ExecutionContext | None,
        _many: bool,
    ) -> None:
        seconds = time.perf_counter() - connection.info.pop(_STARTED)
        record = current_record.get()
        if record is not None:
            record.queries += 1
            record.database_seconds += seconds
        slow = seconds >= slow_seconds
        if slow:
            log.warning(
                "slow query",
                extra={
                    "request_id": record.request_id if record else None,
                    "seconds": round(seconds, 4),
                    "statement": statement[:2000],
                },
            )
        if observer is not None:
            observer.query_finished(seconds, slow=slow)


def _with_comment(statement: str, record: RequestRecord | None) -> str:
    """Append who asked, sqlcommenter style. Request IDs are validated: nothing in them needs escaping."""
    if record is None:
        return statement
    return f"{statement} /*request_id='{record.request_id}',route='{record.route}'*/"
