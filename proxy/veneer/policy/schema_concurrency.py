"""The shape of `upstreams.NAME.concurrency` in policies.yaml."""

from __future__ import annotations

from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.policy.shape import Shape, option

_DEFAULT = ConcurrencyRules()


class ConcurrencyShape(Shape):
    """How many requests the backend gets at once, per process; who comes beyond waits, or is told when to come back.

    Those wait that hope to be answered: up to `pool_timeout` while the queue is but a burst, and hardly at all, the
    newest first, once it stands. Then: 503 with Retry-After. Tunnels, and what lasts (`stream_idle`), do not count from
    the moment on at which they begin.
    """

    adaptive: bool = option(
        _DEFAULT.adaptive,
        "Find the number out from how long the backend takes: as many as it does without making them wait. `false` "
        "sends as many as there are `max_connections`.",
    )
    min: int = option(
        _DEFAULT.least,
        "So many it gets at least, however slow it is.",
        "More than the backend does at once makes its clients wait there.",
        ge=1,
        le=65_535,
    )
    max_waiting: int = option(_DEFAULT.max_waiting, "So many wait at most.", ge=1, le=65_535)
    route_share: float = option(
        _DEFAULT.route_share,
        "Where there are requests for others, a route gets no more than this share: one that hangs leaves them room.",
        gt=0,
        le=1,
    )
    critical_share: float = option(
        _DEFAULT.critical_share,
        "This share is kept for routes with `priority: critical`, for a minute after the last such request.",
        ge=0,
        lt=1,
    )
