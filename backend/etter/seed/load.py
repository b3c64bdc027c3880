"""Load a data set: one transaction, COPY, a progress bar."""

import io
from collections.abc import Callable, Iterator

from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812 - a class with a lower-case name
from psycopg2.extensions import cursor as PsycopgCursor  # noqa: N812 - likewise
from sqlalchemy import Engine
from tqdm import tqdm

from etter.seed.rows import TABLES, Row, Table, source_of
from etter.seed.sizes import SIZES, Size, SizeName

_SEED_LOCK = 0x457474657202
_BATCH_ROWS = 2000


class SeedError(RuntimeError):
    """The database holds something else already."""


def seed(engine: Engine, name: SizeName, *, quiet: bool = False) -> bool:
    """Fill the empty tables; return False when this data set is there already. All or nothing."""
    raw = engine.raw_connection()
    try:
        connection = raw.driver_connection
        assert isinstance(connection, PsycopgConnection)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_SEED_LOCK,))
            if _loaded(cursor, name):
                return False
            _trust_references(cursor)
            _fill(cursor, SIZES[name], quiet=quiet)
            cursor.execute("INSERT INTO seed_state (id, size) VALUES (1, %s)", (name,))
        connection.autocommit = True
        with connection.cursor() as cursor:
            # With the statistics come the pages that all may see: indexes alone answer only where these are known.
            cursor.execute("VACUUM (ANALYZE)")
        return True
    finally:
        raw.close()


def _loaded(cursor: PsycopgCursor, name: SizeName) -> bool:
    cursor.execute("SELECT size FROM seed_state")
    row = cursor.fetchone()
    if row is not None and row[0] != name:
        msg = f"the database holds the data set {row[0]}, not {name}; use another database"
        raise SeedError(msg)
    if row is None:
        cursor.execute("SELECT EXISTS (SELECT FROM companies)")
        filled = cursor.fetchone()
        if filled and filled[0]:
            msg = "the tables hold other data; use an empty database"
            raise SeedError(msg)
    return row is not None


def _trust_references(cursor: PsycopgCursor) -> None:
    """Skip the check of each reference where we may: the rows are made to fit, and a million checks take minutes."""
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    row = cursor.fetchone()
    if row and row[0]:
        cursor.execute("SET LOCAL session_replication_role = replica")


def _fill(cursor: PsycopgCursor, size: Size, *, quiet: bool) -> None:
    total = sum(table.count(size) for table in TABLES)
    with tqdm(total=total, unit=" rows", unit_scale=True, disable=quiet, desc="seed") as bar:
        for number, table in enumerate(TABLES):
            bar.set_postfix_str(table.name)
            rows = table.make(size, source_of(number))
            stream = _RowStream(rows, bar.update)
            cursor.copy_expert(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN", stream)
            _advance_sequence(cursor, table)


def _advance_sequence(cursor: PsycopgCursor, table: Table) -> None:
    if table.columns[0] == "id":
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), (SELECT max(id) FROM {table.name}))"  # noqa: S608 - our own names
        )


class _RowStream(io.RawIOBase):
    """Rows as COPY's text format, made while PostgreSQL reads; never more than a batch in memory."""

    def __init__(self, rows: Iterator[Row], advance: Callable[[float], object]) -> None:
        self._rows = rows
        self._advance = advance
        self._pending = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        if not self._pending:
            self._pending = self._batch()
        if size < 0:
            size = len(self._pending)
        taken, self._pending = self._pending[:size], self._pending[size:]
        return taken

    def _batch(self) -> bytes:
        lines = []
        for row in self._rows:
            lines.append("\t".join("\\N" if value is None else str(value) for value in row))
            if len(lines) == _BATCH_ROWS:
                break
        self._advance(len(lines))
        return "".join(f"{line}\n" for line in lines).encode()
