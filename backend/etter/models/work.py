"""Documents, projects, runs and dashboards on the wire."""

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from etter.models.users import Named
from etter.models.workflows import RunStatus
from etter.web.fields import Id, Name, Search, Text
from etter.web.pagination import ListQuery

DocumentStatus = Literal["draft", "published", "quarantined"]
ProjectStatus = Literal["active", "finished", "blocked"]
Score = Annotated[float, Meta(ge=0, le=100)]
TimeSort = Literal["id", "-id", "created_at", "-created_at"]


class DocumentListQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the document list."""

    q: Search | None = None
    status: DocumentStatus | None = None
    sort: TimeSort = "id"


class DocumentItem(msgspec.Struct, frozen=True, kw_only=True):
    """A document in a list; its body is cut."""

    id: int | UnsetType = UNSET
    tenant_id: int | UnsetType = UNSET
    title: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    created_at: dt.datetime | UnsetType = UNSET


class DocumentDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One document, whole."""

    id: int
    tenant_id: int
    title: str
    body: str
    status: str
    created_at: dt.datetime


class NewDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document to create."""

    title: Name
    body: Text
    status: DocumentStatus = "draft"


class DocumentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change."""

    title: Name | UnsetType = UNSET
    body: Text | UnsetType = UNSET
    status: DocumentStatus | UnsetType = UNSET


class ProjectListQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the caller's projects."""

    status: ProjectStatus | None = None
    sort: TimeSort = "-created_at"


class ProjectItem(msgspec.Struct, frozen=True, kw_only=True):
    """A project in a list; its description is cut."""

    id: int | UnsetType = UNSET
    user_id: int | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    created_at: dt.datetime | UnsetType = UNSET


class ProjectDetail(msgspec.Struct, frozen=True, kw_only=True):
    """One project, whole."""

    id: int
    user_id: int
    name: str
    description: str
    status: str
    created_at: dt.datetime


class NewProject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project to create for the caller."""

    name: Name
    description: Text = ""
    status: ProjectStatus = "active"


class ProjectChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    status: ProjectStatus | UnsetType = UNSET


class HistoryQuery(ListQuery, frozen=True, kw_only=True):
    """Filters and order of the company's workflow runs."""

    user_id: Id | None = None
    workflow_id: Id | None = None
    status: RunStatus | None = None
    sort: Literal["id", "-id"] = "id"


class HistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """A run in a list."""

    id: int | UnsetType = UNSET
    user_id: int | UnsetType = UNSET
    workflow_id: int | UnsetType = UNSET
    status: str | UnsetType = UNSET
    started_at: dt.datetime | UnsetType = UNSET
    finished_at: dt.datetime | UnsetType | None = UNSET


class DashboardQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of the dashboard to show; the platform has to name a workflow."""

    workflow_id: Id | None = None


class RunCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs of a workflow are in which state."""

    planned: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0


class DashboardLine(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow in one company; scores in percent."""

    id: int
    company_id: int
    workflow: Named
    function: str
    etter_score: float
    validated_score: float | None
    runs: RunCounts
    updated_at: dt.datetime


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """The CHRO dashboard; averages over the lines shown."""

    lines: list[DashboardLine]
    average_etter_score: float | None
    average_validated_score: float | None


class ScoreChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A score that somebody has checked."""

    validated_score: Score | None
