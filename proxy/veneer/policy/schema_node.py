"""The shape of what concerns the whole proxy in policies.yaml: limits, time-outs, admin listener, stores."""

from __future__ import annotations

from typing import Literal

from veneer.policy.shape import Duration, Name, Shape, Size, Text, option, section

ODD_RISK = "A backend that decodes or resolves it sees another path than the one that was matched and keyed."


class LimitsShape(Shape):
    """Bounds on what clients may send.

    `connections` is read at start only, and so are the bounds of the parser that reads what is not plain: a lower
    `head`, `header_count` or `target` acts at once, a higher one fully after a restart. All others act at once.
    """

    head: Size = option(32 * 1024, "Request line and fields together. Beyond: 431.", ge=1024, le=1024**2)
    header_count: int = option(128, "Field lines of a request. Beyond: 431.", ge=8, le=10_000)
    target: Size = option(8 * 1024, "The request target. Beyond: 414.", ge=256, le=64 * 1024)
    body: Size = option(1024**3, "A request body. Beyond: 413.", ge=0)
    connections: int = option(
        20_000,
        "Client connections per process; fewer where the system allows fewer open files. Beyond: 503 and close.",
        ge=1,
        le=1_000_000,
    )
    in_flight: int = option(
        2_000, "Requests at work per process. Beyond: what is stored, or 503 with Retry-After.", ge=1, le=1_000_000
    )
    encoded_slash: Literal["refuse", "keep"] = option(
        "refuse",
        "`%2F` in a path: answer 400, or keep it as it is, neither decoded nor taken for a slash, in key, match and "
        "towards the backend. npm (`@scope%2fname`), Matrix and registries need `keep`, best on their routes alone.",
        ODD_RISK,
    )
    backslash: Literal["refuse", "keep"] = option("refuse", "As `encoded_slash`, of `\\\\` and `%5C`.", ODD_RISK)
    dot_segments: Literal["refuse", "keep"] = option(
        "refuse",
        "As `encoded_slash`, of the segments `.` and `..`, also before `;` or between kept `%2F`. Stores of objects "
        "with such names, as S3, need `keep`. Any other `;` is kept everywhere.",
        ODD_RISK,
    )


class RouteLimitsShape(Shape):
    """What of a target is kept on a route."""

    encoded_slash: Literal["refuse", "keep"] | None = option(None, "Instead of `limits.encoded_slash`.")
    backslash: Literal["refuse", "keep"] | None = option(None, "Instead of `limits.backslash`.")
    dot_segments: Literal["refuse", "keep"] | None = option(None, "Instead of `limits.dot_segments`.")


class TimeoutsShape(Shape):
    """How long a client may take. Read at start only."""

    handshake: Duration = option(10.0, "For a TLS handshake, once connected. Then: close.", gt=0, le=600)
    idle: Duration = option(75.0, "Between requests on a connection, and before the first. Then: close.", gt=0)
    head: Duration = option(15.0, "For a request's head, from its first byte on. Then: 408 and close.", gt=0)
    body: Duration = option(30.0, "Without a single byte of a request's body. Then: 408 and close.", gt=0)
    drain: Duration = option(20.0, "For requests at work when the proxy is told to stop.", ge=0)
    drain_delay: Duration = option(
        0.0,
        "Before that: connections are still accepted while `/ready` says 503, so that a load balancer can notice.",
        "Without it, what a load balancer sends in the moment after the stop meets a closed port.",
        ge=0,
        le=600,
    )


class SampleShape(Shape):
    """Which lines of the access log are written; metrics count everything.

    Errors (statuses from 400 on, refusals, and whatever has an `error`) are written always. A line that stands for
    more says so in `sample_rate`: counted 1 / `sample_rate` times, such lines give the true numbers.
    """

    hits: float = option(
        1.0,
        "Share of the lines of answers that needed no request of their own to a backend: `hit`, `stale`, `collapsed`.",
        "What a client got cannot be looked up any more where its line was left out.",
        ge=0,
        le=1,
    )
    others: float = option(
        1.0, "Share of the lines of all other answers: misses, what passes the cache, writes.", ge=0, le=1
    )
    slow: Duration = option(1.0, "What took so long is written always.", gt=0)


class LoggingShape(Shape):
    """The access log."""

    sample: SampleShape = section(SampleShape, "Which of its lines are written.")


class AdminShape(Shape):
    """The admin listener: health, metrics, purge. Read at start only, but for what is in `token_file`."""

    listen: Text = option(
        "127.0.0.1:9090",
        "Address and port.",
        "Whoever reaches it can empty the cache: an address other than loopback needs `token_file` or `token_env`.",
    )
    token_file: Text | None = option(
        None,
        "File that holds the bearer token asked for, of at least 16 characters; read again when it changes.",
    )
    token_env: Name | None = option(None, "Environment variable that holds it, where there is no `token_file`.")
    probes: Text | None = option(
        None,
        "Address and port of a listener with `/health`, `/ready` and `/metrics` alone: read only, without a token.",
        "Whoever reaches it sees the metrics, with names of routes and upstreams.",
    )


class LeaseShape(Shape):
    """The lease under which a node may answer from its stores."""

    renew: Duration = option(0.5, "Time between renewals.", ge=0.05, le=60)
    valid: Duration = option(
        2.0,
        "How long a lease lasts; at least twice `renew`.",
        "Longer: a write waits longer for a dead node. Shorter: a pause forces nodes to forward.",
        ge=0.1,
        le=600,
    )


class RedisShape(Shape):
    """The shared store. Read at start only."""

    url: Text | None = option(
        None, "`redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`; none for memory only."
    )
    max_connections: int = option(
        64, "Connections to Redis, per process, beside six for the log and the entries.", ge=1, le=10_000
    )
    timeout: Duration = option(0.25, "Longest wait for Redis in a request's way.", gt=0)
    max_entry: Size = option(8 * 1024**2, "Larger responses stay in memory only.", ge=0)
    compress_over: Size = option(1024, "Larger values are compressed in Redis.", ge=0)


class StoresShape(Shape):
    """Where responses are kept. Read at start only."""

    memory: Size = option(
        256 * 1024**2,
        "Memory for responses, per process. Where it is not given, less if the cgroup allows less.",
        ge=1024**2,
    )
    max_variants: int = option(32, "Stored responses per key (Vary).", ge=1, le=1024)
    redis: RedisShape = section(RedisShape, "The shared store.")
    lease: LeaseShape = section(LeaseShape, "The lease that makes invalidation strict.")
