"""The admin application's routes."""

from __future__ import annotations

import base64
import hashlib
import logging
from importlib.resources import files
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from veneer.admin.access import AdminAccess
from veneer.admin.answers import json_answer, only_json
from veneer.admin.changes import PATH, WAIT_PATH, ChangesAdmin
from veneer.admin.deps import AdminDeps
from veneer.admin.health import examine
from veneer.admin.history import PATH as HISTORY_PATH
from veneer.admin.hurried import in_time, whole_body
from veneer.admin.posted import EVENTS_PATH
from veneer.admin.purge import PurgeError, dry_run, invalidation_of, parse_purge
from veneer.admin.stats import stats_of
from veneer.admin.views import Health
from veneer.core.fields import Fields
from veneer.core.problem import Problem

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
_OPEN_PATHS = frozenset({"/", "/health", "/ready"})
"""What needs no token: whether the process is alive, whether it takes requests, and a page that holds no data."""


def build_admin(deps: AdminDeps) -> web.Application:
    """The application; whoever runs it decides where it listens."""
    admin = _Admin(deps)
    middlewares = [in_time, guarded(deps.access), whole_body]
    application = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    application.add_routes(
        [
            web.get("/", Page().show),
            web.get("/health", admin.health),
            web.get("/ready", admin.ready),
            web.get("/health/detailed", admin.health_detailed),
            web.get("/metrics", admin.metrics),
            web.get("/stats", admin.stats),
            web.post("/purge", admin.purge),
            web.get(PATH, admin.changes),
            web.post(WAIT_PATH, admin.wait),
            web.post(EVENTS_PATH, admin.take_events),
        ]
    )
    if deps.inspection is not None:
        application.add_routes(deps.inspection.routes())
    if deps.history is not None:
        application.router.add_get(HISTORY_PATH, deps.history.show)
    return application


class ProbeAnswers(Protocol):
    """What answers them: a process, or the supervisor of several."""

    async def health(self, request: web.Request, /) -> web.Response:
        """Whether the process lives."""
        ...

    async def ready(self, request: web.Request, /) -> web.Response:
        """Whether new requests are to be sent here."""
        ...

    async def metrics(self, request: web.Request, /) -> web.Response:
        """The counters for Prometheus."""
        ...


def probe_answers(deps: AdminDeps) -> ProbeAnswers:
    """The part that `admin.probes` serves as well."""
    return _Admin(deps)


def guarded(access: AdminAccess | None) -> Middleware:
    """Lets in who may (None: everybody), and turns every error into problem details."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked = None if request.path in _OPEN_PATHS else access
        if asked is not None and not asked.allows(Fields.from_raw(request.raw_headers)):
            detail = "send the admin token as Authorization: Bearer, or ask as localhost"
            return _problem(request, 401, detail, {"WWW-Authenticate": 'Bearer realm="admin"'})
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _problem(request, error.status, error.text or error.reason, dict(error.headers))
        except Exception:
            logger.exception("admin request %s failed", request.path)
            return _problem(request, 500, "this is a fault of the proxy; its log says more")

    return guard


class Page:
    """The dashboard; its figures come from /stats."""

    def __init__(self) -> None:
        self._text = files("veneer.admin").joinpath("dashboard.html").read_text("utf-8")
        self._policy = _content_security_policy(self._text)

    async def show(self, _request: web.Request) -> web.Response:
        """The page, which may run nothing but its own script."""
        headers = {"Content-Security-Policy": self._policy, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=self._text, content_type="text/html", headers=headers)


class _Admin:
    def __init__(self, deps: AdminDeps) -> None:
        self._deps = deps

    async def health(self, _request: web.Request) -> web.Response:
        """Whether the process lives: 503 before it takes requests. One that drains lives, and must not be killed."""
        status = self._status()
        return json_answer(Health(status), 503 if status == "starting" else 200)

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether new requests are to be sent here: 503 before it takes them, and once it is told to stop."""
        status = self._status()
        return json_answer(Health(status), 200 if status == "ok" else 503)

    def _status(self) -> str:
        return "draining" if self._deps.draining() else "starting" if self._deps.starting() else "ok"

    async def health_detailed(self, _request: web.Request) -> web.Response:
        """Part by part. Degraded is 200: requests are still served."""
        found = await examine(self._deps.checks(), self._deps.clock, draining=self._deps.draining())
        return json_answer(found, 503 if found.status == "draining" else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """The counters for Prometheus."""
        if self._deps.metrics is None:
            raise web.HTTPNotFound(text="metrics are switched off: see ENABLE_METRICS")
        body, media_type = self._deps.metrics.render(request.headers.get("accept", ""))
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def stats(self, _request: web.Request) -> web.Response:
        """The counters for the dashboard."""
        return json_answer(stats_of(self._deps.snapshot(), self._deps.log.position))

    def _changes(self) -> ChangesAdmin:
        if self._deps.changes is None:
            raise web.HTTPNotFound(text="sources of changes are not followed here")
        return self._deps.changes

    async def changes(self, _request: web.Request) -> web.Response:
        """How each source of changes stands."""
        return json_answer(self._changes().status())

    async def wait(self, request: web.Request) -> web.Response:
        """Answered when every live node has applied what was committed at a source."""
        only_json(request)
        return json_answer(await self._changes().wait(await request.read()))

    async def take_events(self, request: web.Request) -> web.Response:
        """Answered when every live node has applied what the events name."""
        posted, body = self._changes().posted, await request.read()
        return json_answer(*await posted.take(request.match_info["source"], request.content_type, body))

    async def purge(self, request: web.Request) -> web.Response:
        """Invalidate what the body names; answered when every live node has applied it."""
        only_json(request)
        try:
            asked = parse_purge(await request.read())
            event = invalidation_of(asked, self._deps.policy())
        except PurgeError as error:
            self._deps.purges.refused()
            raise web.HTTPBadRequest(text=str(error)) from error
        if asked.dry_run:
            samples = None if request.query.get("redis") == "no" else await self._deps.sample()
            return json_answer(await dry_run(event, self._deps.entries(), samples))
        receipt = await self._deps.log.append(event, strict=True)
        self._deps.purges.applied(shared=receipt.shared)
        others = len(receipt.acknowledged)
        logger.info("purged %s: position %s, applied by %d other nodes", asked, receipt.position.seq, others)
        if self._deps.inspection is not None:
            self._deps.inspection.purges.note(asked, receipt)
        # Without the shared log only this node has applied it: not what was asked for.
        return json_answer(receipt, 200 if receipt.shared else 503)


_UNSENT = frozenset({"content-type", "content-length"})


def _problem(request: web.Request, status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    problem = Problem(status, detail, instance=request.path)
    kept = {name: value for name, value in (headers or {}).items() if name.lower() not in _UNSENT}
    return web.Response(
        body=problem.body(),
        status=status,
        content_type="application/problem+json",
        headers={**kept, "Cache-Control": "no-store"},
    )


def _content_security_policy(page: str) -> str:
    """Only the page's own script and style run, and only this origin is asked."""

    def digest(tag: str) -> str:
        text = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{digest('script')}'; style-src 'sha256-{digest('style')}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
