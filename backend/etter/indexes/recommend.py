"""Recommend missing indexes: from the statements PostgreSQL has seen, and from foreign keys.

With pg_stat_statements, the most expensive statements are planned again (EXPLAIN GENERIC_PLAN: without running them
and without their parameters); a sequential scan of a large table whose filter compares columns is a missing index.
Without the extension, tables that are often read from end to end are named, and foreign keys without an index.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from etter.indexes.files import Wanted

STATEMENTS = 200
LARGE_ROWS = 1000
_SEEN = text("""
SELECT query, calls, total_exec_time AS milliseconds
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (query ILIKE 'select%' OR query ILIKE 'update%' OR query ILIKE 'delete%')
ORDER BY total_exec_time DESC
LIMIT :limit
""")
_SCANNED = text("""
SELECT relname, seq_scan, seq_tup_read, n_live_tup
FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_live_tup >= :rows AND seq_scan > 10 * (coalesce(idx_scan, 0) + 1)
ORDER BY seq_tup_read DESC
""")
_FOREIGN_KEYS = text("""
SELECT c.conrelid::regclass::text AS table_name, a.attname AS column_name
FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid AND t.reltuples >= :rows
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
WHERE c.contype = 'f' AND c.confdeltype = 'c' AND array_length(c.conkey, 1) = 1
  AND NOT EXISTS (
    SELECT FROM pg_index x WHERE x.indrelid = c.conrelid AND x.indisvalid AND x.indkey[0] = c.conkey[1])
ORDER BY 1, 2
""")
_SIZES = text(
    "SELECT relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
)
_LOADED = text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'")
_COMPARED = re.compile(r"\(?(?:\w+\.)?(?P<column>[a-z_]\w*)\)?(?:::\w+)? (?P<operator>=|<=|>=|<|>|~~\*|~~) ")
_KINDS = {"=": 0, "<": 1, ">": 1, "<=": 1, ">=": 1, "~~": 2, "~~*": 2}

Plan = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Proposal:
    """An index that would serve a statement which now reads a whole table."""

    table: str
    columns: tuple[str, ...]
    pattern: bool

    @property
    def sql(self) -> str:
        """The statement that would create it."""
        name = f"{self.table}_{'_'.join(self.columns)}_idx"
        head = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {self.table}"
        if self.pattern:
            return f"{head} USING gin ({self.columns[0]} gin_trgm_ops);"
        return f"{head} ({', '.join(self.columns)});"


def recommend(engine: Engine, _wanted: Wanted) -> Sequence[str]:
    """Name missing indexes, the most expensive statements first."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        lines = list(_from_statements(connection)) if _has_statements(connection) else list(_from_scans(connection))
        for row in connection.execute(_FOREIGN_KEYS, {"rows": LARGE_ROWS}):
            proposal = Proposal(row.table_name, (row.column_name,), pattern=False)
            lines.append(f"{proposal.sql}  -- deleting what {row.column_name} refers to reads all of {row.table_name}")
    return lines or ["nothing to recommend"]


def _has_statements(connection: Connection) -> bool:
    if not connection.execute(_LOADED).scalar_one():
        return False
    try:
        connection.execute(text("SELECT FROM pg_stat_statements LIMIT 1"))
    except DBAPIError:  # created, but not in shared_preload_libraries
        return False
    return True


def _from_statements(connection: Connection) -> Iterator[str]:
    sizes = {row.relname: row.reltuples for row in connection.execute(_SIZES)}
    proposed: set[Proposal] = set()
    for seen in connection.execute(_SEEN, {"limit": STATEMENTS}).all():
        for proposal in _missing(_plan(connection, seen.query), sizes):
            if proposal not in proposed:
                proposed.add(proposal)
                yield f"{proposal.sql}  -- {seen.calls} calls took {seen.milliseconds:.0f} ms"


def _from_scans(connection: Connection) -> Iterator[str]:
    yield "pg_stat_statements is not loaded: tables that are mostly read from end to end are named instead"
    for row in connection.execute(_SCANNED, {"rows": LARGE_ROWS}):
        yield f"{row.relname}: {row.seq_scan} full scans read {row.seq_tup_read} rows of {row.n_live_tup}"


def _plan(connection: Connection, query: str) -> Plan:
    # Statements come from pg_stat_statements, with $1 in the place of values; they are planned, not run.
    try:
        rows = connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {query.replace('%', '%%')}")
        plan: Plan = rows.scalar_one()[0]["Plan"]
    except DBAPIError:  # a table that is gone, or a parameter whose type cannot be told
        return {}
    return plan


def _missing(plan: Plan, sizes: Mapping[str, float]) -> Iterator[Proposal]:
    table, condition = plan.get("Relation Name"), plan.get("Filter")
    if plan.get("Node Type") == "Seq Scan" and isinstance(table, str) and isinstance(condition, str):
        proposal = propose(table, condition)
        if proposal is not None and sizes.get(table, 0) >= LARGE_ROWS:
            yield proposal
    inner = plan.get("Plans")
    for child in inner if isinstance(inner, list) else ():
        yield from _missing(child, sizes)


def propose(table: str, condition: str) -> Proposal | None:
    """Choose columns from a filter: those compared for equality first, then one range; or one pattern alone."""
    found = [(_KINDS[match["operator"]], match["column"]) for match in _COMPARED.finditer(condition)]
    equal = tuple(dict.fromkeys(column for kind, column in found if kind == 0))
    ranges = tuple(dict.fromkeys(column for kind, column in found if kind == 1 and column not in equal))
    patterns = [column for kind, column in found if kind == 2]
    if equal or ranges:
        return Proposal(table, equal + ranges[:1], pattern=False)
    return Proposal(table, (patterns[0],), pattern=True) if patterns else None
