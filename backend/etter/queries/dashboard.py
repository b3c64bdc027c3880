"""SQL of the CHRO dashboard: one statement at any size."""

from typing import Any

from sqlalchemy import Integer, Row, bindparam, func, or_, select, true
from sqlalchemy.orm import Session

from etter.db.tables import DashboardEntry, Workflow, WorkflowHistory
from etter.models.users import Named
from etter.models.work import DashboardLine, RunCounts
from etter.queries import as_found
from etter.queries.loading import Loading
from etter.queries.scope import in_scope

MAX_LINES = 500
_ONE = bindparam("workflow_id", type_=Integer)


def _in_state(state: str) -> Any:
    return func.count().filter(WorkflowHistory.status == state).label(state)


# Counted for each line by itself, from an index alone: what other companies do costs nothing, whoever asks.
_COUNTS = (
    select(*(_in_state(state) for state in RunCounts.__struct_fields__))
    .where(
        WorkflowHistory.company_id == DashboardEntry.company_id,
        WorkflowHistory.workflow_id == DashboardEntry.workflow_id,
    )
    .correlate(DashboardEntry)
    .lateral()
)
DASHBOARD = (
    select(
        DashboardEntry.id,
        DashboardEntry.company_id,
        Workflow.id.label("workflow_id"),
        Workflow.name,
        Workflow.function,
        DashboardEntry.etter_score,
        DashboardEntry.validated_score,
        DashboardEntry.updated_at,
        *(_COUNTS.c[state] for state in RunCounts.__struct_fields__),
    )
    .join(DashboardEntry.workflow)
    .join(_COUNTS, true())
    .where(in_scope(DashboardEntry.company_id), or_(_ONE.is_(None), DashboardEntry.workflow_id == _ONE))
    .order_by(DashboardEntry.company_id, DashboardEntry.workflow_id)
    .limit(MAX_LINES)
)


def dashboard_lines(
    session: Session, loading: Loading, company_scope: int | None, workflow_id: int | None
) -> list[DashboardLine]:
    """Read the lines; `company_scope` or `workflow_id` must be given, so that the counting stays bounded."""
    if loading.unoptimised:
        return as_found.dashboard_lines(session, company_scope, workflow_id, MAX_LINES)
    rows = session.execute(DASHBOARD, {"scope": company_scope, "workflow_id": workflow_id})
    return [_line(row) for row in rows]


def _line(row: Row[Any]) -> DashboardLine:
    return DashboardLine(
        id=row.id,
        company_id=row.company_id,
        workflow=Named(row.workflow_id, row.name),
        function=row.function,
        etter_score=row.etter_score,
        validated_score=row.validated_score,
        runs=RunCounts(planned=row.planned, running=row.running, done=row.done, failed=row.failed),
        updated_at=row.updated_at,
    )
