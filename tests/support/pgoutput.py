"""Writes messages as PostgreSQL's pgoutput plugin does ("Logical Replication Message Formats")."""

from __future__ import annotations

import struct
from collections.abc import Sequence

UNCHANGED = object()
"""A TOAST value that an UPDATE left as it was."""

TEXT, BOOLEAN = 25, 16
Value = str | bytes | object | None


def begin(final_lsn: int = 0x200, committed_us: int = 0, xid: int = 7) -> bytes:
    return b"B" + struct.pack("!QqI", final_lsn, committed_us, xid)


def commit(lsn: int = 0x200, end_lsn: int = 0x230, committed_us: int = 0) -> bytes:
    return b"C" + struct.pack("!BQQq", 0, lsn, end_lsn, committed_us)


def relation(
    oid: int,
    table: str,
    columns: Sequence[str],
    *,
    keys: Sequence[str] = (),
    identity: str = "d",
    booleans: Sequence[str] = (),
) -> bytes:
    schema, _, name = table.partition(".")
    head = struct.pack("!I", oid) + schema.encode() + b"\0" + name.encode() + b"\0" + identity.encode()
    parts = [
        bytes([column in keys or identity == "f"])
        + column.encode()
        + b"\0"
        + struct.pack("!Ii", BOOLEAN if column in booleans else TEXT, -1)
        for column in columns
    ]
    return b"R" + head + struct.pack("!h", len(columns)) + b"".join(parts)


def row(values: Sequence[Value]) -> bytes:
    return struct.pack("!h", len(values)) + b"".join(map(_value, values))


def _value(value: Value) -> bytes:
    if value is None:
        return b"n"
    if value is UNCHANGED:
        return b"u"
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    assert isinstance(raw, bytes)
    return b"t" + struct.pack("!i", len(raw)) + raw


def insert(oid: int, new: Sequence[Value]) -> bytes:
    return b"I" + struct.pack("!I", oid) + b"N" + row(new)


def update(oid: int, new: Sequence[Value], old: Sequence[Value] | None = None, *, by: str = "O") -> bytes:
    before = b"" if old is None else by.encode() + row(old)
    return b"U" + struct.pack("!I", oid) + before + b"N" + row(new)


def delete(oid: int, old: Sequence[Value], *, by: str = "K") -> bytes:
    return b"D" + struct.pack("!I", oid) + by.encode() + row(old)


def truncate(*oids: int) -> bytes:
    return b"T" + struct.pack("!iB", len(oids), 0) + struct.pack(f"!{len(oids)}I", *oids)


def message(prefix: str, content: str, *, transactional: bool = True, lsn: int = 0x210) -> bytes:
    raw = content.encode()
    return b"M" + struct.pack("!BQ", transactional, lsn) + prefix.encode() + b"\0" + struct.pack("!i", len(raw)) + raw
