"""Debezium's change events in JSON, read: with or without schema, of SQL databases and MongoDB, whole or flattened.

What each form tells is in Debezium's documentation of its connectors ("Data change events"), of the transformations
ExtractNewRecordState and ExtractNewDocumentState, and of Debezium Server's sinks.

What is not told is unknown, never guessed:

* **Old rows.** PostgreSQL tells old values as REPLICA IDENTITY says, and Debezium fills the others with NULL or a
  default, which nobody can tell from values. So of PostgreSQL (and of connectors that are not known here) only the
  key's columns are believed, unless `full_old_rows` says that each table has REPLICA IDENTITY FULL. An UPDATE
  without `before` has not changed its key: one that does is told as a DELETE and an INSERT. That holds where the key
  of the events is the table's primary key (no `message.key.columns`).
* **Snapshots.** A row that was read ("r") is no change. But who takes a snapshot has no position, or has lost it, so
  that changes, deletions above all, may never be told: its first row means everything, and so does its last.
  Incremental snapshots are read beside the changes, and mean nothing.
* **Watermarks.** A change's `source.ts_ms` is when it was made, in the order of commits. A heartbeat's `ts_ms` is the
  connector's clock and says nothing of what it has still to read, so it is none: `heartbeat.action.query` writes a row
  whose change is one. Nor is the time of a row that was read in a snapshot: streaming goes on where the snapshot began.
* **Tombstones** follow the deletion that they repeat. One that follows none is a deletion itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from veneer.core.change_events import NOTHING, ChangeEvent, UnreadableEventError, read_json
from veneer.core.debezium_values import Types, document_row, extended_text, members, row_of, types_of
from veneer.core.row_changes import UNTOLD, ChangeKind, Row, RowChange

TELLS_OLD_ROWS: Final = frozenset({"mysql", "mariadb", "sqlserver", "oracle", "db2", "informix", "mongodb"})
"""Connectors whose databases have to tell whole old rows, or nothing, before Debezium reads them at all."""

_KINDS: Final = {"c": ChangeKind.INSERT, "u": ChangeKind.UPDATE, "d": ChangeKind.DELETE, "t": ChangeKind.TRUNCATE}
_WITHIN: Final = frozenset({"true", "first_in_data_collection", "last_in_data_collection"})
"""How rows of a snapshot under way are marked. One that broke off leaves no "last", but the next has a "first"."""
_CLOCKS: Final = frozenset({"ts_ms", "ts_us", "ts_ns"})
_NO_ROW: Final[Row] = {}


class DebeziumDecoder:
    """Reads the events of one stream in their order; it keeps whether a snapshot runs, and what went last."""

    def __init__(self, full_old_rows: bool = False, null_value: bytes = b"default") -> None:
        self._full_old_rows = full_old_rows
        self._null_value = null_value
        self._in_snapshot = False
        self._deleted: bytes | None = None

    def decode(self, key: bytes | None, value: bytes | None) -> ChangeEvent:
        """What an event tells. `value` is None for a tombstone, `key` where no key is told.

        Raises UnreadableEventError.
        """
        deleted, self._deleted = self._deleted, None
        event = None if value is None or value in (b"", b"null", self._null_value) else read_json(value)
        schema: object = None
        if isinstance(event, dict) and event.keys() == {"schema", "payload"}:
            schema, event = event["schema"], event["payload"]
        if event is None:
            return self._tombstone(key, deleted)
        payload = members(event, "the event")
        if "__op" in payload or "__deleted" in payload or "__table" in payload or "__collection" in payload:
            found = self._flattened(payload, types_of(schema), key)
        elif "op" in payload:
            found = self._enveloped(payload, types_of(schema), key)
        else:
            found = _beside(payload)
        if any(row.kind is ChangeKind.DELETE for row in found.rows):
            self._deleted = key or b""
        return found

    # ------------------------------------------------------------ forms

    def _enveloped(self, payload: dict[str, object], types: Types, key: bytes | None) -> ChangeEvent:
        source = members(payload.get("source"), '"source"')
        position = _text(source.get("lsn")) or _text(source.get("pos"))
        match payload["op"]:
            case "r":
                return self._snapshot(source.get("snapshot"), position)
            case "m":  # a message in the log (pg_logical_emit_message): no row
                return NOTHING
            case "c" | "u" | "d" | "t" as op:
                kind = _KINDS[op]
            case other:
                msg = f'"op" is {other!r}, and only c, u, d, r, t and m are known'
                raise UnreadableEventError(msg)
        self._in_snapshot = False
        table = _table(source)
        whole = self._full_old_rows or source.get("connector") in TELLS_OLD_ROWS
        if kind is ChangeKind.TRUNCATE:
            rows: tuple[RowChange, ...] = (RowChange(table, kind, None, None),)
        elif source.get("connector") == "mongodb" or "collection" in source:
            rows = _document(payload, table, kind, key)
        else:
            rows = (_row(payload, types, table, kind, key, whole),)
        return ChangeEvent(rows, as_of_ms=_moment(source.get("ts_ms")), position=position)

    def _flattened(self, payload: dict[str, object], types: Types, key: bytes | None) -> ChangeEvent:
        """Columns on the top level, and what `add.fields` adds."""
        told = {name: value for name, value in payload.items() if name.startswith("__")}
        columns = {name: value for name, value in payload.items() if name not in told}
        names = {name.removeprefix("__").removeprefix("source_"): value for name, value in told.items()}
        position = _text(names.get("lsn"))
        if names.get("op") == "r":
            return self._snapshot(names.get("snapshot"), position)
        self._in_snapshot = False
        table = _table(names)
        deleted = str(names.get("deleted", "false")).lower() == "true" or names.get("op") == "d"
        if names.get("op") == "t":
            row = RowChange(table, ChangeKind.TRUNCATE, None, None)
        elif deleted:
            old = row_of(columns, types) if self._full_old_rows else _key_row(key)
            row = RowChange(table, ChangeKind.DELETE, old or _NO_ROW, None)
        elif names.get("op") == "c":
            row = RowChange(table, ChangeKind.INSERT, None, row_of(columns, types))
        else:
            row = RowChange(table, ChangeKind.UPDATE, _key_row(key), row_of(columns, types, updated=True))
        return ChangeEvent((row,), as_of_ms=_moment(told.get("__source_ts_ms")), position=position)

    def _snapshot(self, kind: object, position: str) -> ChangeEvent:
        if kind == "incremental" or (self._in_snapshot and kind in _WITHIN):
            return NOTHING
        self._in_snapshot = kind != "last"
        return ChangeEvent(gap="a snapshot began: what was changed before it may not have been told", position=position)

    def _tombstone(self, key: bytes | None, deleted: bytes | None) -> ChangeEvent:
        if deleted is not None and (not key or not deleted or key == deleted):
            return NOTHING
        table = _key_table(key)
        if table:
            return ChangeEvent((RowChange(table, ChangeKind.DELETE, _key_row(key), None),))
        return ChangeEvent(gap="a tombstone without the deletion before it")


def _beside(payload: dict[str, object]) -> ChangeEvent:
    """An event that is no change of a row. Raises UnreadableEventError."""
    if "ddl" in payload or "tableChanges" in payload:
        return ChangeEvent(gap="a schema was changed")
    if payload.keys() <= _CLOCKS and "ts_ms" in payload:
        return NOTHING  # a heartbeat
    if payload.get("status") in ("BEGIN", "END") and "id" in payload:
        return NOTHING  # the frame of a transaction
    names = ", ".join(sorted(payload)[:8])
    msg = f'it has no "op" and is none of Debezium\'s other events, but has {names or "nothing"}'
    if "__" not in names:
        msg += "; flattened events need add.fields=op,table,schema,source.ts_ms (db instead of schema for MySQL)"
    raise UnreadableEventError(msg)


# ------------------------------------------------------------ rows


def _row(
    payload: dict[str, object], types: Types, table: str, kind: ChangeKind, key: bytes | None, whole: bool
) -> RowChange:
    new = None
    if kind is not ChangeKind.DELETE:
        after = members(payload.get("after"), '"after"')
        new = row_of(after, types_of(types.get("after")), updated=kind is ChangeKind.UPDATE)
    old: Row | None = None
    if kind is not ChangeKind.INSERT:
        before = payload.get("before")
        if whole and before is not None:
            old = row_of(members(before, '"before"'), types_of(types.get("before")))
        else:
            old = _key_row(key)
    return RowChange(table, kind, old, new)


def _document(payload: dict[str, object], table: str, kind: ChangeKind, key: bytes | None) -> tuple[RowChange, ...]:
    """MongoDB's: documents as strings; `after` may be missing of an update, which tells what it set instead.

    What a document lacks is NULL. Of one that was replaced nobody tells what it had, so that it is told as a deletion
    and an insertion.
    """
    known = _document_key(key)
    before, after, described = payload.get("before"), payload.get("after"), payload.get("updateDescription")
    old: dict[str, str | None] = {**known, **(document_row(before, '"before"') if before is not None else {})}
    if kind is ChangeKind.DELETE:
        return (RowChange(table, kind, old, None),)
    if after is None and (kind is ChangeKind.INSERT or not isinstance(described, dict)):
        raise UnreadableEventError('it has no "after", and does not describe an update')
    updated = kind is ChangeKind.UPDATE
    new = {**known, **(document_row(after, '"after"', updated=updated) if after is not None else {})}
    if not updated:
        return (RowChange(table, kind, None, new),)
    if isinstance(described, dict):
        new = {**_updated(described), **new}
    if before is not None and after is not None:
        new = {**dict.fromkeys(old), **new}
    elif not isinstance(described, dict):
        return RowChange(table, ChangeKind.DELETE, old, None), RowChange(table, ChangeKind.INSERT, None, new)
    return (RowChange(table, kind, old, new),)


def _updated(described: dict[str, object]) -> dict[str, str | None]:
    """The fields of the top level that an update has set or removed; of one that it changed within nothing is told."""
    fields, removed = described.get("updatedFields"), described.get("removedFields")
    row = document_row(fields, '"updatedFields"', updated=True) if fields is not None else {}
    row |= {name: None for name in removed if isinstance(name, str)} if isinstance(removed, list) else {}
    within = {name.partition(".")[0]: UNTOLD for name in row if "." in name}
    return {**{name: value for name, value in row.items() if "." not in name}, **within}


def _key(key: bytes | None) -> tuple[dict[str, object], dict[str, object]]:
    """The members of a key, and its schema; nothing of both where it is no object."""
    if not key or not key.startswith(b"{"):
        return {}, {}
    told = read_json(key)
    if not isinstance(told, dict):
        return {}, {}
    if told.keys() == {"schema", "payload"}:
        payload, schema = told["payload"], told["schema"]
        return (payload if isinstance(payload, dict) else {}), (schema if isinstance(schema, dict) else {})
    return told, {}


def _key_row(key: bytes | None) -> Row:
    told, schema = _key(key)
    return row_of(told, types_of(schema))


def _document_key(key: bytes | None) -> dict[str, str | None]:
    """A document's key tells its "_id" as a string of Extended JSON."""
    told, _ = _key(key)
    text = told.get("id")
    value = read_json(text) if isinstance(text, str) else text
    one = extended_text(value)
    return {} if one is None else {"_id": one}


def _key_table(key: bytes | None) -> str:
    """The table that a key's schema is named after ("prefix.schema.table.Key"); empty when it is not."""
    name = _key(key)[1].get("name")
    parts = name.split(".") if isinstance(name, str) else []
    return ".".join(parts[-3:-1]) if len(parts) >= 4 and parts[-1] == "Key" else ""


def _table(source: Mapping[str, object]) -> str:
    """The name "schema.table", "database.table" where a database has no schemas. Raises UnreadableEventError."""
    table = source.get("table") or source.get("collection")
    schema = source.get("schema") or source.get("db")
    if isinstance(table, str) and isinstance(schema, str):
        return f"{schema}.{table}"
    raise UnreadableEventError("it does not say of which table, and of which schema or database")


def _moment(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: object) -> str:
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
