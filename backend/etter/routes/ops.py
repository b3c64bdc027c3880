"""Routes for operators, without a token: health, metrics, the API's description. Through a proxy: liveness alone.

A proxy names itself in what it forwards (RFC 9110 section 7.6.3, RFC 7239), and nobody behind it can take that away.
"""

import time
from dataclasses import dataclass
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from etter.clock import Clock
from etter.db.database import Database
from etter.errors import EtterError, NotFoundError
from etter.observe.metrics import Metrics, PoolState
from etter.web.call import Result
from etter.web.serve import json_response

_FRESH = {"Cache-Control": "no-store"}
_BY_PROXIES = ("Via", "Forwarded", "X-Forwarded-For")


class DatabaseHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about the database. `pool_utilisation` is a share, 0 to 1."""

    status: Literal["up", "down"]
    milliseconds: float
    problem: str | None
    pool_checked_out: int
    pool_idle: int
    pool_capacity: int
    pool_utilisation: float


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The service's own view of itself."""

    status: Literal["healthy", "degraded"]
    database: DatabaseHealth | None = None


@dataclass(frozen=True, slots=True)
class OpsRoutes:
    """Handlers that need no caller."""

    database: Database
    metrics: Metrics
    clock: Clock
    openapi: bytes

    async def live(self, _request: web.Request) -> web.Response:
        """Answer as long as the loop turns."""
        return json_response(Result(Health(status="healthy")), self.clock, _FRESH)

    async def detailed(self, request: web.Request) -> web.Response:
        """Check what the service depends on; 200 even when degraded, for the body tells what is wrong."""
        _refuse_published(request)
        started = time.perf_counter()
        problem = None
        try:
            await self.database.ping()
        except EtterError as error:
            problem = error.message
        pool = PoolState(self.database.engine)
        found = DatabaseHealth(
            status="down" if problem else "up",
            milliseconds=round((time.perf_counter() - started) * 1000, 2),
            problem=problem,
            pool_checked_out=pool.checked_out,
            pool_idle=pool.idle,
            pool_capacity=pool.capacity,
            pool_utilisation=round(pool.utilisation, 3),
        )
        health = Health(status="degraded" if problem else "healthy", database=found)
        return json_response(Result(health), self.clock, _FRESH)

    async def exposition(self, request: web.Request) -> web.Response:
        """Show the metrics."""
        _refuse_published(request)
        return web.Response(body=self.metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST, **_FRESH})

    async def description(self, request: web.Request) -> web.Response:
        """Show the OpenAPI document."""
        _refuse_published(request)
        return web.Response(body=self.openapi, content_type="application/json", headers=_FRESH)


def _refuse_published(request: web.Request) -> None:
    """Raise NotFoundError for a request that came through a proxy."""
    if any(name in request.headers for name in _BY_PROXIES):
        raise NotFoundError("There is nothing at this address")
