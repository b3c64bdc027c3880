"""SQL of the CHRO dashboard: two statements at any size."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from backend.db.tables import DashboardEntry, User, Workflow, WorkflowHistory
from backend.models.users import Named
from backend.models.work import DashboardLine, RunCounts
from backend.queries.loading import Loading
from backend.queries.scope import in_company

MAX_LINES = 500
CountKey = tuple[int, int]


def entries_statement(loading: Loading, company_scope: int | None, workflow_id: int | None) -> Select[DashboardEntry]:
    """Select the lines with their workflows."""
    statement = (
        select(DashboardEntry)
        .where(*in_company(DashboardEntry.company_id, company_scope))
        .options(*loading.eager(joinedload(DashboardEntry.workflow).load_only(Workflow.name, Workflow.function)))
        .order_by(DashboardEntry.company_id, DashboardEntry.workflow_id)
        .limit(MAX_LINES)
    )
    return statement if workflow_id is None else statement.where(DashboardEntry.workflow_id == workflow_id)


def counts_statement(company_scope: int | None, workflow_id: int | None) -> Select[int, int, str, int]:
    """Count the runs by company, workflow and state."""
    statement = (
        select(User.company_id, WorkflowHistory.workflow_id, WorkflowHistory.status, func.count().label("runs"))
        .join(User, User.id == WorkflowHistory.user_id)
        .where(*in_company(User.company_id, company_scope))
        .group_by(User.company_id, WorkflowHistory.workflow_id, WorkflowHistory.status)
    )
    return statement if workflow_id is None else statement.where(WorkflowHistory.workflow_id == workflow_id)


def dashboard_lines(
    session: Session, loading: Loading, company_scope: int | None, workflow_id: int | None
) -> list[DashboardLine]:
    """Read the lines; `company_scope` or `workflow_id` must be given, so that the counting stays bounded."""
    entries = session.scalars(entries_statement(loading, company_scope, workflow_id)).all()
    if loading.unoptimised:
        return [_line(entry, _one_by_one(session, entry)) for entry in entries]
    counted: dict[CountKey, dict[str, int]] = {}
    for company_id, counted_workflow, state, runs in session.execute(counts_statement(company_scope, workflow_id)):
        counted.setdefault((company_id, counted_workflow), {})[state] = runs
    return [_line(entry, counted.get((entry.company_id, entry.workflow_id), {})) for entry in entries]


def _one_by_one(session: Session, entry: DashboardEntry) -> Mapping[str, int]:
    rows = session.execute(counts_statement(entry.company_id, entry.workflow_id))
    return {state: runs for _company, _workflow, state, runs in rows}


def _line(entry: DashboardEntry, runs: Mapping[str, int]) -> DashboardLine:
    return DashboardLine(
        id=entry.id,
        company_id=entry.company_id,
        workflow=Named(entry.workflow.id, entry.workflow.name),
        function=entry.workflow.function,
        etter_score=entry.etter_score,
        validated_score=entry.validated_score,
        runs=msgspec.convert(runs, RunCounts),
        updated_at=entry.updated_at,
    )
