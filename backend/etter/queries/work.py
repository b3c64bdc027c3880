"""SQL of documents, projects, and runs as lists."""

from sqlalchemy import bindparam

from etter.db.tables import Document, Project, WorkflowHistory
from etter.models.work import (
    DocumentDetail,
    DocumentItem,
    DocumentListQuery,
    HistoryItem,
    HistoryQuery,
    ProjectDetail,
    ProjectItem,
    ProjectListQuery,
)
from etter.queries.loading import Filters, ListSpec, anywhere, contains, cut

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
    filters={
        "scope": Document.tenant_id == bindparam("scope"),
        "q": contains(Document.title, "q"),
        "status": Document.status == bindparam("status"),
    },
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
    filters={"user_id": Project.user_id == bindparam("user_id"), "status": Project.status == bindparam("status")},
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
    filters={
        "scope": WorkflowHistory.company_id == bindparam("scope"),
        "user_id": WorkflowHistory.user_id == bindparam("user_id"),
        "workflow_id": WorkflowHistory.workflow_id == bindparam("workflow_id"),
        "status": WorkflowHistory.status == bindparam("status"),
    },
    from_entity=lambda one: HistoryItem(
        id=one.id,
        user_id=one.user_id,
        workflow_id=one.workflow_id,
        status=one.status,
        started_at=one.started_at,
        finished_at=one.finished_at,
    ),
)


def document_filters(query: DocumentListQuery, company_scope: int | None) -> Filters:
    """Turn a list query into filters within the caller's company."""
    return {"scope": company_scope, "q": anywhere(query.q), "status": query.status}


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


def project_filters(query: ProjectListQuery, user_scope: int | None) -> Filters:
    """Turn a list query into filters on the caller's own projects; all projects for the platform."""
    return {"user_id": user_scope, "status": query.status}


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


def history_filters(query: HistoryQuery, company_scope: int | None) -> Filters:
    """Turn a list query into filters on runs by the company's users."""
    return {
        "scope": company_scope,
        "user_id": query.user_id,
        "workflow_id": query.workflow_id,
        "status": query.status,
    }
