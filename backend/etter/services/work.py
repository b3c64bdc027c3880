"""Documents of a company, projects of a user, runs and dashboards of a company."""

from collections.abc import Sequence
from statistics import fmean

from sqlalchemy import select
from sqlalchemy.orm import Session
from yarl import URL

from etter.db.tables import DashboardEntry, Document, Project, WorkflowHistory
from etter.errors import NotFoundError, ValidationError
from etter.models.work import (
    Dashboard,
    DashboardLine,
    DashboardQuery,
    DocumentChange,
    DocumentDetail,
    DocumentItem,
    DocumentListQuery,
    HistoryItem,
    HistoryQuery,
    NewDocument,
    NewProject,
    ProjectChange,
    ProjectDetail,
    ProjectItem,
    ProjectListQuery,
    ScoreChange,
)
from etter.queries import dashboard as dashboard_sql
from etter.queries import work as sql
from etter.queries.scope import in_company
from etter.services.base import BaseService, Listed, Tools, assign
from etter.web.auth import Caller


class DocumentService(BaseService[Document, DocumentItem]):
    """Reads and writes documents of the caller's company."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, sql.DOCUMENT_LIST, "document", Document.tenant_id)

    async def documents(self, caller: Caller, query: DocumentListQuery, url: URL) -> Listed[DocumentItem]:
        """List documents."""
        return await self.page(query, query.sort, sql.document_filters(query, caller.company_scope), url)

    async def get(self, caller: Caller, document_id: int) -> DocumentDetail:
        """Read one document."""
        return await self.read(document_id, caller.company_scope, sql.document_detail)

    async def add(self, caller: Caller, new: NewDocument) -> DocumentDetail:
        """Create a document for the caller's company."""

        def make(_session: Session) -> Document:
            document = Document(tenant_id=caller.company_id)
            assign(document, new)
            return document

        return await self.create(make, lambda _session, one: sql.document_detail(one))

    async def change(self, caller: Caller, document_id: int, change: DocumentChange) -> DocumentDetail:
        """Change some fields."""
        return await self.update(
            document_id,
            caller.company_scope,
            lambda _session, one: assign(one, change),
            lambda _session, one: sql.document_detail(one),
        )

    async def remove(self, caller: Caller, document_id: int) -> int:
        """Delete a document and return its tenant."""
        return await self.delete(document_id, caller.company_scope, lambda one: one.tenant_id)


class ProjectService(BaseService[Project, ProjectItem]):
    """Reads and writes the caller's own projects."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, sql.PROJECT_LIST, "project", Project.user_id)

    async def projects(self, caller: Caller, query: ProjectListQuery, url: URL) -> Listed[ProjectItem]:
        """List the caller's projects; the platform lists everybody's."""
        return await self.page(query, query.sort, sql.project_filters(query, _own(caller)), url)

    async def get(self, caller: Caller, project_id: int) -> ProjectDetail:
        """Read one project."""
        return await self.read(project_id, _own(caller), sql.project_detail)

    async def add(self, caller: Caller, new: NewProject) -> ProjectDetail:
        """Create a project for the caller."""

        def make(_session: Session) -> Project:
            project = Project(company_id=caller.company_id, user_id=caller.user_id)
            assign(project, new)
            return project

        return await self.create(make, lambda _session, one: sql.project_detail(one))

    async def change(self, caller: Caller, project_id: int, change: ProjectChange) -> ProjectDetail:
        """Change some fields."""
        return await self.update(
            project_id,
            _own(caller),
            lambda _session, one: assign(one, change),
            lambda _session, one: sql.project_detail(one),
        )

    async def remove(self, caller: Caller, project_id: int) -> int:
        """Delete a project."""
        return await self.delete(project_id, _own(caller), lambda one: one.id)


class HistoryService(BaseService[WorkflowHistory, HistoryItem]):
    """Lists runs by the company's users."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools, sql.HISTORY_LIST, "run")

    async def runs(self, caller: Caller, query: HistoryQuery, url: URL) -> Listed[HistoryItem]:
        """List runs."""
        return await self.page(query, query.sort, sql.history_filters(query, caller.company_scope), url)


class DashboardService:
    """Reads the CHRO dashboard and takes validated scores."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools

    async def dashboard(self, caller: Caller, query: DashboardQuery) -> Dashboard:
        """Read the company's dashboard; the platform reads one workflow across companies."""
        scope = caller.company_scope
        if scope is None and query.workflow_id is None:
            raise ValidationError("The platform has to name a workflow", field="workflow_id")
        lines = await self.tools.database.read(
            lambda session: dashboard_sql.dashboard_lines(session, self.tools.loading, scope, query.workflow_id)
        )
        return Dashboard(
            lines=lines,
            average_etter_score=_average([line.etter_score for line in lines]),
            average_validated_score=_average([line.validated_score for line in lines]),
        )

    async def validate(self, caller: Caller, entry_id: int, change: ScoreChange) -> DashboardLine:
        """Set or clear a validated score and return the line."""

        def work(session: Session) -> DashboardLine:
            scope = in_company(DashboardEntry.company_id, caller.company_scope)
            wanted = select(DashboardEntry).where(DashboardEntry.id == entry_id, *scope)
            entry = session.scalars(wanted.with_for_update(of=DashboardEntry)).one_or_none()
            if entry is None:
                raise NotFoundError("No dashboard entry with this id", id=entry_id)
            entry.validated_score = change.validated_score
            entry.updated_at = self.tools.clock()
            session.flush()
            lines = dashboard_sql.dashboard_lines(session, self.tools.loading, entry.company_id, entry.workflow_id)
            return next(line for line in lines if line.id == entry_id)

        return await self.tools.database.write(work)


def _own(caller: Caller) -> int | None:
    return None if caller.role == "platform" else caller.user_id


def _average(scores: Sequence[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return round(fmean(known), 2) if known else None
