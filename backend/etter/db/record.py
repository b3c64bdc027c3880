"""What one request did, gathered while it runs: for its log line, its metrics and its SQL comments."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestRecord:
    """Facts of one request. Written by the loop and by the database thread that works for it."""

    request_id: str
    route: str = "unmatched"
    user_id: int | None = None
    company_id: int | None = None
    queries: int = 0
    database_seconds: float = 0.0


# The database thread runs in a copy of the request's context, so both see the same record.
current_record: ContextVar[RequestRecord | None] = ContextVar("current_record", default=None)
