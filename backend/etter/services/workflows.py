"""Workflows: a library shared by all companies, and each company's runs of them."""

from sqlalchemy.orm import Session
from yarl import URL

from etter.db.tables import User, Workflow, WorkflowHistory
from etter.errors import PermissionDeniedError
from etter.models.users import Named, RunItem
from etter.models.workflows import NewRun, WorkflowChange, WorkflowDetail, WorkflowItem, WorkflowListQuery
from etter.queries import workflows as sql
from etter.services.base import BaseService, Listed, Tools, assign
from etter.web.auth import Caller

RUNS = 20


class WorkflowService(BaseService[Workflow, WorkflowItem]):
    """Reads workflows; records runs; lets the platform change the library."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, sql.WORKFLOW_LIST, "workflow")

    async def workflows(self, query: WorkflowListQuery, url: URL) -> Listed[WorkflowItem]:
        """List the library."""
        return await self.page(query, query.sort, sql.workflow_filters(query), url)

    async def get(self, caller: Caller, workflow_id: int) -> WorkflowDetail:
        """Read a workflow with its steps and the company's latest runs."""
        return await self.tools.database.read(lambda session: self._detail(session, caller, workflow_id))

    async def change(self, caller: Caller, workflow_id: int, change: WorkflowChange) -> WorkflowDetail:
        """Change a workflow of the library, which every company sees."""
        if caller.role != "platform":
            msg = "Only the platform may change the workflow library"
            raise PermissionDeniedError(msg)

        def apply(_session: Session, workflow: Workflow) -> None:
            assign(workflow, change)
            workflow.updated_at = self.tools.clock()

        return await self.update(workflow_id, None, apply, lambda session, one: self._detail(session, caller, one.id))

    async def record_run(self, caller: Caller, workflow_id: int, new: NewRun) -> RunItem:
        """Record a run of a workflow by the caller."""

        def work(session: Session) -> RunItem:
            workflow = session.get(Workflow, workflow_id)
            if workflow is None:
                raise self.missing(workflow_id)
            user = session.get(User, caller.user_id)
            if user is None or user.company_id != caller.company_id:
                msg = "The token's user does not exist any more"
                raise PermissionDeniedError(msg)
            now = self.tools.clock()
            run = WorkflowHistory(
                user_id=user.id,
                company_id=user.company_id,
                workflow_id=workflow_id,
                status=new.status,
                started_at=now,
                finished_at=now if new.status in {"done", "failed"} else None,
            )
            session.add(run)
            session.flush()
            return RunItem(
                id=run.id,
                user=Named(user.id, user.name),
                workflow=Named(workflow.id, workflow.name),
                status=run.status,
                started_at=run.started_at,
                finished_at=run.finished_at,
            )

        return await self.tools.database.write(work)

    def _detail(self, session: Session, caller: Caller, workflow_id: int) -> WorkflowDetail:
        scope = caller.company_scope
        return self.found(workflow_id, sql.workflow_detail(session, self.tools.loading, workflow_id, scope, RUNS))
