"""The rooms as they stand, read on a scrape. What processes hold can be added, or is keyed so that it need not be."""

from __future__ import annotations

from typing import Final

import msgspec

from veneer.observe.histogram import Histogram


class StoreGauges(msgspec.Struct, frozen=True):
    """One store as it stands: "l1" or "l2". None where a store cannot tell, or cannot have it.

    `hits` and `misses` are look-ups; what the fast path answers without one is counted with the exchanges.
    """

    store: str
    entries: int | None = None
    bytes: int | None = None
    bytes_most: int | None = None
    evictions: int | None = None
    hits: int = 0
    misses: int = 0
    errors: int | None = None


class Gauges(msgspec.Struct, frozen=True):
    """The rooms as they stand at the moment of a scrape. `lease_held` tells whether the lease is fresh.

    `flushes` are by reason (stores.flushes). `redis_states` has a 1 at the state Redis is in, and `redis_state_seconds`
    the time in each (redis.states).
    `redis_errors` is by part (store, log, rates), `log_dropped` by log, `rate_fallbacks` by what was done instead,
    `rate_batches` by who asked for them, `rate_batched` by what became of the requests in them, `key_set_fetches` and
    `subrequests` by what came of them. `clock_skew_s` is how far the clock is ahead of Redis', by node. Those of
    upstreams are by name.
    `upstream_targets` are by upstream, target and state, with tabs between; `upstream_retries` by whether the budget
    allowed them. `changes_lag_s` is by source and node, `changes_followers` by source and state, `changes_read` by
    source and what was read, `changes_gaps` by source and reason, each with a tab between.

    `build` has a 1 for version, Python and form, `policies` the time (Unix) since which a process has a policy in
    force, by process and digest; both with tabs between. `limits_used` and `limits_max` are by limit, and one that is
    not bounded has no maximum. `upstream_up` tells whether requests are sent there, `upstream_breakers` are by upstream
    and state. `nodes` is how many live nodes a node sees, by the node that looks. `invalidation_wait` is how long
    writers waited until every live node had applied what they changed, `invalidations` are by whether they
    could be shared, and `leases_waited_out` those for which the lease of a node that said nothing had to run out.
    `redis_round_trip` is of renewals of the lease. `connections_refused` are by reason (server.lobby).
    `certificate_ends` (Unix) are by process, listener and server name, with tabs between.
    """

    stores: tuple[StoreGauges, ...] = ()
    lease_held: bool = True
    redis_errors: dict[str, int] = {}
    log_dropped: dict[str, int] = {}
    rate_fallbacks: dict[str, int] = {}
    rates_refused_locally: int = 0
    rate_calls: int = 0
    rate_batches: dict[str, int] = {}
    rate_batched: dict[str, int] = {}
    nodes_lost: int = 0
    flushes: dict[str, int] = {}
    redis_states: dict[str, int] = {}
    redis_state_seconds: dict[str, float] = {}
    clock_skew_s: dict[str, float] = {}
    rate_clients_forgotten: int = 0
    coded_anew: int = 0
    coded_anew_saved_bytes: int = 0
    key_set_fetches: dict[str, int] = {}
    subrequests: dict[str, int] = {}
    upstream_places: dict[str, int] = {}
    upstream_places_used: dict[str, int] = {}
    upstream_waiting: dict[str, int] = {}
    upstream_refused: dict[str, int] = {}
    upstream_targets: dict[str, int] = {}
    upstream_ejections: dict[str, int] = {}
    upstream_retries: dict[str, int] = {}
    changes_lag_s: dict[str, float] = {}
    changes_followers: dict[str, int] = {}
    changes_read: dict[str, int] = {}
    changes_gaps: dict[str, int] = {}
    connections_refused: dict[str, int] = {}
    certificate_ends: dict[str, float] = {}
    changes_kept_bytes: dict[str, int] = {}
    build: dict[str, int] = {}
    policies: dict[str, float] = {}
    policy_reload_successful: bool = True
    policy_reloads: dict[str, int] = {}
    limits_used: dict[str, int] = {}
    limits_max: dict[str, int] = {}
    upstream_up: dict[str, bool] = {}
    upstream_breakers: dict[str, int] = {}
    upstream_connections: dict[str, int] = {}
    upstream_connections_max: dict[str, int] = {}
    upstream_streams: dict[str, int] = {}
    upstream_streams_max: dict[str, int] = {}
    nodes: dict[str, int] = {}
    workers: dict[str, int] = {}
    worker_restarts: dict[str, int] = {}
    purges: dict[str, int] = {}
    invalidations: dict[str, int] = {}
    leases_waited_out: int = 0
    invalidation_wait: Histogram = msgspec.field(default_factory=Histogram)
    redis_round_trip: Histogram = msgspec.field(default_factory=Histogram)


HELD: Final = (
    "redis_states",
    "clock_skew_s",
    "changes_lag_s",
    "changes_followers",
    "changes_kept_bytes",
    "build",
    "policies",
    "certificate_ends",
    "limits_used",
    "limits_max",
    "upstream_places",
    "upstream_places_used",
    "upstream_waiting",
    "upstream_targets",
    "upstream_up",
    "upstream_breakers",
    "upstream_connections",
    "upstream_connections_max",
    "upstream_streams",
    "upstream_streams_max",
    "nodes",
    "workers",
)
"""The members of which nothing is left when a process has ended; the others are counted and stay."""
