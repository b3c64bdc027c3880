"""SQL of reference data: the same for every caller."""

from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from backend.db.tables import RoleAdjacency, Task
from backend.models.reference import AdjacencyQuery, Neighbour, RoleNeighbours, Suggestion
from backend.queries.loading import Loading, contains

MAX_PAIRS = 2000


def complete_task(session: Session, text: str, limit: int) -> list[Suggestion]:
    """Find tasks by a part of the name."""
    statement = (
        select(Task.id, Task.name, Task.category).where(contains(Task.name, text)).order_by(Task.name).limit(limit)
    )
    return [Suggestion(row.id, row.name, row.category) for row in session.execute(statement)]


def role_neighbours(session: Session, loading: Loading, query: AdjacencyQuery) -> list[RoleNeighbours]:
    """Read roles with their neighbours, in one statement."""
    statement = (
        select(RoleAdjacency)
        .where(RoleAdjacency.similarity >= query.min_similarity)
        .order_by(RoleAdjacency.role_id, RoleAdjacency.similarity.desc(), RoleAdjacency.adjacent_role_id)
        .limit(MAX_PAIRS)
        .options(*loading.eager(joinedload(RoleAdjacency.role), joinedload(RoleAdjacency.adjacent)))
    )
    if query.role_id is not None:
        statement = statement.where(RoleAdjacency.role_id == query.role_id)
    pairs = session.scalars(statement).all()
    return [
        RoleNeighbours(role.id, role.name, [_neighbour(pair) for pair in group])
        for role, group in groupby(pairs, key=lambda pair: pair.role)
    ]


def _neighbour(pair: RoleAdjacency) -> Neighbour:
    return Neighbour(pair.adjacent.id, pair.adjacent.name, pair.similarity)
