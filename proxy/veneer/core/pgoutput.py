"""Reads what PostgreSQL's `pgoutput` plugin tells of a transaction: protocol version 1, with `messages`.

The forms are those of PostgreSQL's documentation, "Logical Replication Message Formats". Of a row only the columns are
read that are wanted; nothing is kept but which tables there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from struct import error as struct_error
from typing import Final

from veneer.core.row_changes import ChangeKind, RowChange

MAX_TABLES: Final = 65_536
"""Tables that one stream may tell of: more than a database of one team publishes."""

_BOOLEAN_OID: Final = 16
_BOOLEANS: Final = {"t": "true", "f": "false"}

_INT16 = Struct("!h").unpack_from
_INT32 = Struct("!i").unpack_from
_OID = Struct("!I").unpack_from
_BEGIN = Struct("!QqI").unpack_from
_COMMIT = Struct("!BQQq").unpack_from
_MESSAGE = Struct("!BQ").unpack_from


class PgOutputError(ValueError):
    """A message that cannot be read, because of `what`; `position` is the byte in it at which that was seen."""

    def __init__(self, message: str, position: int, what: object = "") -> None:
        super().__init__(f"{message.format(what)} at byte {position}")
        self.position = position


class ReplicaIdentity(Enum):
    """Which columns of an old row are told (pg_class.relreplident)."""

    PRIMARY_KEY = "d"
    NOTHING = "n"
    FULL = "f"
    INDEX = "i"


@dataclass(frozen=True, slots=True)
class PgBegin:
    """A transaction that was committed at `final_lsn` begins; the time is in microseconds since 2000."""

    final_lsn: int
    committed_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class PgCommit:
    """It ends; what follows begins at `end_lsn`."""

    lsn: int
    end_lsn: int
    committed_us: int


@dataclass(frozen=True, slots=True)
class PgRelation:
    """How a table ("schema.name") looks from here on; `told_of_old` are the columns of old rows that are told."""

    oid: int
    table: str
    identity: ReplicaIdentity
    columns: tuple[str, ...]
    told_of_old: frozenset[str]


@dataclass(frozen=True, slots=True)
class PgTruncate:
    """All rows of these tables are gone."""

    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PgMessage:
    """What `pg_logical_emit_message` was given."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


PgOutput = PgBegin | PgCommit | PgRelation | PgTruncate | PgMessage | RowChange


class _Layout:
    """Where the wanted columns of a table stand."""

    __slots__ = ("booleans", "keys", "old_is_told", "table", "wanted", "wanted_keys")

    def __init__(self, relation: PgRelation, wanted: Set[str] | None, booleans: frozenset[str]) -> None:
        self.table = relation.table
        self.wanted: list[str] | None = None
        """The name of each wanted column, "" for the others; None where nothing is known of the table's columns."""
        self.wanted_keys: list[str] = []
        self.keys: list[str] = []
        self.booleans = booleans
        self.old_is_told = relation.identity is ReplicaIdentity.FULL
        if wanted is not None:
            self.wanted = [name if name in wanted else "" for name in relation.columns]
            self.wanted_keys = [name if name in relation.told_of_old else "" for name in self.wanted]
            self.keys = [name for name in self.wanted_keys if name]


class PgOutputDecoder:
    """Reads the messages of one stream in order.

    `tables` says which columns are wanted of which table ("schema.name"); None for all. Rows of other tables are told
    without columns. Texts are taken for UTF-8 (the connection's client_encoding); a boolean is "true" or "false".
    """

    __slots__ = ("_layouts", "_tables")

    def __init__(self, tables: Mapping[str, Set[str] | None]) -> None:
        self._tables = tables
        self._layouts: dict[int, _Layout] = {}

    def decode(self, data: bytes, settled: Set[str] = frozenset()) -> PgOutput | None:
        """What a message tells; None for what is of no meaning here, and for rows of tables that are `settled`.

        Raises PgOutputError.
        """
        try:
            return self._decode(data, settled)
        except (IndexError, struct_error):
            raise PgOutputError("the message ends too early", len(data)) from None
        except UnicodeDecodeError as error:
            raise PgOutputError("a name is not UTF-8", error.start) from None

    def _decode(self, data: bytes, settled: Set[str]) -> PgOutput | None:
        kind = data[0]
        if kind in (0x49, 0x55, 0x44):  # I, U, D
            layout = self._layout(data, 1)
            return None if layout.table in settled else _row_change(data, kind, layout)
        if kind in (0x52, 0x54):  # R, T
            return self._relation(data) if kind == 0x52 else self._truncate(data)
        if kind in (0x42, 0x43, 0x4D):  # B, C, M
            return _of_transaction(data, kind)
        if kind in (0x4F, 0x59):  # O, Y
            return None
        raise PgOutputError("no message of protocol version 1 is of kind {!r}", 0, chr(kind))

    def _layout(self, data: bytes, at: int) -> _Layout:
        oid: int = _OID(data, at)[0]
        layout = self._layouts.get(oid)
        if layout is None:
            raise PgOutputError("table {} was not told of before", at, oid)
        return layout

    def _relation(self, data: bytes) -> PgRelation:
        oid: int = _OID(data, 1)[0]
        schema, at = _string(data, 5)
        name, at = _string(data, at)
        try:
            identity = ReplicaIdentity(chr(data[at]))
        except ValueError:
            raise PgOutputError("no replica identity", at) from None
        count: int = _INT16(data, at + 1)[0]
        at += 3
        names: list[str] = []
        told: list[str] = []
        booleans: list[str] = []
        for _ in range(count):
            in_key = data[at] & 1
            column, at = _string(data, at + 1)
            if _OID(data, at)[0] == _BOOLEAN_OID:
                booleans.append(column)
            at += 8
            names.append(column)
            if in_key or identity is ReplicaIdentity.FULL:
                told.append(column)
        # An empty schema is pg_catalog.
        table = f"{schema or 'pg_catalog'}.{name}"
        relation = PgRelation(oid, table, identity, tuple(names), frozenset(told))
        _whole(data, at, relation)
        if len(self._layouts) >= MAX_TABLES and oid not in self._layouts:
            raise PgOutputError("more than {} tables", 1, MAX_TABLES)
        wanted: Set[str] | None = frozenset()
        if table in self._tables:
            wanted = self._tables[table]
            wanted = frozenset(names) if wanted is None else wanted
            self._layouts[oid] = _Layout(relation, wanted, frozenset(booleans) & wanted)
        else:
            self._layouts[oid] = _Layout(relation, None, frozenset())
        return relation

    def _truncate(self, data: bytes) -> PgTruncate:
        count: int = _INT32(data, 1)[0]
        if count < 0:
            raise PgOutputError("less than no tables", 1)
        _whole(data, 6 + 4 * count, None)
        return PgTruncate(tuple(self._layout(data, 6 + 4 * index).table for index in range(count)))


def _whole(data: bytes, end: int, message: PgOutput | None) -> PgOutput | None:
    """The message, which has to end there."""
    if end != len(data):
        raise PgOutputError("the message has another length than its parts", min(end, len(data)))
    return message


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise PgOutputError("a text does not end", at)
    return data[at:end].decode("utf-8"), end + 1


def _of_transaction(data: bytes, kind: int) -> PgOutput | None:
    if kind == 0x42:
        final_lsn, committed_us, xid = _BEGIN(data, 1)
        return _whole(data, 21, PgBegin(final_lsn, committed_us, xid))
    if kind == 0x43:
        _, lsn, end_lsn, committed_us = _COMMIT(data, 1)
        return _whole(data, 26, PgCommit(lsn, end_lsn, committed_us))
    return _message(data)


def _message(data: bytes) -> PgMessage:
    flags, lsn = _MESSAGE(data, 1)
    prefix, at = _string(data, 10)
    length: int = _INT32(data, at)[0]
    if length < 0:
        raise PgOutputError("less than no content", at)
    message = PgMessage(bool(flags & 1), lsn, prefix, data[at + 4 : at + 4 + length])
    _whole(data, at + 4 + length, message)
    return message


def _row_change(data: bytes, kind: int, layout: _Layout) -> RowChange:
    wanted = layout.wanted
    if wanted is None:
        return RowChange(layout.table, _KINDS[kind], None, None)
    old: dict[str, str | None] | None = None
    new: dict[str, str | None] | None = None
    at = 5
    part = data[at]
    if part in (0x4B, 0x4F) and kind != 0x49:  # K, O
        old = {}
        at = _columns(data, at + 1, wanted if part == 0x4F else layout.wanted_keys, layout.booleans, old)
        part = 0x4E if kind == 0x44 else data[at]
    elif kind == 0x44:
        raise PgOutputError("a deleted row is not told", at)
    if part != 0x4E:  # N
        raise PgOutputError("no row where one should be", at)
    if kind != 0x44:
        new = {}
        at = _columns(data, at + 1, wanted, layout.booleans, new)
    _whole(data, at, None)
    if kind == 0x55 and old is None and not layout.old_is_told:
        # The old key is told where it was another one; what is missing in the new row was too long and is the same.
        told = new or {}
        old = {name: told[name] for name in layout.keys if name in told}
    return RowChange(layout.table, _KINDS[kind], old, new)


_KINDS: Final = {0x49: ChangeKind.INSERT, 0x55: ChangeKind.UPDATE, 0x44: ChangeKind.DELETE}


def _columns(data: bytes, at: int, wanted: list[str], booleans: frozenset[str], row: dict[str, str | None]) -> int:
    """Read one row's columns; those without a name in `wanted` are passed over. Where the row ends."""
    count: int = _INT16(data, at)[0]
    if count != len(wanted):
        raise PgOutputError("a row of another number of columns than its table: {}", at, count)
    at += 2
    for name in wanted:
        kind = data[at]
        if kind == 0x74:  # t
            length: int = _INT32(data, at + 1)[0]
            start = at + 5
            at = start + length
            if length < 0 or at > len(data):
                raise PgOutputError("a value ends beyond its message", start)
            if name:
                value = data[start:at].decode("utf-8", "surrogateescape")
                row[name] = _BOOLEANS.get(value, value) if name in booleans else value
        elif kind == 0x6E:  # n
            if name:
                row[name] = None
            at += 1
        elif kind == 0x75:  # u
            at += 1
        else:
            raise PgOutputError("no column is of kind {!r}", at, chr(kind))
    return at
