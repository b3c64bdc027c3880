"""SQL of workflows and their runs."""

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from backend.db.tables import User, Workflow, WorkflowHistory, WorkflowStep
from backend.models.workflows import Step, WorkflowDetail, WorkflowItem, WorkflowListQuery
from backend.queries.loading import ListSpec, Loading, contains, cut
from backend.queries.scope import in_company
from backend.queries.users import run_item


def _item(workflow: Workflow) -> WorkflowItem:
    return WorkflowItem(
        id=workflow.id,
        name=workflow.name,
        description=workflow.description,
        function=workflow.function,
        status=workflow.status,
        updated_at=workflow.updated_at,
    )


WORKFLOW_LIST = ListSpec(
    entity=Workflow,
    item=WorkflowItem,
    id=Workflow.id,
    columns={
        "id": Workflow.id,
        "name": Workflow.name,
        "description": cut(Workflow.description),
        "function": Workflow.function,
        "status": Workflow.status,
        "updated_at": Workflow.updated_at,
    },
    sorts={"id": Workflow.id, "name": Workflow.name},
    from_entity=_item,
)


def workflow_filters(query: WorkflowListQuery) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions."""
    filters: list[ColumnElement[bool]] = []
    if query.q is not None:
        filters.append(contains(Workflow.name, query.q))
    if query.function is not None:
        filters.append(Workflow.function == query.function)
    if query.status is not None:
        filters.append(Workflow.status == query.status)
    return filters


def detail_statement(loading: Loading, workflow_id: int) -> Select[Workflow]:
    """Select a workflow with its steps and their tasks."""
    return (
        select(Workflow)
        .where(Workflow.id == workflow_id)
        .options(*loading.eager(joinedload(Workflow.steps).joinedload(WorkflowStep.task)))
    )


def workflow_detail(
    session: Session, loading: Loading, workflow_id: int, company_scope: int | None, runs: int
) -> WorkflowDetail | None:
    """Read a workflow with its steps, and its latest runs in the company, in two statements."""
    workflow = session.scalars(detail_statement(loading, workflow_id)).unique().one_or_none()
    if workflow is None:
        return None
    latest = runs_statement(loading, workflow_id, company_scope, runs)
    return WorkflowDetail(
        id=workflow.id,
        name=workflow.name,
        description=workflow.description,
        function=workflow.function,
        status=workflow.status,
        steps=[
            Step(
                position=step.position,
                name=step.name,
                task=step.task.name,
                minutes=step.minutes,
                automation=step.automation,
            )
            for step in workflow.steps
        ],
        history=[run_item(run) for run in session.scalars(latest)],
        created_at=workflow.created_at,
        updated_at=workflow.updated_at,
    )


def runs_statement(
    loading: Loading, workflow_id: int, company_scope: int | None, limit: int
) -> Select[WorkflowHistory]:
    """Select the latest runs of a workflow by the company's users."""
    return (
        select(WorkflowHistory)
        .join(WorkflowHistory.user)
        .where(WorkflowHistory.workflow_id == workflow_id, *in_company(User.company_id, company_scope))
        .order_by(WorkflowHistory.started_at.desc(), WorkflowHistory.id.desc())
        .limit(limit)
        .options(*loading.eager(contains_eager(WorkflowHistory.user), joinedload(WorkflowHistory.workflow)))
    )
