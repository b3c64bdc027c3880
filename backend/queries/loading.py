"""How related rows are loaded, and the reading of list windows."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.db.tables import Base
from backend.errors import ValidationError
from backend.web.pagination import CursorKey, Slice, Window

Entity = TypeVar("Entity", bound=Base)
Item = TypeVar("Item", bound=msgspec.Struct)
LIST_TEXT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Loading:
    """Normally relations are loaded eagerly and columns are chosen.

    `unoptimised` keeps the service as the guides found it, for one purpose: to measure the difference.
    """

    unoptimised: bool = False


@dataclass(frozen=True, slots=True)
class ListSpec(Generic[Entity, Item]):
    """How one kind of list is read: the expression of each field, the columns that may sort it."""

    entity: type[Entity]
    item: type[Item]
    id: InstrumentedAttribute[int]
    columns: Mapping[str, ColumnElement[Any] | InstrumentedAttribute[Any]]
    sorts: Mapping[str, InstrumentedAttribute[Any]]
    from_entity: Callable[[Entity], Item]


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a caller wants of a list; `sort` is a key of the spec's sorts, with `-` for descending."""

    window: Window
    fields: frozenset[str]
    sort: str


def cut(column: InstrumentedAttribute[str]) -> ColumnElement[str]:
    """Take the beginning of a long text: lists need no more, and it is cut before it travels."""
    return func.left(column, LIST_TEXT_CHARACTERS)


def contains(column: InstrumentedAttribute[str], text: str) -> ColumnElement[bool]:
    """Match text anywhere, case aside; wildcards in it stand for themselves."""
    return column.ilike(f"%{escape_like(text)}%", escape="\\")


def escape_like(text: str) -> str:
    """Take the meaning from LIKE's wildcards."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def list_statement(
    spec: ListSpec[Entity, Item], filters: Sequence[ColumnElement[bool]], wanted: ListRequest
) -> Select[Any]:
    """Select the sort key, the id, and only the wanted columns, for one window and one row more."""
    chosen = [spec.columns[field].label(field) for field in spec.columns if field in wanted.fields]
    return _windowed(select(_sort_column(spec, wanted), spec.id, *chosen), spec, filters, wanted)


def read_slice(
    session: Session,
    loading: Loading,
    spec: ListSpec[Entity, Item],
    filters: Sequence[ColumnElement[bool]],
    wanted: ListRequest,
) -> Slice[Item]:
    """Read one window in at most two statements: the rows, and the total when pages are numbered."""
    size, total = wanted.window.size, None
    if wanted.window.page is not None:
        total = session.scalar(select(func.count()).select_from(spec.entity).where(*filters)) or 0
    if loading.unoptimised:
        items, keys = _whole_entities(session, spec, filters, wanted)
    else:
        rows = session.execute(list_statement(spec, filters, wanted)).all()
        names = [field for field in spec.columns if field in wanted.fields]
        items = [_item(spec.item, names, row[2:]) for row in rows]
        keys = [_key(row[0], row[1]) for row in rows]
    shown = keys[:size]
    ids = tuple(row_id for _, row_id in shown)
    return Slice(items[:size], total, len(items) > size, shown[-1] if shown else None, ids)


def _whole_entities(
    session: Session, spec: ListSpec[Entity, Item], filters: Sequence[ColumnElement[bool]], wanted: ListRequest
) -> tuple[list[Item], list[CursorKey]]:
    name = _sort_column(spec, wanted).key
    entities = list(session.scalars(_windowed(select(spec.entity), spec, filters, wanted)))
    keys = [_key(getattr(entity, name), getattr(entity, spec.id.key)) for entity in entities]
    return [spec.from_entity(entity) for entity in entities], keys


def _sort_column(spec: ListSpec[Entity, Item], wanted: ListRequest) -> InstrumentedAttribute[Any]:
    return spec.sorts[wanted.sort.removeprefix("-")]


def _windowed(
    statement: Select[Any], spec: ListSpec[Entity, Item], filters: Sequence[ColumnElement[bool]], wanted: ListRequest
) -> Select[Any]:
    column, window = _sort_column(spec, wanted), wanted.window
    descending = wanted.sort.startswith("-")
    conditions = [*filters]
    if window.after is not None:
        conditions.append(_beyond(column, spec.id, window.after, descending=descending))
    order = (column.desc(), spec.id.desc()) if descending else (column.asc(), spec.id.asc())
    return statement.where(*conditions).order_by(*order).offset(window.offset or None).limit(window.size + 1)


def _item(kind: type[Item], names: Sequence[str], values: Sequence[object]) -> Item:
    return kind(**dict(zip(names, values, strict=True)))


def _key(value: object, row_id: int) -> CursorKey:
    if isinstance(value, dt.datetime):
        return value.isoformat(), row_id
    return (value if isinstance(value, int) else str(value)), row_id


def _beyond(
    column: InstrumentedAttribute[Any], row_id: InstrumentedAttribute[int], after: CursorKey, *, descending: bool
) -> ColumnElement[bool]:
    """Compare rows as tuples: one condition that an index on (column, id) answers directly."""
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
    here, there = tuple_(column, row_id), tuple_(value, after[1])
    return here < there if descending else here > there
