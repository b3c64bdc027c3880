"""How related rows are loaded, and the reading of list windows."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Integer, Select, bindparam, case, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from etter.db.tables import Base
from etter.errors import ValidationError
from etter.web.pagination import CursorKey, Slice, Window

Entity = TypeVar("Entity", bound=Base)
Item = TypeVar("Item", bound=msgspec.Struct)
Values = dict[str, object]
LIST_TEXT_CHARACTERS = 200
CUT_MARK = "\N{HORIZONTAL ELLIPSIS}"
# Names of parameters that no filter has.
_LIMIT, _OFFSET, _AFTER, _AFTER_ID = "page_limit", "page_offset", "page_after", "page_after_id"


@dataclass(frozen=True, slots=True)
class Loading:
    """Normally relations are loaded eagerly and columns are chosen.

    `unoptimised` keeps the service as the guides found it, for one purpose: to measure the difference.
    """

    unoptimised: bool = False


@dataclass(frozen=True, slots=True)
class ListSpec(Generic[Entity, Item]):
    """How one kind of list is read: the expression of each field, the columns that may sort it, what may filter it.

    A filter is a condition whose parameter has the filter's name.
    """

    entity: type[Entity]
    item: type[Item]
    id: InstrumentedAttribute[int]
    columns: Mapping[str, ColumnElement[Any] | InstrumentedAttribute[Any]]
    sorts: Mapping[str, InstrumentedAttribute[Any]]
    filters: Mapping[str, ColumnElement[bool]]
    from_entity: Callable[[Entity], Item]


Filters = Mapping[str, object]
"""Values of the filters that are in force, by name; None is no filter."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a caller wants of a list; `sort` is a key of the spec's sorts, with `-` for descending."""

    window: Window
    fields: frozenset[str]
    sort: str


def cut(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Take the beginning of a long text, with a mark at its end; it is cut before it travels."""
    beginning = func.left(column, LIST_TEXT_CHARACTERS - 1).concat(CUT_MARK)
    return case((func.length(column) > LIST_TEXT_CHARACTERS, beginning), else_=column)


def contains(column: InstrumentedAttribute[str], name: str) -> ColumnElement[bool]:
    """Match a pattern anywhere, case aside; `name` is its parameter, for which `anywhere` makes the value."""
    return column.ilike(bindparam(name), escape="\\")


def anywhere(text: str | None) -> str | None:
    """Make the pattern of a text that may stand anywhere; wildcards in it stand for themselves."""
    return None if text is None else f"%{escape_like(text)}%"


def escape_like(text: str) -> str:
    """Take the meaning from LIKE's wildcards."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a list's statement depends on beside values; the same for all requests that differ in values only."""

    filters: frozenset[str]
    fields: frozenset[str]
    sort: str
    after_key: bool
    whole: bool

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")


class ListStatements(Generic[Entity, Item]):
    """A list's statements, each shape made once and `kept` of them: making one costs more than running it."""

    def __init__(self, spec: ListSpec[Entity, Item], kept: int = 128) -> None:
        self.spec = spec
        self._rows = lru_cache(kept)(self._make_rows)
        self._totals = lru_cache(kept)(self._make_total)

    def rows(self, filters: Filters, wanted: ListRequest, *, whole: bool = False) -> tuple[Select[Any], Values]:
        """Return the statement for one window and one row more, and its values.

        It selects the sort key, the id and the wanted columns, or the entity when `whole`.
        """
        window, values = wanted.window, _in_force(filters)
        shape = _Shape(frozenset(values), wanted.fields, wanted.sort, window.after is not None, whole)
        values |= {_LIMIT: window.size + 1, _OFFSET: window.offset}
        if window.after is not None:
            values |= {_AFTER: _key_value(self._sort_column(wanted.sort), window.after), _AFTER_ID: window.after[1]}
        return self._rows(shape), values

    def total(self, filters: Filters) -> tuple[Select[int], Values]:
        """Return the statement that counts the rows, and its values."""
        values = _in_force(filters)
        return self._totals(frozenset(values)), values

    def sort_name(self, sort: str) -> str:
        """Return the name of the column that sorts."""
        return str(self._sort_column(sort).key)

    def _make_total(self, filters: frozenset[str]) -> Select[int]:
        return select(func.count()).select_from(self.spec.entity).where(*self._conditions(filters))

    def _make_rows(self, shape: _Shape) -> Select[Any]:
        spec, column = self.spec, self._sort_column(shape.sort)
        chosen = [spec.columns[field].label(field) for field in spec.columns if field in shape.fields]
        statement: Select[Any] = select(spec.entity) if shape.whole else select(column, spec.id, *chosen)
        conditions = self._conditions(shape.filters)
        if shape.after_key:
            conditions.append(_beyond(column, spec.id, descending=shape.descending))
        order = (column.desc(), spec.id.desc()) if shape.descending else (column.asc(), spec.id.asc())
        window = statement.where(*conditions).order_by(*order)
        return window.offset(bindparam(_OFFSET, type_=Integer)).limit(bindparam(_LIMIT, type_=Integer))

    def _conditions(self, filters: frozenset[str]) -> list[ColumnElement[bool]]:
        return [condition for name, condition in self.spec.filters.items() if name in filters]

    def _sort_column(self, sort: str) -> InstrumentedAttribute[Any]:
        return self.spec.sorts[sort.removeprefix("-")]


def read_slice(
    session: Session,
    loading: Loading,
    statements: ListStatements[Entity, Item],
    filters: Filters,
    wanted: ListRequest,
) -> Slice[Item]:
    """Read one window in at most two statements: the rows, and the total when pages are numbered."""
    spec, size, total = statements.spec, wanted.window.size, None
    if wanted.window.page is not None:
        total = session.scalar(*statements.total(filters)) or 0
    if loading.unoptimised:
        items, keys = _whole_entities(session, statements, filters, wanted)
    else:
        rows = session.execute(*statements.rows(filters, wanted)).all()
        names = [field for field in spec.columns if field in wanted.fields]
        items = [_item(spec.item, names, row[2:]) for row in rows]
        keys = [_key(row[0], row[1]) for row in rows]
    shown = keys[:size]
    ids = tuple(row_id for _, row_id in shown)
    return Slice(items[:size], total, len(items) > size, shown[-1] if shown else None, ids)


def _in_force(filters: Filters) -> Values:
    return {name: value for name, value in filters.items() if value is not None}


def _whole_entities(
    session: Session, statements: ListStatements[Entity, Item], filters: Filters, wanted: ListRequest
) -> tuple[list[Item], list[CursorKey]]:
    spec, name = statements.spec, statements.sort_name(wanted.sort)
    entities = list(session.scalars(*statements.rows(filters, wanted, whole=True)))
    keys = [_key(getattr(entity, name), getattr(entity, spec.id.key)) for entity in entities]
    return [spec.from_entity(entity) for entity in entities], keys


def _item(kind: type[Item], names: Sequence[str], values: Sequence[object]) -> Item:
    return kind(**dict(zip(names, values, strict=True)))


def _key(value: object, row_id: int) -> CursorKey:
    if isinstance(value, dt.datetime):
        return value.isoformat(), row_id
    return (value if isinstance(value, int) else str(value)), row_id


def _beyond(
    column: InstrumentedAttribute[Any], row_id: InstrumentedAttribute[int], *, descending: bool
) -> ColumnElement[bool]:
    """Compare rows as tuples: one condition that an index on (column, id) answers directly."""
    here = tuple_(column, row_id)
    there = tuple_(bindparam(_AFTER, type_=column.type), bindparam(_AFTER_ID, type_=row_id.type))
    return here < there if descending else here > there


def _key_value(column: InstrumentedAttribute[Any], after: CursorKey) -> object:
    """Check that a cursor's key is of the sort column's type."""
    value: object = after[0]
    wanted = column.type.python_type
    if wanted is dt.datetime and isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            value = None
    if not isinstance(value, wanted) or (isinstance(value, int) and not -(2**31) <= value < 2**31):
        msg = "The cursor belongs to another sort order"
        raise ValidationError(msg, field="cursor")
    return value
