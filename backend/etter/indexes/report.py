"""What PostgreSQL knows about the indexes: size, use, validity."""

from collections.abc import Sequence

from sqlalchemy import Engine, text

from etter.indexes.files import Wanted

_STATUS = text("""
SELECT i.relname AS name, t.relname AS table_name, x.indisvalid AS valid, pg_relation_size(i.oid) AS bytes,
       coalesce(s.idx_scan, 0) AS scans
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = current_schema()
LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = x.indexrelid
ORDER BY t.relname, i.relname
""")
# A plain index whose columns begin another index of the same table adds only cost.
_COVERED = text("""
SELECT a.indexrelid::regclass::text AS name, min(b.indexrelid::regclass::text) AS other
FROM pg_index a
JOIN pg_class c ON c.oid = a.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
JOIN pg_index b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
JOIN pg_class d ON d.oid = b.indexrelid AND d.relam = c.relam
WHERE NOT a.indisunique AND a.indpred IS NULL AND b.indpred IS NULL
  AND a.indexprs IS NULL AND b.indexprs IS NULL AND a.indnkeyatts < b.indnkeyatts
  AND (a.indkey::int2[])[0:a.indnkeyatts - 1] = (b.indkey::int2[])[0:a.indnkeyatts - 1]
  AND (a.indclass::oid[])[0:a.indnkeyatts - 1] = (b.indclass::oid[])[0:a.indnkeyatts - 1]
  AND (a.indoption::int2[])[0:a.indnkeyatts - 1] = (b.indoption::int2[])[0:a.indnkeyatts - 1]
GROUP BY a.indexrelid
ORDER BY 1
""")
_UNUSED = text("""
SELECT s.indexrelname AS name, s.relname AS table_name, pg_relation_size(s.indexrelid) AS bytes
FROM pg_stat_user_indexes s
JOIN pg_index x ON x.indexrelid = s.indexrelid
WHERE s.schemaname = current_schema() AND s.idx_scan = 0 AND NOT x.indisunique AND NOT x.indisprimary
ORDER BY pg_relation_size(s.indexrelid) DESC, s.indexrelname
""")
_SINCE = text("SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()")


def status(engine: Engine, wanted: Wanted) -> Sequence[str]:
    """One line for each wanted or existing index."""
    with engine.connect() as connection:
        found = {row.name: row for row in connection.execute(_STATUS)}
    ours = {index.name for index in wanted.indexes}
    lines = [f"{'index':<62} {'state':<9} {'KB':>9} {'scans':>10}"]
    for name, row in found.items():
        state = ("ok" if row.valid else "invalid") if name in ours else "other"
        lines.append(f"{name:<62} {state:<9} {row.bytes // 1024:>9} {row.scans:>10}")
    lines += [f"{name:<62} {'missing':<9} {'-':>9} {'-':>10}" for name in sorted(ours - set(found))]
    return lines


def analyze(engine: Engine, wanted: Wanted) -> Sequence[str]:
    """Renew the statistics of every table that has a wanted index."""
    tables = sorted({index.table for index in wanted.indexes})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in tables:
            connection.exec_driver_sql(f"ANALYZE {table}")
    return [f"analyzed {table}" for table in tables]


def unused(engine: Engine, _wanted: Wanted) -> Sequence[str]:
    """Name indexes that were never scanned since statistics began, and those that another one covers."""
    with engine.connect() as connection:
        since = connection.execute(_SINCE).scalar_one_or_none()
        idle = connection.execute(_UNUSED).all()
        covered = connection.execute(_COVERED).all()
    lines = [f"statistics since {since.isoformat(timespec='seconds') if since else 'the database was created'}"]
    lines += [f"unused: {row.name} on {row.table_name}, {row.bytes // 1024} KB" for row in idle]
    lines += [f"covered: {row.name} by {row.other}" for row in covered]
    if len(lines) == 1:
        lines.append("every index has been used, and none covers another")
    return lines
