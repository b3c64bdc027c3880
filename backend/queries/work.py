"""SQL of documents, projects, and runs as lists."""

from sqlalchemy import ColumnElement, any_, func, select

from backend.db.tables import Document, Project, User, WorkflowHistory
from backend.models.work import (
    DocumentDetail,
    DocumentItem,
    DocumentListQuery,
    HistoryItem,
    HistoryQuery,
    ProjectDetail,
    ProjectItem,
    ProjectListQuery,
)
from backend.queries.loading import ListSpec, contains, cut
from backend.queries.scope import in_company

DOCUMENT_LIST = ListSpec(
    entity=Document,
    item=DocumentItem,
    id=Document.id,
    columns={
        "id": Document.id,
        "tenant_id": Document.tenant_id,
        "title": Document.title,
        "body": cut(Document.body),
        "status": Document.status,
        "created_at": Document.created_at,
    },
    sorts={"id": Document.id, "created_at": Document.created_at},
    from_entity=lambda one: DocumentItem(
        id=one.id, tenant_id=one.tenant_id, title=one.title, body=one.body, status=one.status, created_at=one.created_at
    ),
)
PROJECT_LIST = ListSpec(
    entity=Project,
    item=ProjectItem,
    id=Project.id,
    columns={
        "id": Project.id,
        "user_id": Project.user_id,
        "name": Project.name,
        "description": cut(Project.description),
        "status": Project.status,
        "created_at": Project.created_at,
    },
    sorts={"id": Project.id, "created_at": Project.created_at},
    from_entity=lambda one: ProjectItem(
        id=one.id,
        user_id=one.user_id,
        name=one.name,
        description=one.description,
        status=one.status,
        created_at=one.created_at,
    ),
)
HISTORY_LIST = ListSpec(
    entity=WorkflowHistory,
    item=HistoryItem,
    id=WorkflowHistory.id,
    columns={
        "id": WorkflowHistory.id,
        "user_id": WorkflowHistory.user_id,
        "workflow_id": WorkflowHistory.workflow_id,
        "status": WorkflowHistory.status,
        "started_at": WorkflowHistory.started_at,
        "finished_at": WorkflowHistory.finished_at,
    },
    sorts={"id": WorkflowHistory.id},
    from_entity=lambda one: HistoryItem(
        id=one.id,
        user_id=one.user_id,
        workflow_id=one.workflow_id,
        status=one.status,
        started_at=one.started_at,
        finished_at=one.finished_at,
    ),
)


def document_filters(query: DocumentListQuery, company_scope: int | None) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions within the caller's company."""
    filters = in_company(Document.tenant_id, company_scope)
    if query.q is not None:
        filters.append(contains(Document.title, query.q))
    if query.status is not None:
        filters.append(Document.status == query.status)
    return filters


def document_detail(document: Document) -> DocumentDetail:
    """Copy a loaded document out of the session."""
    return DocumentDetail(
        id=document.id,
        tenant_id=document.tenant_id,
        title=document.title,
        body=document.body,
        status=document.status,
        created_at=document.created_at,
    )


def project_filters(query: ProjectListQuery, user_scope: int | None) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions on the caller's own projects; all projects for the platform."""
    filters = [] if user_scope is None else [Project.user_id == user_scope]
    if query.status is not None:
        filters.append(Project.status == query.status)
    return filters


def project_detail(project: Project) -> ProjectDetail:
    """Copy a loaded project out of the session."""
    return ProjectDetail(
        id=project.id,
        user_id=project.user_id,
        name=project.name,
        description=project.description,
        status=project.status,
        created_at=project.created_at,
    )


def history_filters(query: HistoryQuery, company_scope: int | None) -> list[ColumnElement[bool]]:
    """Turn a list query into conditions on runs by the company's users."""
    filters: list[ColumnElement[bool]] = []
    if company_scope is not None:
        # As an array the staff is known before the runs are read. As IN (SELECT ...) it becomes a join, which with
        # ORDER BY id LIMIT 20 is planned as a walk along the primary key until twenty runs happen to fit.
        staff = select(User.id).where(User.company_id == company_scope).scalar_subquery()
        filters.append(WorkflowHistory.user_id == any_(func.array(staff)))
    if query.user_id is not None:
        filters.append(WorkflowHistory.user_id == query.user_id)
    if query.workflow_id is not None:
        filters.append(WorkflowHistory.workflow_id == query.workflow_id)
    if query.status is not None:
        filters.append(WorkflowHistory.status == query.status)
    return filters
