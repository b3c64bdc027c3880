"""Routes of workflows."""

from dataclasses import dataclass

from etter import groups
from etter.models.users import RunItem
from etter.models.workflows import NewRun, WorkflowChange, WorkflowDetail, WorkflowItem, WorkflowListQuery
from etter.services.workflows import WorkflowService
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.envelope import Page
from etter.web.sparse import DetailQuery, sparse, sparse_type

_PATH = "/api/etter/workflows"
_ONE = "/api/etter/workflows/{id}"


@dataclass(frozen=True, slots=True)
class WorkflowRoutes:
    """Handlers over the workflow service."""

    workflows: WorkflowService

    async def list(self, call: Call[WorkflowListQuery, NoBody]) -> Result:
        """List the library."""
        return Result((await self.workflows.workflows(call.query, call.url)).page, groups=(groups.WORKFLOWS,))

    async def get(self, call: Call[DetailQuery, NoBody]) -> Result:
        """Read one workflow with the company's latest runs."""
        detail = await self.workflows.get(call.caller, call.id)
        company_id = call.caller.company_id
        shown = (
            groups.workflow(call.id),
            groups.company_workflow(company_id, call.id),
            *groups.users_named(run.user.id for run in detail.history),
        )
        return Result(sparse(detail, call.query.fields), groups=shown)

    async def change(self, call: Call[NoQuery, WorkflowChange]) -> Result:
        """Change a workflow of the library."""
        detail = await self.workflows.change(call.caller, call.id, call.body)
        return Result(detail, invalidates=(groups.workflow(call.id), groups.WORKFLOWS))

    async def record(self, call: Call[NoQuery, NewRun]) -> Result:
        """Record a run by the caller."""
        run = await self.workflows.record_run(call.caller, call.id, call.body)
        company_id = call.caller.company_id
        stale = (
            groups.user_runs(run.user.id),
            groups.company_workflow(company_id, call.id),
            groups.company_history(company_id),
        )
        return Result(run, invalidates=stale, status=201)

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        return (
            Route(
                method="GET",
                path=_PATH,
                summary="List workflows",
                handler=self.list,
                advice=CacheAdvice(Sharing.REFERENCE, shared_seconds=1800),
                data=Page[WorkflowItem],
                query=WorkflowListQuery,
            ),
            Route(
                method="GET",
                path=_ONE,
                summary="Read a workflow",
                handler=self.get,
                advice=CacheAdvice(Sharing.COMPANY, shared_seconds=1800),
                data=sparse_type(WorkflowDetail),
                query=DetailQuery,
            ),
            Route(
                method="PATCH",
                path=_ONE,
                summary="Change a workflow",
                handler=self.change,
                data=WorkflowDetail,
                body=WorkflowChange,
            ),
            Route(
                method="POST",
                path=_ONE + "/history",
                summary="Record a run",
                handler=self.record,
                data=RunItem,
                body=NewRun,
                status=201,
            ),
        )
