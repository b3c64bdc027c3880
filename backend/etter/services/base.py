"""What all services share: listing, creating, changing and deleting one kind of thing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from yarl import URL

from etter.clock import Clock
from etter.db.database import Database
from etter.db.tables import Base
from etter.errors import NotFoundError
from etter.queries.loading import Filters, ListRequest, ListSpec, ListStatements, Loading, read_slice
from etter.queries.scope import in_scope
from etter.web.envelope import Page
from etter.web.pagination import ListQuery, chosen_fields, page_of, window_of

Entity = TypeVar("Entity", bound=Base)
Item = TypeVar("Item", bound=msgspec.Struct)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tools:
    """What every service is handed."""

    database: Database
    loading: Loading
    clock: Clock


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """A page, and the ids of its rows whatever fields were asked for."""

    page: Page[Item]
    ids: tuple[int, ...]


class BaseService(Generic[Entity, Item]):
    """Lists and changes rows of one table. `owner` is the column that says whose a row is, if any."""

    def __init__(
        self, tools: Tools, spec: ListSpec[Entity, Item], noun: str, owner: InstrumentedAttribute[int] | None = None
    ) -> None:
        self.tools = tools
        self.spec = spec
        self.noun = noun
        self.lists = ListStatements(spec)
        owned = [] if owner is None else [in_scope(owner)]
        self._one: Select[Entity] = select(spec.entity).where(spec.id == bindparam("row_id"), *owned)
        self._locked_one = self._one.with_for_update(of=spec.entity)

    async def page(self, query: ListQuery, sort: str, filters: Filters, url: URL) -> Listed[Item]:
        """Read one page of the list."""
        window = window_of(query)
        wanted = ListRequest(window, chosen_fields(query.fields, tuple(self.spec.columns)), sort)
        part = await self.tools.database.read(
            lambda session: read_slice(session, self.tools.loading, self.lists, filters, wanted)
        )
        return Listed(page_of(part, window, url), part.ids)

    async def read(self, row_id: int, scope: int | None, finish: Callable[[Entity], T]) -> T:
        """Read one row that the caller may see."""

        def look(session: Session) -> T:
            return finish(self._visible(session, self._one, row_id, scope))

        return await self.tools.database.read(look)

    async def find(self, row_id: int, look: Callable[[Session], T | None]) -> T:
        """Read what `look` makes of a row; None means that the caller may see no such row."""
        return await self.tools.database.read(lambda session: self.found(row_id, look(session)))

    def found(self, row_id: int, value: T | None) -> T:
        """Return what was found; raise NotFoundError where nothing was."""
        if value is None:
            raise self.missing(row_id)
        return value

    async def create(self, make: Callable[[Session], Entity], finish: Callable[[Session, Entity], T]) -> T:
        """Insert a row and return what `finish` makes of it, all in one transaction."""

        def work(session: Session) -> T:
            entity = make(session)
            session.add(entity)
            session.flush()
            return finish(session, entity)

        return await self.tools.database.write(work)

    async def update(
        self,
        row_id: int,
        scope: int | None,
        change: Callable[[Session, Entity], None],
        finish: Callable[[Session, Entity], T],
    ) -> T:
        """Lock a row, change it and return what `finish` makes of it, all in one transaction."""

        def work(session: Session) -> T:
            entity = self._visible(session, self._locked_one, row_id, scope)
            change(session, entity)
            session.flush()
            return finish(session, entity)

        return await self.tools.database.write(work)

    async def delete(self, row_id: int, scope: int | None, finish: Callable[[Entity], T]) -> T:
        """Delete a row; rows that hang on it go with it, by the foreign keys."""

        def work(session: Session) -> T:
            entity = self._visible(session, self._locked_one, row_id, scope)
            outcome = finish(entity)
            session.delete(entity)
            return outcome

        return await self.tools.database.write(work)

    def missing(self, row_id: int) -> NotFoundError:
        """Make the error for a row that is not there, or not for this caller."""
        return NotFoundError(f"No {self.noun} with this id", id=row_id)

    def _visible(self, session: Session, statement: Select[Entity], row_id: int, scope: int | None) -> Entity:
        values = {"row_id": row_id, "scope": scope}
        return self.found(row_id, session.scalars(statement, values).one_or_none())


def assign(entity: Base, values: msgspec.Struct) -> None:
    """Copy the given fields; those left out of a change stay as they are."""
    for name in values.__struct_fields__:
        value = getattr(values, name)
        if value is not msgspec.UNSET:
            setattr(entity, name, value)
