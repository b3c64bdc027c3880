"""SQL of reference data: the same for every caller."""

from itertools import groupby

from sqlalchemy import Float, Integer, bindparam, or_, select
from sqlalchemy.orm import Session, aliased

from etter.db.tables import Role, RoleAdjacency, Task
from etter.models.reference import AdjacencyQuery, Neighbour, RoleNeighbours, Suggestion
from etter.queries import as_found
from etter.queries.loading import Loading, escape_like

MAX_PAIRS = 2000
TASKS = (
    select(Task.id, Task.name, Task.category)
    .where(Task.name.ilike(bindparam("pattern"), escape="\\"))
    .order_by(Task.name)
    .limit(bindparam("limit", type_=Integer))
)
_ADJACENT = aliased(Role)
_ROLE_ID = bindparam("role_id", type_=Integer)
NEIGHBOURS = (
    select(Role.id, Role.name, _ADJACENT.id, _ADJACENT.name, RoleAdjacency.similarity)
    .join(RoleAdjacency.role)
    .join(RoleAdjacency.adjacent.of_type(_ADJACENT))
    .where(
        RoleAdjacency.similarity >= bindparam("least", type_=Float),
        or_(_ROLE_ID.is_(None), RoleAdjacency.role_id == _ROLE_ID),
    )
    .order_by(RoleAdjacency.role_id, RoleAdjacency.similarity.desc(), RoleAdjacency.adjacent_role_id)
    .limit(MAX_PAIRS)
)


def complete_task(session: Session, text: str, limit: int) -> list[Suggestion]:
    """Find tasks by a part of the name."""
    rows = session.execute(TASKS, {"pattern": f"%{escape_like(text)}%", "limit": limit})
    return [Suggestion(row.id, row.name, row.category) for row in rows]


def role_neighbours(session: Session, loading: Loading, query: AdjacencyQuery) -> list[RoleNeighbours]:
    """Read roles with their neighbours, in one statement."""
    if loading.unoptimised:
        return as_found.role_neighbours(session, query, MAX_PAIRS)
    rows = session.execute(NEIGHBOURS, {"least": query.min_similarity, "role_id": query.role_id})
    return [
        RoleNeighbours(role_id, name, [Neighbour(*row[2:]) for row in group])
        for (role_id, name), group in groupby(rows, key=lambda row: (row[0], row[1]))
    ]
