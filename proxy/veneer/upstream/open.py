"""From the policy's settings to a backend that is ready for exchanges."""

from __future__ import annotations

from dataclasses import replace

from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.policy.tls import tls_context
from veneer.ports import Clock
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.opened import OpenUpstream
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.settings import Endpoint, PoolSettings
from veneer.upstream.target import SetRules, UpstreamTarget
from veneer.upstream.targets import TargetSet


def open_upstream(settings: UpstreamSettings, clock: Clock, tasks: Tasks) -> OpenUpstream:
    """The backend that `settings` describe, with breaker and health check where they ask for them.

    Connects to nothing yet. Raises ValueError when the URL is not a backend's.
    """
    guarded: UpstreamPool | CheckedPool | TargetSet
    if settings.targets:
        guarded = _several(settings, clock, tasks)
    else:
        pool, checked = _one(settings, clock, tasks)
        guarded = pool if checked is None else checked
    return guarded if settings.breaker is None else BreakerGuard(guarded, settings.breaker, clock)


def targets_of(upstream: OpenUpstream) -> TargetSet | None:
    """The targets of an upstream, where there are several."""
    guarded = upstream.guarded if isinstance(upstream, BreakerGuard) else upstream
    return guarded if isinstance(guarded, TargetSet) else None


def _one(settings: UpstreamSettings, clock: Clock, tasks: Tasks) -> tuple[UpstreamPool, CheckedPool | None]:
    """A backend, and its health check where it is to have one."""
    pool = UpstreamPool(pool_settings(settings), clock, tasks)
    if settings.health is None:
        return pool, None
    checked = CheckedPool(pool, settings.health)
    checked.start(tasks)
    return pool, checked


def _several(settings: UpstreamSettings, clock: Clock, tasks: Tasks) -> TargetSet:
    targets = []
    for target in settings.targets:
        pool, checked = _one(replace(settings, url=target.url), clock, tasks)
        targets.append(UpstreamTarget(pool, checked, target.drain))
    set_rules = SetRules(settings.name, settings.ejection, settings.retries, alike=settings.preserve_host)
    return TargetSet(targets, set_rules, clock, tasks)


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
