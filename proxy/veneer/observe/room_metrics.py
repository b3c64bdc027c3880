"""The rooms' families: stores, limits, backends, Redis, the log, and the process itself."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from veneer.observe.families import by, by_all, counter, gauge, histogram
from veneer.observe.gauges import Gauges, StoreGauges

_NO_RESTARTS = {"ended": 0, "hung": 0, "rolled": 0}


def stores(found: tuple[StoreGauges, ...]) -> Iterator[Metric]:
    """Where responses are stored."""
    label = ("store",)
    yield gauge(
        "veneer_store_entries",
        "Stored responses.",
        label,
        (((s.store,), s.entries) for s in found if s.entries is not None),
    )
    yield gauge(
        "veneer_store_bytes", "Bytes held.", label, (((s.store,), s.bytes) for s in found if s.bytes is not None)
    )
    yield gauge(
        "veneer_store_bytes_max",
        "Bytes it may hold.",
        label,
        (((s.store,), s.bytes_most) for s in found if s.bytes_most is not None),
    )
    yield counter(
        "veneer_store_evictions",
        "Entries dropped for room.",
        label,
        (((s.store,), s.evictions) for s in found if s.evictions is not None),
    )
    yield counter("veneer_store_hits", "Look-ups that found entries.", label, (((s.store,), s.hits) for s in found))
    yield counter("veneer_store_misses", "Look-ups that found none.", label, (((s.store,), s.misses) for s in found))
    yield counter(
        "veneer_store_errors",
        "Calls that failed, or values that made no sense.",
        label,
        (((s.store,), s.errors) for s in found if s.errors is not None),
    )


def _upstreams(gauges: Gauges) -> Iterator[Metric]:
    label = ("upstream",)
    yield gauge("veneer_upstream_places", "Requests that may be there at once.", label, by(gauges.upstream_places))
    yield gauge("veneer_upstream_places_used", "Requests that are.", label, by(gauges.upstream_places_used))
    yield gauge("veneer_upstream_waiting", "Requests that wait for a place.", label, by(gauges.upstream_waiting))
    yield counter("veneer_upstream_refused", "Requests that got none.", label, by(gauges.upstream_refused))


def _health(gauges: Gauges) -> Iterator[Metric]:
    label, up = ("upstream",), "1 while requests are sent there."
    yield gauge("veneer_upstream_up", up, label, by(gauges.upstream_up))
    breakers = by_all(gauges.upstream_breakers)
    yield gauge("veneer_upstream_breaker", "Processes that see it so.", ("upstream", "state"), breakers)
    yield gauge("veneer_upstream_connections", "Open connections.", label, by(gauges.upstream_connections))
    most = by(gauges.upstream_connections_max)
    yield gauge("veneer_upstream_connections_max", "Connections that may be open.", label, most)
    yield gauge("veneer_upstream_streams", "Tunnels and streams.", label, by(gauges.upstream_streams))
    most = by(gauges.upstream_streams_max)
    yield gauge("veneer_upstream_streams_max", "Tunnels and streams that may be open.", label, most)


def _process(gauges: Gauges) -> Iterator[Metric]:
    built = by_all(dict.fromkeys(gauges.build, 1))
    yield gauge("veneer_build_info", "1 for what runs.", ("version", "python", "form"), built)
    digests = {key.partition("\t")[2]: 1 for key in gauges.policies}
    yield gauge("veneer_policy_info", "1 for each policy in force.", ("digest",), by(digests))
    since = max(gauges.policies.values(), default=0.0)
    yield gauge("veneer_policy_loaded_timestamp_seconds", "When the last one came into force.", (), [((), since)])
    good = gauges.policy_reload_successful
    yield gauge("veneer_policy_reload_successful", "0 while the policy file is refused.", (), [((), good)])
    yield counter("veneer_policy_reloads", "Changed policy files.", ("result",), by(gauges.policy_reloads))
    yield gauge("veneer_workers", "Processes that should and that do serve.", ("state",), by(gauges.workers))
    restarts = by(_NO_RESTARTS | gauges.worker_restarts)
    yield counter("veneer_worker_restarts", "Workers that were replaced.", ("reason",), restarts)


def _limits(gauges: Gauges) -> Iterator[Metric]:
    yield gauge("veneer_limit_used", "Of each limit what is used.", ("limit",), by(gauges.limits_used))
    yield gauge("veneer_limit_max", "Of each limit what may be used.", ("limit",), by(gauges.limits_max))
    refused = "Connections that ended before they could ask for anything."
    yield counter("veneer_connections_refused", refused, ("reason",), by(gauges.connections_refused))
    ends: dict[str, float] = {}
    for key, end in gauges.certificate_ends.items():
        shown = key.partition("\t")[2]  # by whichever process: the soonest end of any
        ends[shown] = min(end, ends.get(shown, end))
    expiry = "When the certificate ends that is shown."
    labels = ("listener", "server_name")
    yield gauge("veneer_tls_certificate_expiry_timestamp_seconds", expiry, labels, by_all(ends))


def _log(gauges: Gauges) -> Iterator[Metric]:
    yield gauge("veneer_nodes", "Live nodes on the same Redis.", (), [((), max(gauges.nodes.values(), default=1))])
    waited = "Until every live node had applied what a writer changed."
    yield histogram("veneer_invalidation_wait_seconds", waited, (), [((), gauges.invalidation_wait)])
    outcomes = by(gauges.invalidations)
    yield counter("veneer_invalidations", "Events of this node.", ("outcome",), outcomes)
    out = "Events for which the lease of a silent node had to run out."
    yield counter("veneer_invalidation_leases_waited_out", out, (), [((), gauges.leases_waited_out)])
    yield counter("veneer_purges", "Purges that were asked for.", ("result",), by(gauges.purges))
    took = "Of renewing the lease."
    yield histogram("veneer_redis_round_trip_seconds", took, (), [((), gauges.redis_round_trip)])


def _changes(gauges: Gauges) -> Iterator[Metric]:
    lag = "Since when nothing is known of a source."
    yield gauge("veneer_changes_lag_seconds", lag, ("source", "node"), by_all(gauges.changes_lag_s))
    followers = by_all(gauges.changes_followers)
    yield gauge("veneer_changes_followers", "Processes that follow it so.", ("source", "state"), followers)
    yield counter("veneer_changes_read", "What was read.", ("source", "what"), by_all(gauges.changes_read))
    gaps = "Times all that a source names was invalidated."
    yield counter("veneer_changes_gaps", gaps, ("source", "reason"), by_all(gauges.changes_gaps))
    kept = by(gauges.changes_kept_bytes)
    yield gauge("veneer_changes_kept_wal_bytes", "WAL that the slot keeps.", ("source",), kept)


def rooms(gauges: Gauges) -> Iterator[Metric]:
    """Everything else."""
    yield from _process(gauges)
    yield from _limits(gauges)
    yield from _log(gauges)
    yield gauge("veneer_lease_held", "1 while stored responses may be used.", (), [((), gauges.lease_held)])
    yield counter("veneer_nodes_lost", "Nodes gone without a good-bye.", (), [((), gauges.nodes_lost)])
    yield counter("veneer_store_flushes", "Times all stored was dead at once.", ("reason",), by(gauges.flushes))
    skew = "By how much the clock is ahead of Redis'."
    yield gauge("veneer_clock_skew_seconds", skew, ("node",), by(gauges.clock_skew_s))
    yield gauge("veneer_redis_state", "Processes that see Redis so.", ("state",), by(gauges.redis_states))
    seconds = by(gauges.redis_state_seconds)
    yield counter("veneer_redis_state_seconds", "Time for which Redis was seen so.", ("state",), seconds)
    yield counter("veneer_redis_errors", "Redis calls that failed.", ("part",), by(gauges.redis_errors))
    yield counter("veneer_log_dropped", "Lines that found no room.", ("log",), by(gauges.log_dropped))
    yield counter("veneer_rate_fallbacks", "Requests decided without Redis.", ("mode",), by(gauges.rate_fallbacks))
    yield counter(
        "veneer_rate_refused_locally", "Refusals that needed no call.", (), [((), gauges.rates_refused_locally)]
    )
    yield counter("veneer_rate_calls", "Calls to Redis for limits.", (), [((), gauges.rate_calls)])
    yield counter("veneer_rate_batches", "Batches of more than one taken.", ("asked",), by(gauges.rate_batches))
    yield counter("veneer_rate_batched", "Requests in these batches.", ("outcome",), by(gauges.rate_batched))
    yield counter(
        "veneer_key_set_fetches", "Fetches of keys that issuers publish.", ("result",), by(gauges.key_set_fetches)
    )
    labels = ("upstream", "target", "state")
    yield gauge("veneer_upstream_target", "Processes that see the target so.", labels, by_all(gauges.upstream_targets))
    ejections = by(gauges.upstream_ejections)
    yield counter("veneer_upstream_ejections", "Targets left out for failing.", ("upstream",), ejections)
    retries = by(gauges.upstream_retries)
    yield counter("veneer_upstream_retries", "Requests sent to another target.", ("result",), retries)
    yield counter("veneer_subrequests", "Services asked whose a credential is.", ("result",), by(gauges.subrequests))
    yield from _upstreams(gauges)
    yield from _health(gauges)
    yield from _changes(gauges)
    yield counter(
        "veneer_compress_again", "Kept coded bodies made smaller in idle time.", (), [((), gauges.coded_anew)]
    )
    yield counter(
        "veneer_compress_again_saved_bytes",
        "Bytes by which they became smaller, each counted once.",
        (),
        [((), gauges.coded_anew_saved_bytes)],
    )
    yield counter(
        "veneer_rate_clients_forgotten",
        "Clients with a backlog dropped for room.",
        (),
        [((), gauges.rate_clients_forgotten)],
    )
