"""Row access by company."""

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute


def in_company(column: InstrumentedAttribute[int], company_scope: int | None) -> list[ColumnElement[bool]]:
    """Limit rows to the caller's company; no limit for the platform."""
    return [] if company_scope is None else [column == company_scope]
