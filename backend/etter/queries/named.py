"""The statements that matter, by name: for EXPLAIN on demand, and for the tests that look at their plans."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, Select

from etter.models.users import UserListQuery
from etter.models.work import DocumentListQuery, HistoryQuery, ProjectListQuery
from etter.queries import companies, dashboard, runs, users, work, workflows
from etter.queries.loading import Filters, ListRequest, ListSpec, ListStatements
from etter.web.pagination import CursorKey, Window


@dataclass(frozen=True, slots=True)
class Sample:
    """The values that a named statement is filled with."""

    company_id: int
    user_id: int
    workflow_id: int
    email: str


def _page(spec: ListSpec[Any, Any], filters: Filters, sort: str = "id", after: CursorKey | None = None) -> Select[Any]:
    window = Window(None if after else 1, 20, after)
    statement, values = ListStatements(spec).rows(filters, ListRequest(window, frozenset(spec.columns), sort))
    return statement.params(values)


def _deep(sort_key: dt.datetime) -> CursorKey:
    return sort_key.isoformat(), 1_000_000


_MIDYEAR = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)

NAMED: Mapping[str, Callable[[Sample], ClauseElement]] = {
    "users_of_company": lambda of: _page(users.USER_LIST, users.user_filters(UserListQuery(), of.company_id)),
    "user_by_email": lambda of: _page(users.USER_LIST, users.user_filters(UserListQuery(email=of.email), None)),
    "user_completion_by_email": lambda of: users.COMPLETION_BY_EMAIL.params(
        scope=None, pattern=of.email[:8] + "@%", limit=10
    ),
    "users_newest": lambda _: _page(users.USER_LIST, {}, "-created_at", _deep(_MIDYEAR)),
    "user_search": lambda _: _page(users.USER_LIST, users.user_filters(UserListQuery(q="zoe yilmaz"), None), "name"),
    "teams_of_company": lambda of: companies.TEAM_SIZES.params(company_id=of.company_id),
    "user_detail": lambda of: users.USER_DETAIL.params(user_id=of.user_id, scope=of.company_id),
    "runs_of_user": lambda of: runs.RUNS_OF_USER.params(user_id=of.user_id, scope=of.company_id, limit=50),
    "runs_of_workflow": lambda of: runs.RUNS_OF_WORKFLOW.params(workflow_id=of.workflow_id, scope=None, limit=20),
    "runs_of_company": lambda of: _page(work.HISTORY_LIST, work.history_filters(HistoryQuery(), of.company_id)),
    "runs_of_company_by_cursor": lambda of: _page(
        work.HISTORY_LIST, work.history_filters(HistoryQuery(), of.company_id), "-id", (50_000, 50_000)
    ),
    "runs_of_workflow_in_company": lambda of: runs.RUNS_OF_WORKFLOW.params(
        workflow_id=of.workflow_id, scope=of.company_id, limit=20
    ),
    "runs_failed": lambda _: _page(work.HISTORY_LIST, work.history_filters(HistoryQuery(status="failed"), None)),
    "runs_of_user_in_workflow": lambda of: _page(
        work.HISTORY_LIST,
        work.history_filters(HistoryQuery(user_id=of.user_id, workflow_id=of.workflow_id, status="done"), None),
    ),
    "documents_of_company": lambda of: _page(
        work.DOCUMENT_LIST, work.document_filters(DocumentListQuery(), of.company_id)
    ),
    "documents_quarantined": lambda _: _page(
        work.DOCUMENT_LIST, work.document_filters(DocumentListQuery(status="quarantined"), None)
    ),
    "documents_newest": lambda _: _page(work.DOCUMENT_LIST, {}, "-created_at", _deep(_MIDYEAR)),
    "projects_of_user": lambda of: _page(
        work.PROJECT_LIST, work.project_filters(ProjectListQuery(), of.user_id), "-created_at"
    ),
    "projects_blocked": lambda _: _page(
        work.PROJECT_LIST, work.project_filters(ProjectListQuery(status="blocked"), None), "id"
    ),
    "dashboard_of_workflow": lambda of: dashboard.DASHBOARD.params(scope=None, workflow_id=of.workflow_id),
    "dashboard_of_company": lambda of: dashboard.DASHBOARD.params(scope=of.company_id, workflow_id=None),
    "workflow_detail": lambda of: workflows.WORKFLOW_DETAIL.params(workflow_id=of.workflow_id),
}
