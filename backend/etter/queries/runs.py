"""SQL of workflow runs as they stand on the pages of a user and of a workflow."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Integer, Row, bindparam, select
from sqlalchemy.orm import Session

from etter.db.tables import User, Workflow, WorkflowHistory
from etter.models.users import Named, RunItem
from etter.queries import as_found
from etter.queries.loading import Loading
from etter.queries.scope import in_scope

_RUNS = (
    select(
        WorkflowHistory.id,
        WorkflowHistory.status,
        WorkflowHistory.started_at,
        WorkflowHistory.finished_at,
        User.id.label("user_id"),
        User.name.label("user_name"),
        Workflow.id.label("workflow_id"),
        Workflow.name.label("workflow_name"),
    )
    .join(WorkflowHistory.user)
    .join(WorkflowHistory.workflow)
    .order_by(WorkflowHistory.started_at.desc(), WorkflowHistory.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
RUNS_OF_USER = _RUNS.where(WorkflowHistory.user_id == bindparam("user_id"), in_scope(WorkflowHistory.company_id))
RUNS_OF_WORKFLOW = _RUNS.where(
    WorkflowHistory.workflow_id == bindparam("workflow_id"), in_scope(WorkflowHistory.company_id)
)


def runs_of_user(
    session: Session, loading: Loading, user_id: int, company_scope: int | None, limit: int
) -> list[RunItem]:
    """Read a user's latest runs for the company: what was done for a former one stays there."""
    if loading.unoptimised:
        return as_found.runs_of_user(session, user_id, company_scope, limit)
    return _items(session.execute(RUNS_OF_USER, {"user_id": user_id, "scope": company_scope, "limit": limit}))


def runs_of_workflow(
    session: Session, loading: Loading, workflow_id: int, company_scope: int | None, limit: int
) -> list[RunItem]:
    """Read the latest runs of a workflow by the company's users."""
    if loading.unoptimised:
        return as_found.runs_of_workflow(session, workflow_id, company_scope, limit)
    values = {"workflow_id": workflow_id, "scope": company_scope, "limit": limit}
    return _items(session.execute(RUNS_OF_WORKFLOW, values))


def _items(rows: Iterable[Row[Any]]) -> list[RunItem]:
    return [
        RunItem(
            id=row.id,
            user=Named(row.user_id, row.user_name),
            workflow=Named(row.workflow_id, row.workflow_name),
            status=row.status,
            started_at=row.started_at,
            finished_at=row.finished_at,
        )
        for row in rows
    ]
