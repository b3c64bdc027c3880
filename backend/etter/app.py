"""Wiring: settings in, a web application out. The only place that knows all rooms."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp_cors
from aiohttp import ClientSession, web
from sqlalchemy.exc import SQLAlchemyError

from etter.clock import Clock, utc_now
from etter.db.database import Database
from etter.db.engine import make_engine, plain_engine
from etter.db.locks import LockTimeoutError
from etter.db.streams import StreamBounds
from etter.indexes.apply import IndexBuildError, apply_indexes
from etter.indexes.files import IndexFileError, default_directory, read_files
from etter.observe.extras import Extras, start_extras
from etter.observe.metrics import Metrics
from etter.queries.loading import Loading
from etter.routes.auth import AuthRoutes
from etter.routes.companies import CompanyRoutes
from etter.routes.enrichment import EnrichmentRoutes
from etter.routes.explain import ExplainRoutes
from etter.routes.export import ExportRoutes
from etter.routes.insight import InsightRoutes
from etter.routes.ops import OpsRoutes
from etter.routes.reference import ReferenceRoutes
from etter.routes.users import UserRoutes
from etter.routes.work import DocumentRoutes, ProjectRoutes
from etter.routes.workflows import WorkflowRoutes
from etter.services.base import Tools
from etter.services.companies import CompanyService
from etter.services.enrichment import EnrichmentService, parse_services
from etter.services.explain import ExplainService
from etter.services.reference import ReferenceService
from etter.services.simulation import SimulationService
from etter.services.standing import StandingService
from etter.services.users import UserService
from etter.services.work import DashboardService, DocumentService, HistoryService, ProjectService
from etter.services.workflows import WorkflowService
from etter.settings import Settings
from etter.web.auth import TokenReader
from etter.web.call import Route
from etter.web.middleware import REQUEST_ID, label, observe
from etter.web.openapi import openapi
from etter.web.serve import Gate, endpoint
from etter.workers import Workers

log = logging.getLogger("etter")
BACKGROUND_THREADS = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """The objects that one running backend is made of."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    database: Database
    background: Workers
    external: Mapping[str, str]
    extras: Extras


def make_parts(settings: Settings, clock: Clock = utc_now) -> Parts:
    """Build the long-lived objects; nothing connects yet. Raise SettingsError for settings that cannot work."""
    metrics = Metrics()
    database = Database(
        make_engine(settings, metrics),
        workers=settings.db_workers,
        wait_seconds=settings.db_pool_timeout,
        max_waiting=settings.db_max_waiting,
        streams=StreamBounds(settings.export_places, settings.etter_exports_per_company, settings.etter_export_seconds),
    )
    metrics.watch_pool(database)
    background = Workers(
        "etter-background",
        threads=BACKGROUND_THREADS,
        wait_seconds=10.0,
        max_waiting=100,
        busy="All simulation threads are busy",
    )
    external = parse_services(settings.etter_enrichment_urls)
    return Parts(settings, clock, metrics, database, background, external, start_extras(settings, database.engine))


def make_tools(parts: Parts) -> Tools:
    """Return what every service is handed."""
    return Tools(parts.database, Loading(parts.settings.etter_unoptimised), parts.clock)


def make_standing(parts: Parts) -> StandingService:
    """Return who knows whether a token's user is still there; the gate and the services share one."""
    return StandingService(make_tools(parts), parts.settings.etter_standing_seconds)


def route_table(
    parts: Parts, standing: StandingService, enrichment: Callable[[], EnrichmentService]
) -> tuple[Route, ...]:
    """List every declared route of the API."""
    tools = make_tools(parts)
    users, companies = UserService(tools, standing), CompanyService(tools)
    insight = InsightRoutes(HistoryService(tools), DashboardService(tools), SimulationService(parts.background))
    return (
        *CompanyRoutes(companies).table(),
        *EnrichmentRoutes(companies, enrichment).table(),
        *UserRoutes(users).table(),
        *ReferenceRoutes(ReferenceService(tools), users).table(),
        *WorkflowRoutes(WorkflowService(tools)).table(),
        *DocumentRoutes(DocumentService(tools)).table(),
        *ProjectRoutes(ProjectService(tools)).table(),
        *insight.table(),
        *ExportRoutes(parts.database, parts.settings).table(),
        *ExplainRoutes(ExplainService(tools)).table(),
        *AuthRoutes().table(),
    )


def make_app(parts: Parts) -> web.Application:
    """Build the application; it closes what it holds when it is cleaned up."""
    settings = parts.settings
    app = web.Application(
        middlewares=[*parts.extras.middlewares, observe(parts.metrics, parts.clock)],
        client_max_size=settings.max_body_bytes,
    )
    enrichment: list[EnrichmentService] = []
    standing = make_standing(parts)
    routes = route_table(parts, standing, lambda: enrichment[0])
    gate = Gate(TokenReader(settings.token_secret), standing, parts.clock)
    for route in routes:
        app.router.add_route(route.method, route.path, endpoint(route, gate))
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, endpoint(route, gate))
    ops = OpsRoutes(parts.database, parts.metrics, parts.clock, openapi(routes))
    app.router.add_get("/health", ops.live)
    app.router.add_get("/api/etter/health", ops.live)
    app.router.add_get("/health/detailed", ops.detailed)
    app.router.add_get("/openapi.json", ops.description)
    if settings.enable_metrics:
        app.router.add_get("/metrics", ops.exposition)
    app.on_response_prepare.append(label(debug=settings.etter_debug))
    _allow_origins(app, settings.cors_origins)

    async def living(_app: web.Application) -> AsyncIterator[None]:
        async with ClientSession() as session:
            enrichment.append(EnrichmentService(session, parts.external, settings.etter_enrichment_timeout))
            building = await parts.background.submit(lambda: _build_indexes(settings))
            yield
        parts.background.close()
        parts.database.close()
        parts.extras.stop()
        building.result()

    app.cleanup_ctx.append(living)
    return app


def _build_indexes(settings: Settings) -> None:
    """Build missing indexes beside the running service: CONCURRENTLY blocks no request."""
    if not settings.etter_apply_indexes:
        return
    directory = Path(settings.etter_indexes_dir) if settings.etter_indexes_dir else default_directory()
    try:
        built = apply_indexes(plain_engine(settings.database_url), read_files(directory), log.info)
        log.info("indexes are in place", extra={"built": built})
    except (IndexFileError, IndexBuildError, LockTimeoutError, SQLAlchemyError) as error:
        # Without an index the service is slower, not wrong.
        log.warning("indexes could not be applied", extra={"problem": str(error)})


def _allow_origins(app: web.Application, origins: Iterable[str]) -> None:
    rule = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]  # the library has no annotations here
        expose_headers=("Link", "Location", REQUEST_ID),
        allow_headers=("Authorization", "Content-Type", REQUEST_ID),
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
