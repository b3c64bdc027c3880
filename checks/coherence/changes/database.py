"""A few connections to PostgreSQL, each used by one thread at a time and opened again after any failure."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import psycopg2
from psycopg2 import extensions

DOWN = (psycopg2.OperationalError, psycopg2.InterfaceError)
"""PostgreSQL is away, or has gone while it was asked: whether a write was committed is unknown."""

Parameter = int | str
Rows = list[tuple[int, ...]]


class Database:
    """Runs statements in threads, each in a transaction of its own unless several are given."""

    def __init__(self, dsn: str, connections: int) -> None:
        self._dsn = dsn
        self._threads = ThreadPoolExecutor(connections, "database")
        self._idle: SimpleQueue[extensions.connection | None] = SimpleQueue()
        for _ in range(connections):
            self._idle.put(None)

    async def run(self, statement: str, *parameters: Parameter) -> Rows:
        """One statement, committed; its rows. Raises one of DOWN."""
        return await self.transaction((statement, parameters))

    async def transaction(self, *statements: tuple[str, tuple[Parameter, ...]]) -> Rows:
        """Several statements, committed together; the rows of the last. Raises one of DOWN."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.run_now, statements)

    def run_now(self, statements: tuple[tuple[str, tuple[Parameter, ...]], ...]) -> Rows:
        """As `transaction`, in this thread."""
        connection = self._idle.get()
        try:
            if connection is None:
                connection = psycopg2.connect(self._dsn, connect_timeout=3)
            with connection, connection.cursor() as cursor:
                for statement, parameters in statements:
                    cursor.execute(statement, parameters or None)
                rows: Rows = [] if cursor.description is None else cursor.fetchall()
        except BaseException:
            if connection is not None:
                connection.close()
            connection = None
            raise
        finally:
            self._idle.put(connection)
        return rows

    def close(self) -> None:
        """Close what is open."""
        self._threads.shutdown()
        while not self._idle.empty():
            if (connection := self._idle.get()) is not None:
                connection.close()
