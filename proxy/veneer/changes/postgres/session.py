"""One connection to PostgreSQL on the event loop: nothing here blocks it, and nothing goes on that was given up.

psycopg2's asynchronous connections are polled when their socket is ready. Only making one takes a thread, as
libpq asks for the host's address there. The times are for a database that is near: whoever follows changes gives a
connection up and makes another one sooner than a client's program would.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

import psycopg2
from psycopg2 import extensions, extras

from veneer.changes.postgres.errors import source_error
from veneer.ports.changes import SourceError

CONNECT_S: Final = 5.0
QUERY_S: Final = 5.0

_NETWORK: Final = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
"""A host that is gone without a word is noticed after twenty seconds (milliseconds for the last)."""

SETTINGS: Final = """
    SELECT set_config('datestyle', 'ISO', false), set_config('intervalstyle', 'postgres', false),
           set_config('timezone', 'UTC', false), set_config('extra_float_digits', '3', false),
           set_config('synchronous_commit', 'local', false)"""
"""A value has one text, whatever the database's own settings are; heartbeats do not wait for standbys."""

Found = tuple[object, ...]
Values = tuple[object, ...] | dict[str, object]
C = TypeVar("C", bound=extensions.connection)


class Session:
    """A connection that has been made. One statement at a time."""

    def __init__(self, connection: extensions.connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, dsn: str, name: str) -> Session:
        """Connect. Raises SourceError."""
        session = cls(await connected(dsn, name, extensions.connection))
        try:
            await session.query(SETTINGS)
        except BaseException:
            session.close()
            raise
        return session

    @property
    def closed(self) -> bool:
        """Whether it can be used no more."""
        return bool(self._connection.closed)

    async def query(self, sql: str, values: Values = (), timeout_s: float = QUERY_S) -> list[Found]:
        """The rows of a statement, committed at once. Raises SourceError, after which the connection may be closed."""
        async with self._lock:
            if self.closed:
                raise SourceError("the connection to PostgreSQL is closed")
            cursor = self._connection.cursor()
            done = False
            try:
                cursor.execute(sql, values or None)
                await polled(self._connection, timeout_s)
                done = True
                return cursor.fetchall() if cursor.description is not None else []
            except psycopg2.Error as error:
                done = error.pgcode is not None and not self.closed
                raise source_error(error, "asking PostgreSQL") from error
            except TimeoutError as error:
                msg = f"PostgreSQL has not answered for {timeout_s:g} s"
                raise SourceError(msg) from error
            finally:
                if not done:  # nobody would read the rest of the answer
                    self.close()

    def close(self) -> None:
        """Leave; idempotent. What is being asked is given up."""
        with suppress(psycopg2.Error):
            self._connection.close()


async def connected(dsn: str, name: str, kind: type[C]) -> C:
    """A connection of psycopg2's `kind`, made within CONNECT_S. Raises SourceError."""
    try:
        given = extensions.parse_dsn(dsn)
        preset = {key: value for key, value in _NETWORK.items() if key not in given}
        named = {"application_name": given.get("application_name", f"veneer {name}"), "client_encoding": "UTF8"}
        whole = extensions.make_dsn(dsn, **preset, **named)
    except psycopg2.Error as error:
        raise SourceError("the dsn of the source is none that libpq can read", lasting=True) from error
    loop = asyncio.get_running_loop()
    begun = loop.run_in_executor(None, lambda: psycopg2.connect(whole, connection_factory=kind, async_=True))
    try:
        async with asyncio.timeout(CONNECT_S):
            connection = await asyncio.shield(begun)
    except BaseException as error:
        begun.add_done_callback(_close_late)
        raise _not_made(error) from error
    try:
        await polled(connection, CONNECT_S)
    except BaseException as error:
        with suppress(psycopg2.Error):
            connection.close()
        raise _not_made(error) from error
    return connection


def _not_made(error: BaseException) -> BaseException:
    if isinstance(error, psycopg2.Error):
        return source_error(error, "connecting to PostgreSQL")
    if isinstance(error, TimeoutError):
        return SourceError(f"PostgreSQL has not answered for {CONNECT_S:g} s")
    return error


def _close_late(begun: asyncio.Future[C]) -> None:
    """What nobody waits for any more."""
    if not begun.cancelled() and begun.exception() is None:
        with suppress(psycopg2.Error):
            begun.result().close()


async def polled(connection: extensions.connection, timeout_s: float) -> None:
    """Wait until what was begun on an asynchronous connection is done. Raises psycopg2.Error and TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while (state := connection.poll()) != extensions.POLL_OK:
            await _ready(connection.fileno(), writing=state == extensions.POLL_WRITE)


async def _ready(descriptor: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    if writing:
        loop.add_writer(descriptor, wake)
    else:
        loop.add_reader(descriptor, wake)
    try:
        await ready
    finally:
        if writing:
            loop.remove_writer(descriptor)
        else:
            loop.remove_reader(descriptor)


@dataclass(frozen=True, slots=True)
class Replication:
    """A connection on which changes come; `database` is its cluster and how often another server has taken it over."""

    connection: extras.LogicalReplicationConnection
    cursor: extras.ReplicationCursor
    database: str


async def replicating(dsn: str, name: str, slot: str, options: dict[str, str]) -> Replication:
    """A connection on which a slot's changes come from where it was confirmed last.

    Raises SourceError if it cannot be made, and psycopg2.Error where the slot cannot be read.
    """
    connection = await connected(dsn, name, extras.LogicalReplicationConnection)
    try:
        cursor = connection.cursor()
        cursor.execute(f"{SETTINGS}, set_config('wal_sender_timeout', '10s', false)")
        await polled(connection, QUERY_S)
        cursor.execute("IDENTIFY_SYSTEM")
        await polled(connection, QUERY_S)
        cluster, timeline, *_ = cursor.fetchone() or ("", "")
        cursor.start_replication(slot_name=slot, decode=False, options=options)
        await polled(connection, QUERY_S)
    except TimeoutError as error:
        connection.close()
        msg = f"PostgreSQL has not begun to tell its changes for {QUERY_S:g} s"
        raise SourceError(msg) from error
    except BaseException:
        connection.close()
        raise
    return Replication(connection, cursor, f"{cluster}/{timeline}")
