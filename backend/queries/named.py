"""The statements that matter, by name: for EXPLAIN on demand, and for the tests that look at their plans."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, Select

from backend.models.users import UserListQuery
from backend.models.work import DocumentListQuery, HistoryQuery, ProjectListQuery
from backend.queries import companies, dashboard, loading, users, work, workflows
from backend.queries.loading import ListRequest, ListSpec, Loading, list_statement
from backend.web.pagination import CursorKey, Window


@dataclass(frozen=True, slots=True)
class Sample:
    """The values that a named statement is filled with."""

    company_id: int
    user_id: int
    workflow_id: int
    email: str


_EAGER = Loading()


def _page(
    spec: ListSpec[Any, Any], filters: Sequence[ColumnElement[bool]], sort: str = "id", after: CursorKey | None = None
) -> Select[Any]:
    window = Window(None if after else 1, 20, after)
    return list_statement(spec, filters, ListRequest(window, frozenset(spec.columns), sort))


def _deep(sort_key: dt.datetime) -> CursorKey:
    return sort_key.isoformat(), 1_000_000


_MIDYEAR = dt.datetime(2025, 7, 1, tzinfo=dt.UTC)

NAMED: Mapping[str, Callable[[Sample], ClauseElement]] = {
    "users_of_company": lambda of: _page(users.USER_LIST, users.user_filters(UserListQuery(), of.company_id)),
    "user_by_email": lambda of: _page(users.USER_LIST, users.user_filters(UserListQuery(email=of.email), None)),
    "user_completion_by_email": lambda of: users.completion_statement(of.email[:8] + "@", None, 10),
    "users_newest": lambda _: _page(users.USER_LIST, [], "-created_at", _deep(_MIDYEAR)),
    "user_search": lambda _: _page(users.USER_LIST, users.user_filters(UserListQuery(q="zoe yilmaz"), None), "name"),
    "teams_of_company": lambda of: companies.team_sizes_statement(of.company_id),
    "user_detail_teams": lambda of: users.teams_statement(of.user_id),
    "runs_of_user": lambda of: users.runs_statement(_EAGER, of.user_id, 50),
    "runs_of_workflow": lambda of: workflows.runs_statement(_EAGER, of.workflow_id, None, 20),
    "runs_of_company": lambda of: _page(work.HISTORY_LIST, work.history_filters(HistoryQuery(), of.company_id)),
    "runs_failed": lambda _: _page(work.HISTORY_LIST, work.history_filters(HistoryQuery(status="failed"), None)),
    "runs_of_user_in_workflow": lambda of: _page(
        work.HISTORY_LIST,
        work.history_filters(HistoryQuery(user_id=of.user_id, workflow_id=of.workflow_id, status="done"), None),
    ),
    "run_counts_of_company": lambda of: dashboard.counts_statement(of.company_id, None),
    "documents_of_company": lambda of: _page(
        work.DOCUMENT_LIST, work.document_filters(DocumentListQuery(), of.company_id)
    ),
    "documents_quarantined": lambda _: _page(
        work.DOCUMENT_LIST, work.document_filters(DocumentListQuery(status="quarantined"), None)
    ),
    "documents_newest": lambda _: _page(work.DOCUMENT_LIST, [], "-created_at", _deep(_MIDYEAR)),
    "projects_of_user": lambda of: _page(
        work.PROJECT_LIST, work.project_filters(ProjectListQuery(), of.user_id), "-created_at"
    ),
    "projects_blocked": lambda _: _page(
        work.PROJECT_LIST, work.project_filters(ProjectListQuery(status="blocked"), None), "id"
    ),
    "dashboard_of_workflow": lambda of: dashboard.entries_statement(_EAGER, None, of.workflow_id),
    "dashboard_of_company": lambda of: dashboard.entries_statement(_EAGER, of.company_id, None),
    "workflow_detail": lambda of: workflows.detail_statement(loading.Loading(), of.workflow_id),
}
