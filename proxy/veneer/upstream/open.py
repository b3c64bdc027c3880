"""From the policy's settings to a backend that is ready for exchanges."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from veneer.core.balancing import TargetLoad
from veneer.loop.tasks import Tasks
from veneer.policy.model import UpstreamSettings
from veneer.policy.model_targets import Resolve, TargetSettings
from veneer.policy.tls import tls_context
from veneer.ports import Clock, OutgoingSpans
from veneer.upstream.following import FollowedName, FollowedTargets
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.names import Names
from veneer.upstream.opened import OpenUpstream
from veneer.upstream.pool import UpstreamPool
from veneer.upstream.services import Destination, NameAnswer, domain_of, look_up_service
from veneer.upstream.settings import Endpoint, PoolSettings
from veneer.upstream.target import SetRules, UpstreamTarget
from veneer.upstream.targets import TargetSet


def open_upstream(
    settings: UpstreamSettings, clock: Clock, tasks: Tasks, spans: OutgoingSpans | None = None
) -> OpenUpstream:
    """The backend that `settings` describe, with breaker and health check where they ask for them.

    `spans` makes a span of each request that is sent there. Connects to nothing yet. Raises ValueError when the URL is
    not a backend's.
    """
    guarded: UpstreamPool | CheckedPool | TargetSet
    if settings.targets:
        guarded = _several(settings, clock, tasks, spans)
    else:
        pool, checked = _one(settings, clock, tasks, spans)
        guarded = pool if checked is None else checked
    return guarded if settings.breaker is None else BreakerGuard(guarded, settings.breaker, clock)


def targets_of(upstream: OpenUpstream) -> TargetSet | None:
    """The targets of an upstream, where there are several."""
    guarded = upstream.guarded if isinstance(upstream, BreakerGuard) else upstream
    return guarded if isinstance(guarded, TargetSet) else None


def _one(
    settings: UpstreamSettings,
    clock: Clock,
    tasks: Tasks,
    spans: OutgoingSpans | None,
    endpoint: Endpoint | None = None,
) -> tuple[UpstreamPool, CheckedPool | None]:
    """A backend, and its health check where it is to have one."""
    pool = UpstreamPool(replace(pool_settings(settings, endpoint), spans=spans), clock, tasks)
    if settings.health is None:
        return pool, None
    checked = CheckedPool(pool, settings.health)
    checked.start(tasks)
    return pool, checked


def _several(settings: UpstreamSettings, clock: Clock, tasks: Tasks, spans: OutgoingSpans | None) -> TargetSet:
    parts = [_part(settings, target, clock, tasks, spans) for target in settings.targets]
    fixed = [part for part in parts if isinstance(part, UpstreamTarget)]
    writer = UpstreamPool(pool_settings(settings), clock, tasks)  # which connects to nothing
    rules = SetRules(
        settings.name,
        settings.ejection,
        settings.retries,
        settings.preserve_host,
        writer,
        settings.connect_timeout_s,
        settings.affinity,
    )
    if len(fixed) == len(parts):
        return TargetSet(fixed, rules, clock, tasks)
    return FollowedTargets(parts, rules, settings.resolve_every_s, clock, tasks)


def _part(
    settings: UpstreamSettings, target: TargetSettings, clock: Clock, tasks: Tasks, spans: OutgoingSpans | None
) -> UpstreamTarget | FollowedName:
    """A target, or a name that leads to several."""
    own = replace(settings, url=target.url)
    endpoint = Endpoint.parse(target.url)
    names = Names(endpoint, clock)

    def made(endpoint: Endpoint, weight: int) -> UpstreamTarget:
        pool, checked = _one(own, clock, tasks, spans, endpoint)
        return UpstreamTarget(pool, checked, target.drain, TargetLoad(weight))

    def of_place(place: Destination) -> UpstreamTarget:
        return made(replace(endpoint, at=place.at, port=place.port), place.weight)

    async def addresses() -> NameAnswer:
        return NameAnswer([Destination(address, endpoint.port, target.weight) for address in await names.look_again()])

    if target.is_fixed:
        return made(endpoint, target.weight)
    if target.resolve is Resolve.ALL:
        return FollowedName(target.url, addresses, of_place)
    service, endpoint = endpoint.host, replace(endpoint, host=domain_of(endpoint.host))
    return FollowedName(target.url, partial(look_up_service, service), of_place)


def pool_settings(settings: UpstreamSettings, endpoint: Endpoint | None = None) -> PoolSettings:
    """What of `settings` concerns connections, to the `endpoint` or else to their URL.

    Raises ValueError for files of TLS that cannot be used.
    """
    endpoint = endpoint or Endpoint.parse(settings.url)
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
