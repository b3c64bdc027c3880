"""SQL of reference data: the same for every caller."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import Task
from backend.models.reference import Suggestion
from backend.queries.loading import contains


def complete_task(session: Session, text: str, limit: int) -> list[Suggestion]:
    """Find tasks by a part of the name."""
    statement = (
        select(Task.id, Task.name, Task.category).where(contains(Task.name, text)).order_by(Task.name).limit(limit)
    )
    return [Suggestion(row.id, row.name, row.category) for row in session.execute(statement)]
