"""Around every request: its ID, its log line, its metrics, and the one place that turns errors into answers."""

import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from etter.clock import Clock
from etter.db.record import RequestRecord, current_record
from etter.errors import DatabaseError, EtterError, JsonScalar
from etter.observe.metrics import Metrics
from etter.web.envelope import Failure

log = logging.getLogger("etter.request")
REQUEST_ID = "X-Request-ID"
_RECORD = web.RequestKey("record", RequestRecord)
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def label(*, debug: bool) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Make the signal handler that completes heads. With `debug`, `X-DB-Queries` counts the statements."""

    async def complete(request: web.Request, response: web.StreamResponse) -> None:
        # Heads are sent after the middlewares are through, so the record travels with the request.
        record = request.get(_RECORD)
        if record is not None:
            response.headers[REQUEST_ID] = record.request_id
            if debug:
                response.headers["X-DB-Queries"] = str(record.queries)

    return complete


def observe(metrics: Metrics, clock: Clock) -> Middleware:
    """Make the outermost middleware."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        record = RequestRecord(_request_id(request.headers.get(REQUEST_ID)), _route_name(request))
        request[_RECORD] = record
        token = current_record.set(record)
        started = time.perf_counter()
        status = 499  # the client went away before there was an answer
        metrics.active.inc()
        try:
            response = await _answer(request, record, handler, clock)
            status = response.status
            return response
        finally:
            seconds = time.perf_counter() - started
            metrics.active.dec()
            metrics.request_finished(record, request.method, status, seconds)
            _log_line(request, record, status, seconds)
            current_record.reset(token)

    return middleware


async def _answer(request: web.Request, record: RequestRecord, handler: Handler, clock: Clock) -> web.StreamResponse:
    try:
        return await handler(request)
    except EtterError as error:
        if error.status >= 500:
            # What is expected to happen (database away, too slow) needs no stack; a refused statement does.
            unexpected = error if isinstance(error, DatabaseError) else None
            extra = {"problem": error.message, "request_id": record.request_id}
            log.log(
                logging.ERROR if unexpected else logging.WARNING, "request failed", exc_info=unexpected, extra=extra
            )
        return failure(error.status, error.code, error.message, error.metadata, error.headers, clock)
    except web.HTTPException as error:
        headers = {name: value for name, value in error.headers.items() if name in {"Allow", "Location"}}
        code = error.reason.upper().replace(" ", "_")
        return failure(error.status, code, error.text or error.reason, {}, headers, clock)
    except Exception:
        # The last resort: the log gets everything, the client nothing.
        log.exception("unexpected error", extra={"request_id": record.request_id})
        return failure(500, "INTERNAL_ERROR", "Something went wrong on our side", {}, {}, clock)


def failure(
    status: int, code: str, message: str, metadata: Mapping[str, JsonScalar], headers: Mapping[str, str], clock: Clock
) -> web.Response:
    """Build the typed error body. Errors are never stored: the next request may fare better."""
    body = Failure(error_code=code, message=message, metadata=dict(metadata), timestamp=clock())
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers={"Cache-Control": "no-store", **headers},
        content_type="application/json",
    )


def _request_id(given: str | None) -> str:
    return given if given is not None and _VALID_ID.fullmatch(given) else uuid.uuid4().hex


def _route_name(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"


def _log_line(request: web.Request, record: RequestRecord, status: int, seconds: float) -> None:
    log.info(
        "request",
        extra={
            "request_id": record.request_id,
            "method": request.method,
            "path": request.path,
            "route": record.route,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
            "queries": record.queries,
            "database_ms": round(record.database_seconds * 1000, 2),
            "user_id": record.user_id,
            "company_id": record.company_id,
        },
    )
