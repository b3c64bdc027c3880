"""SQL of workflows."""

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session, joinedload

from etter.db.tables import Task, Workflow, WorkflowStep
from etter.models.workflows import Step, WorkflowDetail, WorkflowItem, WorkflowListQuery
from etter.queries.loading import Filters, ListSpec, Loading, anywhere, contains, cut
from etter.queries.runs import runs_of_workflow


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
    filters={
        "q": contains(Workflow.name, "q"),
        "function": Workflow.function == bindparam("function"),
        "status": Workflow.status == bindparam("status"),
    },
    from_entity=_item,
)


def workflow_filters(query: WorkflowListQuery) -> Filters:
    """Turn a list query into filters."""
    return {"q": anywhere(query.q), "function": query.function, "status": query.status}


_WORKFLOW = select(Workflow).where(Workflow.id == bindparam("workflow_id"))
# Steps come with the workflow, their tasks with the steps: one statement, however many there are.
WORKFLOW_DETAIL = _WORKFLOW.options(joinedload(Workflow.steps).joinedload(WorkflowStep.task).load_only(Task.name))


def workflow_detail(
    session: Session, loading: Loading, workflow_id: int, company_scope: int | None, runs: int
) -> WorkflowDetail | None:
    """Read a workflow with its steps, and its latest runs in the company, in two statements."""
    statement = _WORKFLOW if loading.unoptimised else WORKFLOW_DETAIL
    workflow = session.scalars(statement, {"workflow_id": workflow_id}).unique().one_or_none()
    if workflow is None:
        return None
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
        history=runs_of_workflow(session, loading, workflow_id, company_scope, runs),
        created_at=workflow.created_at,
        updated_at=workflow.updated_at,
    )
