"""What the rooms say of themselves at the moment of a scrape."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from veneer.compiling.form import running_form
from veneer.identity.provers import IdentityProvers
from veneer.limits.inflight import InFlight
from veneer.limits.rate_counts import RateCounts
from veneer.limits.rate_redis import RedisRates
from veneer.main.reloads import ReloadCounts
from veneer.main.shared import StoreSet
from veneer.observe.gauges import Gauges, StoreGauges
from veneer.observe.histogram import Histogram
from veneer.pipeline.recompress import RecompressionCounts
from veneer.policy.node_settings import ListenerSettings, StoreSettings
from veneer.ports import LeaseState
from veneer.redis.states import RedisState
from veneer.server.protocol import Crowd
from veneer.stores.redis_log import RedisLog
from veneer.upstream.gate import Load
from veneer.upstream.states import UpstreamCondition
from veneer.upstream.targets import TargetSet
from veneer.version import running_version


def gauges_of(
    shared: StoreSet,
    settings: StoreSettings,
    recompression: RecompressionCounts,
    identities: IdentityProvers,
    dropped: Callable[[], dict[str, int]],
    loads: Mapping[str, Load],
    sets: Sequence[TargetSet] = (),
) -> Gauges:
    """As they all stand; `dropped` tells how many log lines were lost, by log, `loads` of the backends, by name."""
    errors: dict[str, int] = {}
    nodes_lost, flushes = 0, dict[str, int]()
    if shared.stores.shared is not None:
        errors["store"] = shared.stores.shared.counts.failures
    if isinstance(shared.stores.log, RedisLog):
        errors["log"] = shared.stores.log.counts.failures
        nodes_lost = shared.stores.log.counts.nodes_lost
        flushes = {reason.value: count for reason, count in shared.stores.log.flushes.counts.items()}
    counts = RateCounts()
    if isinstance(shared.rates, RedisRates):
        counts = shared.rates.counts
        errors["rates"] = counts.errors
    states = shared.stores.states
    fetches, asked = identities.key_sets.counts, identities.subrequests
    found = Gauges(
        rate_clients_forgotten=shared.rates.forgotten,
        stores=_stores(shared, settings),
        lease_held=shared.stores.log.lease_state() is LeaseState.HELD,
        redis_errors=errors,
        log_dropped=dropped(),
        rate_fallbacks={"local_share": counts.local_share, "open": counts.open, "closed": counts.closed},
        coded_anew=recompression.recompressed,
        coded_anew_saved_bytes=recompression.saved_bytes,
        rates_refused_locally=counts.refused_locally,
        rate_calls=counts.calls,
        rate_batches={"waited": counts.batches - counts.refills, "ahead": counts.refills},
        rate_batched={
            "admitted": counts.batched,
            "given_back": counts.given_back,
            "worked_off": counts.unspent - counts.given_back,
        },
        nodes_lost=nodes_lost,
        flushes=flushes,
        clock_skew_s={} if shared.stores.skew is None else {shared.stores.skew.node: shared.stores.skew.skew_s},
        redis_states={} if states is None else {one.value: int(one is states.state) for one in RedisState},
        redis_state_seconds={} if states is None else {one.value: s for one, s in states.seconds().items()},
        key_set_fetches={"fetched": fetches.fetched, "failed": fetches.failed},
        upstream_targets={f"{several}\t{target}\t{target.state}": 1 for several in sets for target in several.targets},
        upstream_ejections={str(several): several.counts.ejections for several in sets},
        upstream_retries={
            "made": sum(several.counts.retries for several in sets),
            "over_budget": sum(several.counts.over_budget for several in sets),
        },
        subrequests={"proven": asked.proven, "refused": asked.refused, "failed": asked.failed},
    )
    return _with_loads(found, loads)


def _with_loads(gauges: Gauges, loads: Mapping[str, Load]) -> Gauges:
    return msgspec.structs.replace(
        gauges,
        upstream_places={name: load.limit for name, load in loads.items()},
        upstream_places_used={name: load.in_use for name, load in loads.items()},
        upstream_waiting={name: load.waiting for name, load in loads.items()},
        upstream_refused={name: load.refused for name, load in loads.items()},
        upstream_connections={name: load.connections for name, load in loads.items()},
        upstream_connections_max={name: load.max_connections for name, load in loads.items()},
        upstream_streams={name: load.streams for name, load in loads.items()},
        upstream_streams_max={name: load.max_streams for name, load in loads.items()},
    )


def with_node(
    gauges: Gauges,
    shared: StoreSet,
    reloads: ReloadCounts,
    conditions: Mapping[str, UpstreamCondition],
    bounds: tuple[InFlight, Crowd | None],
) -> Gauges:
    """What this process is, has in force and lets in, added; `bounds` are what counts requests and connections."""
    in_flight, crowd = bounds
    used, most = {"in_flight": in_flight.active, "rate_clients": len(shared.rates)}, {}
    if in_flight.most is not None:
        most["in_flight"] = in_flight.most
    most["rate_clients"] = shared.rates.most_clients
    if crowd is not None:
        used["connections"], most["connections"] = crowd.connected, crowd.most
    breakers = {f"{name}\t{one.breaker}": 1 for name, one in conditions.items() if one.breaker}
    return msgspec.structs.replace(
        _with_log(gauges, shared),
        build={f"{running_version()}\t{platform.python_version()}\t{running_form().value}": 1},
        policies={f"{os.getpid()}\t{reloads.digest}": reloads.since},
        policy_reload_successful=reloads.successful,
        policy_reloads=dict(reloads.by_result),
        limits_used=used,
        limits_max=most,
        upstream_up={name: one.up for name, one in conditions.items()},
        upstream_breakers=breakers,
    )


def certificate_ends(listeners: Iterable[ListenerSettings]) -> dict[str, float]:
    """When each certificate ends that this process shows; of several for one name the soonest."""
    found: dict[str, float] = {}
    for listener in listeners:
        for pair in () if listener.tls is None else listener.tls.pairs:
            if pair.held is not None:
                key = f"{os.getpid()}\t{listener.address}\t{next(iter(pair.held.names), '')}"
                found[key] = min(pair.held.ends, found.get(key, pair.held.ends))
    return found


def _with_log(gauges: Gauges, shared: StoreSet) -> Gauges:
    log, states = shared.stores.log, shared.stores.states
    if not isinstance(log, RedisLog):
        return msgspec.structs.replace(gauges, invalidations={"shared": log.position.seq, "not-shared": 0})
    counts = log.counts
    node = "" if shared.stores.skew is None else shared.stores.skew.node
    return msgspec.structs.replace(
        gauges,
        nodes={node: log.nodes},
        invalidations={"shared": counts.appended, "not-shared": counts.not_shared},
        leases_waited_out=counts.leases_waited_out,
        invalidation_wait=Histogram.of(counts.waits),
        redis_round_trip=Histogram() if states is None else Histogram.of(states.round_trips),
    )


def _stores(shared: StoreSet, settings: StoreSettings) -> tuple[StoreGauges, ...]:
    memory = shared.stores.memory
    l1 = StoreGauges(
        "l1",
        entries=len(memory),
        bytes=memory.size_bytes,
        bytes_most=settings.memory_bytes,
        evictions=memory.evicted,
        hits=memory.found,
        misses=memory.lookups - memory.found,
    )
    if shared.stores.shared is None:
        return (l1,)
    counts = shared.stores.shared.counts
    l2 = StoreGauges("l2", hits=counts.found, misses=counts.lookups - counts.found, errors=counts.failures)
    return (l1, l2)
