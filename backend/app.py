"""Wiring: settings in, a web application out. The only place that knows all rooms."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import aiohttp_cors
from aiohttp import web

from backend.clock import Clock, utc_now
from backend.db.database import Database
from backend.db.engine import make_engine
from backend.observe.metrics import Metrics
from backend.queries.loading import Loading
from backend.routes.auth import AuthRoutes
from backend.routes.companies import CompanyRoutes
from backend.routes.ops import OpsRoutes
from backend.routes.reference import ReferenceRoutes
from backend.routes.users import UserRoutes
from backend.routes.workflows import WorkflowRoutes
from backend.services.base import Tools
from backend.services.companies import CompanyService
from backend.services.reference import ReferenceService
from backend.services.users import UserService
from backend.services.workflows import WorkflowService
from backend.settings import Settings
from backend.web.call import Route
from backend.web.middleware import REQUEST_ID, observe
from backend.web.serve import Gate, endpoint


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects that one running backend is made of."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    database: Database


def make_parts(settings: Settings, clock: Clock = utc_now) -> Parts:
    """Build the long-lived objects; nothing connects yet."""
    metrics = Metrics()
    database = Database(
        make_engine(settings, metrics),
        workers=settings.db_workers,
        wait_seconds=settings.db_pool_timeout,
        max_waiting=settings.db_max_waiting,
    )
    metrics.watch_pool(database)
    return Parts(settings, clock, metrics, database)


def route_table(parts: Parts) -> tuple[Route, ...]:
    """List every declared route of the API."""
    tools = Tools(parts.database, Loading(parts.settings.etter_unoptimised), parts.clock)
    users = UserService(tools)
    return (
        *CompanyRoutes(CompanyService(tools)).table(),
        *UserRoutes(users).table(),
        *ReferenceRoutes(ReferenceService(tools), users).table(),
        *WorkflowRoutes(WorkflowService(tools)).table(),
        *AuthRoutes(_gate(parts)).table(),
    )


def make_app(parts: Parts) -> web.Application:
    """Build the application; it closes the database when it is cleaned up."""
    settings = parts.settings
    app = web.Application(
        middlewares=[observe(parts.metrics, parts.clock, debug=settings.etter_debug)],
        client_max_size=settings.max_body_bytes,
    )
    gate = _gate(parts)
    for route in route_table(parts):
        app.router.add_route(route.method, route.path, endpoint(route, gate))
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, endpoint(route, gate))
    ops = OpsRoutes(parts.database, parts.metrics, parts.clock)
    app.router.add_get("/health", ops.live)
    app.router.add_get("/health/detailed", ops.detailed)
    if settings.enable_metrics:
        app.router.add_get("/metrics", ops.exposition)
    _allow_origins(app, settings.cors_origins)

    async def closing(_app: web.Application) -> AsyncIterator[None]:
        yield
        parts.database.close()

    app.cleanup_ctx.append(closing)
    return app


def _gate(parts: Parts) -> Gate:
    return Gate(parts.settings.token_secret, parts.clock)


def _allow_origins(app: web.Application, origins: Iterable[str]) -> None:
    rule = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]  # the library has no annotations here
        expose_headers=("Link", "Location", REQUEST_ID),
        allow_headers=("Authorization", "Content-Type", "Etter-Company-Pass", REQUEST_ID),
        allow_methods="*",
        max_age=600,
    )
    rules = dict.fromkeys(origins, rule)
    if not rules:
        return
    cors = aiohttp_cors.setup(app, defaults=rules)
    for resource in list(app.router.resources()):
        cors.add(resource)

    async def vary(_request: web.Request, response: web.StreamResponse) -> None:
        # The answer names the asking origin, so a shared cache has to keep one for each.
        response.headers["Vary"] = ", ".join(filter(None, (response.headers.get("Vary"), "Origin")))

    app.on_response_prepare.append(vary)
