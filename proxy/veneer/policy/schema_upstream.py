"""The shape of upstreams: where backends are, and how they are treated."""

from __future__ import annotations

from typing import Literal

from veneer.policy.schema_concurrency import ConcurrencyShape
from veneer.policy.shape import Duration, Shape, Text, option, required, section


class HealthShape(Shape):
    """Active health checks."""

    path: Text = required("Path that is asked for; any 2xx or 3xx answer is good.")
    every: Duration = option(5.0, "Time between checks.", ge=0.1)
    timeout: Duration = option(2.0, "How long one check may take.", gt=0)
    unhealthy_after: int = option(3, "Failures in a row after which the upstream counts as down.", ge=1, le=100)
    healthy_after: int = option(2, "Successes in a row after which it counts as up again.", ge=1, le=100)


class BreakerShape(Shape):
    """The circuit breaker."""

    failures: int = option(5, "Failed exchanges in a row that open the breaker.", ge=1, le=10_000)
    open: Duration = option(2.0, "How long it stays open before one request is let through to try.", gt=0)


class TlsShape(Shape):
    """How an `https` backend is known, and the proxy to it. Files are PEM, read when the upstream is opened."""

    ca: Text | None = option(None, "File of the authorities that vouch for the backend; the system's when absent.")
    certificate: Text | None = option(None, "File of the certificate that is shown to the backend, with its chain.")
    key: Text | None = option(None, "File of the certificate's key, where that is not in the same file.")
    server_name: Text | None = option(
        None, "Name that the backend is asked for, and that its certificate must have; the host of `url` when absent."
    )


class RetriesShape(Shape):
    """What is tried again."""

    refused: Duration = option(
        1.0,
        "How long a backend that refuses connections is tried again, from its first refusal on: most likely it is "
        "being restarted. One attempt at a time for all who wait; nothing of a request has been sent, so each method "
        "waits. `0` for not at all.",
        "Requests are answered 502 that much later when the backend is down for good, in the first moments.",
        ge=0,
        le=60,
    )
    share: float = option(
        0.1,
        "Where there are several `targets`: this share of the requests may be sent to another one after the first has "
        "failed. A request goes on only where nothing of it was sent, or its method is safe and its content is there "
        "still, and nothing of a response was passed on.",
        "Targets that fail because of their load get that much more of it.",
        ge=0,
        le=1,
    )
    per_second: int = option(5, "So many a second may be beside, for who asks seldom.", ge=0, le=10_000)


class TargetShape(Shape):
    """One of several backends of an upstream."""

    url: Text = required("As `url` of an upstream; scheme and path are the same for all.")
    drain: bool = option(False, "`true` sends it no further requests; those under way end in peace.")
    weight: int = option(
        1,
        "Its share of the requests: one of weight 2 gets twice as many as one of weight 1 that is as quick.",
        ge=1,
        le=256,
    )
    resolve: Literal["one", "all", "srv"] = option(
        "one",
        "What the name in `url` is: `one` target, whose addresses are tried in turn; `all` addresses that it leads to "
        "(A, AAAA), each a target; or `srv`, the name of a service as in `http://_http._tcp.app.internal` (RFC 2782), "
        "each of whose records is a target, with its port, weight and priority (needs the extra `veneer[srv]`). "
        "Names are asked for again (`resolve_every`): new addresses begin slowly, those that are gone end what they "
        "have. While no answer comes, or an empty one, the last one counts.",
    )


class EjectionShape(Shape):
    """When a target gets no requests for a while: it fails again and again, or far more often than the others."""

    failures: int = option(
        5, "Failures in a row: no response head, or one with status 502, 503 or 504.", ge=1, le=10_000
    )
    base: Duration = option(5.0, "How long it is out, at first; twice as long each time that follows.", gt=0)
    longest: Duration = option(300.0, "How long at most.", gt=0)
    share: float = option(
        0.5, "So many of the targets may be out at once; one may in any case, unless it is alone.", ge=0, le=1
    )
    slow_start: Duration = option(10.0, "How long it takes to its full share when it comes back.", ge=0)


class AffinityShape(Shape):
    """Which of several targets is a client's own, as long as it is there and not busier than others."""

    key: Text = required(
        "What tells clients apart: `client_ip` (the first address that the backend is told in X-Forwarded-For), "
        "`header:NAME` or `cookie:NAME`. A request without it goes where the load is least. "
        "A header, a cookie, and behind a trusted proxy that only appends to X-Forwarded-For the address too, are what "
        "clients claim: whoever makes one up chooses his target.",
    )
    balance_factor: float = option(
        1.5,
        "A target gets at most so many times its part of the requests under way, as this process counts them, and 8 in "
        "any case; what is beyond goes to the next in the key's order.",
        ge=1,
        le=100,
    )


class UpstreamShape(Shape):
    """One backend."""

    url: Text | None = option(
        None,
        "Where the backend listens: `http://host:port` or `https://host:port`, optionally with a path put before every "
        "target; or `unix:/path/of/socket`. Either this or `targets`.",
    )
    targets: list[TargetShape] = option(
        [],
        "Several backends that do the same. Of two taken at random the one with less load gets a request: requests "
        "under way times latency. One that fails is left out for a while (`ejection`). Connections, `concurrency` and "
        "`health` are each target's own; a `breaker` is for all together.",
        max_length=64,
    )
    resolve_every: Duration = option(
        5.0,
        "How long an answer about a name of `targets` counts that is `resolve`d to several. What a record of a service "
        "itself says counts where that is shorter, but at least a second.",
        ge=1,
        le=3600,
    )
    ejection: EjectionShape = section(EjectionShape, "When one of several targets gets no requests for a while.")
    affinity: AffinityShape | None = option(
        None,
        "Requests of one client go to one of several targets, the same from all nodes (consistent hashing with bounded "
        "load); by load alone when absent. They are not sent the quickest way.",
    )
    tls: TlsShape = section(TlsShape, "TLS towards an `https` backend.")
    connect_timeout: Duration = option(2.0, "Time to open a connection.", gt=0)
    read_timeout: Duration = option(
        60.0,
        "Time without a byte from the backend, before its response and within it. Then: 504, or the end of the "
        "connection where a response has begun. A long poll has to end before. See `stream_idle` and `tunnel_idle`.",
        gt=0,
    )
    stream_idle: Duration = option(
        600.0,
        "Time without a byte within a response that lasts: `text/event-stream`, `multipart/x-mixed-replace`. "
        "Then: the end of the connection. `read_timeout` where that is longer.",
        gt=0,
    )
    write_timeout: Duration = option(30.0, "Time without the backend taking a single byte.", gt=0)
    pool_timeout: Duration = option(
        5.0, "Time a request waits for a connection, or its turn (`concurrency`). Then: 503.", gt=0
    )
    keep_alive: Duration = option(
        4.5,
        "Time an idle connection is kept, where the backend's Keep-Alive field does not say.",
        "Many servers close after five seconds; a longer time meets connections that are just being closed.",
        gt=0,
    )
    keep_alive_time: Duration = option(
        60.0,
        "Time after its opening from which on a connection carries no further request. The next one goes where the "
        "backend's name leads then.",
        "A backend that has moved gets requests at its old address for so long, if it still answers there.",
        gt=0,
    )
    max_connections: int = option(
        256,
        "Connections to this backend for requests, per process. Long polls are requests; where there are many, give "
        "their route an upstream of its own with the same `url`.",
        ge=1,
        le=65_535,
    )
    max_streams: int = option(
        1024,
        "Connections beside these for what lasts, per process: tunnels (WebSockets) and the responses of "
        "`stream_idle`, from the moment on at which they begin. Beyond: 503.",
        ge=0,
        le=65_535,
    )
    preserve_host: bool = option(
        True,
        "Forward the client's Host. `false` sends the host of `url`.",
        "With `false` the backend cannot tell the hosts apart that clients ask for, while the cache still does.",
    )
    rewrite_location: bool = option(
        True,
        "A `Location` that names the backend by `url` becomes a path, so that clients stay with the proxy.",
        "With `false` redirects of a backend that does not know its public name send clients past the proxy.",
    )
    concurrency: ConcurrencyShape = section(ConcurrencyShape, "How many requests it gets at once.")
    health: HealthShape | None = option(None, "Active health checks; none when absent.")
    retries: RetriesShape = section(RetriesShape, "What is tried again.")
    breaker: BreakerShape | None = option(None, "Fail fast while the backend keeps failing; never when absent.")
