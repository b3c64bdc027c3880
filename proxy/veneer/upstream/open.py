"""From the policy's settings to a backend that is ready for exchanges."""

from __future__ import annotations

from typing import Protocol

from veneer.core.messages import RequestHead
from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.policy.tls import tls_context
from veneer.ports import Clock, Upstream, UpstreamResponse
from veneer.upstream.gate import Load
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings


class OpenUpstream(Upstream, Protocol):
    """A backend, a look at it for who watches, and the way to let it go."""

    async def look(self, request: RequestHead) -> UpstreamResponse:
        """An exchange that waits for nothing that requests hold. Raises UpstreamError, also where they are refused."""
        ...

    def load(self) -> Load:
        """How the backend stands."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def open_upstream(settings: UpstreamSettings, clock: Clock, tasks: Tasks) -> OpenUpstream:
    """The backend that `settings` describe, with breaker and health check where they ask for them.

    Connects to nothing yet. Raises ValueError when the URL is not a backend's.
    """
    pool = UpstreamPool(pool_settings(settings), clock, tasks)
    guarded: UpstreamPool | CheckedPool = pool
    if settings.health is not None:
        guarded = CheckedPool(pool, settings.health)
        guarded.start(tasks)
    return guarded if settings.breaker is None else BreakerGuard(guarded, settings.breaker, clock)


def pool_settings(settings: UpstreamSettings) -> PoolSettings:
    """What of `settings` concerns connections; Raises ValueError for files of TLS that cannot be used."""
    endpoint = Endpoint.parse(settings.url)
    return PoolSettings(
        endpoint=endpoint,
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        pool_timeout_s=settings.pool_timeout_s,
        max_connections=settings.max_connections,
        concurrency=settings.concurrency,
        max_streams=settings.max_streams,
        stream_idle_s=settings.stream_idle_s,
        keepalive_s=settings.keep_alive_s,
        max_age_s=settings.keep_alive_time_s,
        preserve_host=settings.preserve_host,
        rewrite_location=settings.rewrite_location,
        refused_s=settings.retries.refused_s,
        tls=tls_context(settings.tls) if endpoint.tls else None,
        server_name=settings.tls.server_name,
    )
