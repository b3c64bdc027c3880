"""Statements of the exports: whole tables, as far as the caller may see them."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from sqlalchemy import Select, select

from etter.db.tables import Document, User, WorkflowHistory
from etter.queries.scope import in_company

ExportKind = Literal["users", "documents", "history"]


def _users(company_scope: int | None) -> Select[Any]:
    columns: Select[Any] = select(  # type: ignore[assignment]  # rows are written out whatever their columns are
        User.id, User.company_id, User.email, User.name, User.title, User.is_active, User.created_at
    )
    return columns.where(*in_company(User.company_id, company_scope)).order_by(User.id)


def _documents(company_scope: int | None) -> Select[Any]:
    columns: Select[Any] = select(  # type: ignore[assignment]  # likewise
        Document.id, Document.tenant_id, Document.title, Document.status, Document.created_at, Document.body
    )
    return columns.where(*in_company(Document.tenant_id, company_scope)).order_by(Document.id)


def _history(company_scope: int | None) -> Select[Any]:
    run = WorkflowHistory
    columns: Select[Any] = select(  # type: ignore[assignment]  # likewise
        run.id, run.user_id, run.workflow_id, run.status, run.started_at, run.finished_at
    )
    return columns.where(*in_company(run.company_id, company_scope)).order_by(run.id)


EXPORTS: Mapping[ExportKind, Callable[[int | None], Select[Any]]] = {
    "users": _users,
    "documents": _documents,
    "history": _history,
}
