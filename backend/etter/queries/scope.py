"""Row access by company."""

from sqlalchemy import ColumnElement, Integer, bindparam, or_
from sqlalchemy.orm import InstrumentedAttribute


def in_company(column: InstrumentedAttribute[int], company_scope: int | None) -> list[ColumnElement[bool]]:
    """Limit rows to the caller's company; no limit for the platform."""
    return [] if company_scope is None else [column == company_scope]


def in_scope(column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Limit rows likewise in a statement that is made once: `scope` is its parameter, None for no limit.

    The driver writes values into the text, so PostgreSQL sees `7 IS NULL OR ...` and plans for the comparison alone.
    """
    scope = bindparam("scope", type_=Integer)
    return or_(scope.is_(None), column == scope)
