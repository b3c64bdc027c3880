"""What the rooms say of themselves at the moment of a scrape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from veneer.identity.provers import IdentityProvers
from veneer.limits.rate_counts import RateCounts
from veneer.limits.rate_redis import RedisRates
from veneer.main.shared import StoreSet
from veneer.observe.counters import Gauges, StoreGauges
from veneer.pipeline.recompress import RecompressionCounts
from veneer.policy.node_settings import StoreSettings
from veneer.ports import LeaseState
from veneer.redis.states import RedisState
from veneer.stores.redis_log import RedisLog
from veneer.upstream.gate import Load
from veneer.upstream.targets import TargetSet


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
    return Gauges(
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
        upstream_places={name: load.limit for name, load in loads.items()},
        upstream_places_used={name: load.in_use for name, load in loads.items()},
        upstream_waiting={name: load.waiting for name, load in loads.items()},
        upstream_refused={name: load.refused for name, load in loads.items()},
        upstream_targets={f"{several}\t{target}\t{target.state}": 1 for several in sets for target in several.targets},
        upstream_ejections={str(several): several.counts.ejections for several in sets},
        upstream_retries={
            "made": sum(several.counts.retries for several in sets),
            "over_budget": sum(several.counts.over_budget for several in sets),
        },
        subrequests={"proven": asked.proven, "refused": asked.refused, "failed": asked.failed},
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
