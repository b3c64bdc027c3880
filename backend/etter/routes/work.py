"""Routes of documents and projects."""

from dataclasses import dataclass

from etter import groups
from etter.models.users import Deleted
from etter.models.work import (
    DocumentChange,
    DocumentDetail,
    DocumentItem,
    DocumentListQuery,
    NewDocument,
    NewProject,
    ProjectChange,
    ProjectDetail,
    ProjectItem,
    ProjectListQuery,
)
from etter.services.work import DocumentService, ProjectService
from etter.web.caching import CacheAdvice, Sharing
from etter.web.call import Call, NoBody, NoQuery, Result, Route
from etter.web.envelope import Page
from etter.web.sparse import DetailQuery, sparse, sparse_type

_DOCUMENTS = "/api/etter/documents"
_PROJECTS = "/api/etter/projects"
_READ = CacheAdvice(Sharing.COMPANY, shared_seconds=300)
_PERSONAL = CacheAdvice(Sharing.PERSONAL)


@dataclass(frozen=True, slots=True)
class DocumentRoutes:
    """Handlers over the document service."""

    documents: DocumentService

    async def list(self, call: Call[DocumentListQuery, NoBody]) -> Result:
        """List documents of the caller's company."""
        listed = await self.documents.documents(call.caller, call.query, call.url)
        return Result(listed.page, groups=(groups.DOCUMENTS, groups.company_documents(call.caller.company_id)))

    async def get(self, call: Call[DetailQuery, NoBody]) -> Result:
        """Read one document."""
        document = await self.documents.get(call.caller, call.id)
        return Result(sparse(document, call.query.fields), groups=(groups.document(document.id),))

    async def create(self, call: Call[NoQuery, NewDocument]) -> Result:
        """Create a document."""
        document = await self.documents.add(call.caller, call.body)
        location = {"Location": f"{_DOCUMENTS}/{document.id}"}
        return Result(document, invalidates=_stale(document), status=201, headers=location)

    async def change(self, call: Call[NoQuery, DocumentChange]) -> Result:
        """Change a document."""
        document = await self.documents.change(call.caller, call.id, call.body)
        return Result(document, invalidates=_stale(document))

    async def delete(self, call: Call[NoQuery, NoBody]) -> Result:
        """Delete a document."""
        tenant_id = await self.documents.remove(call.caller, call.id)
        return Result(Deleted(call.id), invalidates=(groups.document(call.id), groups.company_documents(tenant_id)))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        one = _DOCUMENTS + "/{id}"
        return (
            Route(
                method="GET",
                path=_DOCUMENTS,
                summary="List documents",
                handler=self.list,
                advice=_READ,
                data=Page[DocumentItem],
                query=DocumentListQuery,
            ),
            Route(
                method="POST",
                path=_DOCUMENTS,
                summary="Create a document",
                handler=self.create,
                data=DocumentDetail,
                body=NewDocument,
                status=201,
            ),
            Route(
                method="GET",
                path=one,
                summary="Read a document",
                handler=self.get,
                advice=_READ,
                data=sparse_type(DocumentDetail),
                query=DetailQuery,
            ),
            Route(
                method="PATCH",
                path=one,
                summary="Change a document",
                handler=self.change,
                data=DocumentDetail,
                body=DocumentChange,
            ),
            Route(method="DELETE", path=one, summary="Delete a document", handler=self.delete, data=Deleted),
        )


@dataclass(frozen=True, slots=True)
class ProjectRoutes:
    """Handlers over the project service: personal data, private in every answer."""

    projects: ProjectService

    async def list(self, call: Call[ProjectListQuery, NoBody]) -> Result:
        """List the caller's projects."""
        return Result((await self.projects.projects(call.caller, call.query, call.url)).page)

    async def get(self, call: Call[DetailQuery, NoBody]) -> Result:
        """Read one project."""
        return Result(sparse(await self.projects.get(call.caller, call.id), call.query.fields))

    async def create(self, call: Call[NoQuery, NewProject]) -> Result:
        """Create a project."""
        project = await self.projects.add(call.caller, call.body)
        return Result(project, status=201, headers={"Location": f"{_PROJECTS}/{project.id}"})

    async def change(self, call: Call[NoQuery, ProjectChange]) -> Result:
        """Change a project."""
        return Result(await self.projects.change(call.caller, call.id, call.body))

    async def delete(self, call: Call[NoQuery, NoBody]) -> Result:
        """Delete a project."""
        return Result(Deleted(await self.projects.remove(call.caller, call.id)))

    def table(self) -> tuple[Route, ...]:
        """Declare the routes."""
        one = _PROJECTS + "/{id}"
        return (
            Route(
                method="GET",
                path=_PROJECTS,
                summary="List the caller's projects",
                handler=self.list,
                advice=_PERSONAL,
                data=Page[ProjectItem],
                query=ProjectListQuery,
            ),
            Route(
                method="POST",
                path=_PROJECTS,
                summary="Create a project",
                handler=self.create,
                data=ProjectDetail,
                body=NewProject,
                status=201,
            ),
            Route(
                method="GET",
                path=one,
                summary="Read a project",
                handler=self.get,
                advice=_PERSONAL,
                data=sparse_type(ProjectDetail),
                query=DetailQuery,
            ),
            Route(
                method="PATCH",
                path=one,
                summary="Change a project",
                handler=self.change,
                data=ProjectDetail,
                body=ProjectChange,
            ),
            Route(method="DELETE", path=one, summary="Delete a project", handler=self.delete, data=Deleted),
        )


def _stale(document: DocumentDetail) -> tuple[str, ...]:
    return groups.document(document.id), groups.company_documents(document.tenant_id)
