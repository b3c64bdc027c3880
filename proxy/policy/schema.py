"""The shape of policies.yaml: every key with its type, default, meaning and, where there is one, its risk.

docs/policies.md is generated from these models, so what is written here is what operators read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError

from proxy.core.rules import CodingRules
from proxy.policy import model
from proxy.policy.units import Rate, UnitError, parse_duration, parse_rate, parse_size, parse_statuses


class Unit(str):
    """How a quantity is written, for the reference: duration, size, rate, statuses."""

    __slots__ = ()


def _reads(parse: Any) -> BeforeValidator:
    def read(value: object) -> object:
        try:
            return parse(value)
        except UnitError as error:
            raise PydanticCustomError("unit", "{why}", {"why": str(error), "hint": error.suggestion}) from None

    return BeforeValidator(read)


Duration = Annotated[float, _reads(parse_duration), Unit("duration")]
Size = Annotated[int, _reads(parse_size), Unit("size")]
RateText = Annotated[Rate, _reads(parse_rate), Unit("rate")]
Statuses = Annotated[frozenset[int], _reads(parse_statuses), Unit("statuses")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")]
Method = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9-]{0,31}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


def option(default: Any, meaning: str, risk: str | None = None, **bounds: Any) -> Any:
    """One key: its default, its meaning, the risk of changing it and its bounds."""
    extra: dict[str, JsonValue] | None = {"risk": risk} if risk else None
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)


def section(shape: type[BaseModel], meaning: str) -> Any:
    """A key that holds further keys, all of which have defaults."""
    return Field(default_factory=shape, description=meaning)


def required(meaning: str, **bounds: Any) -> Any:
    """A key that must be given."""
    return Field(description=meaning, **bounds)


class Shape(BaseModel):
    """Strict, closed and frozen: no key is ignored and no value is guessed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)


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


class UpstreamShape(Shape):
    """One backend."""

    url: Text = required(
        "Where the backend listens: `http://host:port`, optionally with a path put before every target."
    )
    connect_timeout: Duration = option(2.0, "Time to open a connection.", gt=0)
    read_timeout: Duration = option(30.0, "Time without a single octet from the backend. Then: 504.", gt=0)
    write_timeout: Duration = option(30.0, "Time without the backend taking a single octet.", gt=0)
    pool_timeout: Duration = option(5.0, "Time a request waits for a free connection. Then: 503.", gt=0)
    keep_alive: Duration = option(
        4.5,
        "Time an idle connection is kept, where the backend's Keep-Alive field does not say.",
        "Many servers close after five seconds; a longer time meets connections that are just being closed.",
        gt=0,
    )
    max_connections: int = option(256, "Connections to this backend, per process.", ge=1, le=65_535)
    preserve_host: bool = option(
        True,
        "Forward the client's Host. `false` sends the host of `url`.",
        "With `false` the backend cannot tell the hosts apart that clients ask for, while the cache still does.",
    )
    health: HealthShape | None = option(None, "Active health checks; none when absent.")
    breaker: BreakerShape | None = option(None, "Fail fast while the backend keeps failing; never when absent.")


class RateLimitShape(Shape):
    """One named rate limit."""

    rate: RateText = required("Requests per duration, refilled evenly (GCRA).")
    key: Text = option(
        "client_ip",
        "What tells clients apart: `client_ip`, `header:NAME`, `authorization` (a digest of the field), "
        "`route` or `global`.",
        "`header:NAME` is what clients claim: use it only where something in front of the proxy sets the field.",
    )
    burst: int | None = option(None, "How many may come at once; the whole quota when absent.", ge=1, le=10**9)
    on_store_loss: Literal["local_share", "open", "closed"] = option(
        "local_share",
        "While Redis is away: count locally, admit all (`open`) or refuse all (`closed`).",
        "`local_share` admits each node its part of the quota; `closed` turns a Redis outage into an outage.",
    )
    accuracy: Literal["exact", "leased"] = option(
        "exact",
        "`exact` asks Redis for each request; `leased` takes batches and asks rarely.",
        "`leased` may admit up to nodes x batch requests more than the quota.",
    )


class QueryKeyShape(Shape):
    """Which query parameters enter the cache key."""

    only: list[Text] | None = option(
        None,
        "Only these parameters enter the key, sorted by name.",
        "A parameter that changes the response but is missing here mixes up responses.",
        max_length=256,
    )
    except_: list[Text] = Field(
        default_factory=list,
        alias="except",
        description="All but these parameters enter the key.",
        json_schema_extra={"risk": "As for `only`."},
        max_length=256,
    )
    sort: bool = option(
        False,
        "Sort the parameters by name, so that their order does not matter.",
        "Wrong for a backend to which the order of different parameters matters.",
    )


class KeyShape(Shape):
    """What enters the cache key beside method, authority and path."""

    query: QueryKeyShape = section(QueryKeyShape, "The query; the whole of it by default.")
    headers: list[FieldName] = option([], "Request fields that enter the key, normalised.", max_length=32)
    show: bool = option(
        False,
        "Show the key to clients in Cache-Status (RFC 9211).",
        "Whoever asks learns how responses are told apart.",
    )


class HeuristicShape(Shape):
    """Freshness where neither origin nor policy gives any (RFC 9111 section 4.2.2)."""

    fraction: float = option(0.1, "Share of the time since Last-Modified; 0 for none.", ge=0, le=1)
    max: Duration = option(86_400.0, "Upper bound of a heuristic lifetime.", ge=0)


class CompatShape(Shape):
    """Deviations from the standards, each by name. All off by default."""

    language_from_content: bool = option(
        False,
        "Reuse a response that varies on Accept-Language when its Content-Language is the request's first choice.",
        "RFC 9111 section 4.1 forbids it: the origin may have had other reasons to answer differently.",
    )
    trust_short_partial: bool = option(
        False,
        "Believe the Content-Range of a 206 whose body is shorter than it says, and answer ranges from it.",
        "The message is corrupt: clients may get octets from the wrong place.",
    )
    post_as_query: bool = option(
        False,
        "POST changes nothing on this route and is answered as QUERY (RFC 10008) would be: from the store where the "
        "same content was asked for, keyed by a digest of it. Content over 64 KB passes through.",
        "RFC 9110 section 9.2.1 counts POST as unsafe: a POST that does change something would not be carried out "
        "when its answer is stored, and invalidates nothing.",
    )


class CacheShape(Shape):
    """How responses are cached."""

    enabled: bool = option(True, "`false` neither stores nor answers from the store.")
    ttl: Duration | None = option(
        None,
        "Freshness lifetime where the origin gives none. Under `defaults` it holds for listed routes only.",
        "Responses change unseen until the lifetime ends or an invalidation names them.",
    )
    origin: Literal["respect", "override"] = option(
        "respect",
        "Whose lifetime counts when both speak. With `override` it is `ttl`; no-store and private still win.",
        "`override` ignores max-age=0 and no-cache of an origin that may mean it.",
    )
    stale_while_revalidate: Duration | None = option(
        None, "Serve stale this long while asking again in the background (RFC 5861); the origin's word when absent."
    )
    stale_if_error: Duration | None = option(
        None, "Serve stale this long when the backend fails (RFC 5861); the origin's word when absent."
    )
    stale_on_disconnect: bool = option(True, "Serve stale when the backend cannot be reached (RFC 9111 section 4.2.4).")
    obey_request_no_cache: bool = option(
        True,
        "Clients may demand a fresh answer (no-cache, max-age, min-fresh).",
        "`false` leaves clients no way to force a reload; it shields the backend from those who do.",
    )
    set_cookie: Literal["explicit", "refuse", "strip", "store"] = option(
        "explicit",
        "Responses that set cookies: store if the origin gave explicit freshness, never, without the field, or always.",
        "`store` hands one client's cookie to others. `strip` gives it to the client that caused the fetch alone.",
    )
    share_authorized: bool = option(
        False,
        "Store answers to requests with Authorization as if it were not there.",
        "Private answers reach other users unless the backend marks every one of them. Prefer `public` or `s-maxage`.",
    )
    targeted_fields: list[FieldName] = option(
        ["CDN-Cache-Control"],
        "Targeted cache-control fields (RFC 9213) this cache obeys, first present wins. Add your own name first, "
        "as in `[Veneer-Cache-Control, CDN-Cache-Control]`.",
        max_length=8,
    )
    heuristic: HeuristicShape = section(HeuristicShape, "Heuristic freshness.")
    max_body: Size = option(16 * 1024**2, "Larger responses are passed on but not stored.", ge=0)
    keep_stale: Duration = option(
        86_400.0,
        "How long a stale response stays stored, to be validated or to stand in for a backend that is away.",
        ge=0,
    )
    preflight: Duration | None = option(
        None,
        "Keep answers to CORS preflight this long, by origin, method and headers asked for; forwarded when absent.",
        "A change of the backend's CORS rules goes unseen that long.",
    )
    key: KeyShape = section(KeyShape, "What enters the cache key.")
    tags: list[Text] = option([], "Tags of the responses, beside those the origin sends.", max_length=64)
    compat: CompatShape = section(CompatShape, "Named deviations from the standards.")


class CompressShape(Shape):
    """Content coding of responses."""

    enabled: bool = option(True, "`false` passes bodies as they are.")
    min_size: Size = option(1024, "Smaller bodies are left alone.", ge=0)
    level: int = option(6, "1 to 11; bounded to what each coding has (gzip 9).", ge=1, le=11)
    prefer: list[Literal["br", "zstd", "gzip"]] = option(
        list(model.CODINGS), "Codings, best first, among those the client likes equally.", max_length=3
    )
    stream_over: Size = option(500_000, "Larger bodies are coded as they pass, and their coded form is not kept.", ge=0)
    types: list[Annotated[str, StringConstraints(pattern=r"^[a-z0-9.+-]+/([a-z0-9.+-]+|\*)$")]] = option(
        sorted(name + "*" * name.endswith("/") for name in CodingRules().types),
        "Media types worth coding, in lower case; `text/*` stands for every text. `+json` and `+xml` always are.",
        max_length=128,
    )


class RouteOptions(Shape):
    """What every route has. Under `defaults` it holds for every route that does not say otherwise, key by key."""

    upstream: Name | None = option(None, "The backend, by name; the only or the first one when absent.")
    cache: CacheShape = section(CacheShape, "Caching.")
    compress: CompressShape = section(CompressShape, "Content coding.")
    rate_limit: Name | None = option(None, "A limit from `rate_limits`; `null` for none.")
    invalidates_on: list[Statuses] = option(
        [model.DEFAULT_INVALIDATES_ON],
        "Statuses of an unsafe request's response that count as done, as in `[2xx, 3xx, 404]`.",
        "Leaving out a status with which the backend did change something leaves stale responses in place.",
        min_length=1,
        max_length=64,
    )
    invalidates_when: Literal["always", "silent"] = option(
        "always",
        "Whether `invalidates` counts always, or only where the response has no Cache-Group-Invalidation and no "
        "X-Cache-Invalidate, and where there is no response, so that nobody knows what the backend did.",
        "`silent` trusts a backend that names something to name all of it.",
    )
    consistency: Literal["strict", "bounded"] = option(
        "strict",
        "`strict` answers a write only when every live node has applied its invalidation; `bounded` answers at once.",
        "With `bounded` other nodes may serve the old response until they hear of it, at most for one lease.",
    )
    on_store_loss: Literal["forward", "stale"] = option(
        "forward",
        "What to do with stored responses while the shared log is away: forward, or serve them marked stale.",
        "`stale` gives up the guarantee while Redis is away.",
    )
    max_body: Size | None = option(None, "Bound on request bodies, instead of `limits.body`. Beyond: 413.", ge=0)
    read_timeout: Duration | None = option(None, "Instead of the upstream's `read_timeout`.", gt=0)
    coalesce: bool = option(True, "Concurrent misses for one key share one request to the backend.")
    coalesce_wait: Duration = option(5.0, "Longest time a request waits for another's before it goes itself.", gt=0)
    etag: Literal["generate", "off"] = option(
        "generate", "Make a strong ETag for stored responses without a validator."
    )
    audit_share: float = option(
        0.0,
        "Share of hits compared in the background with a fresh response. A difference that no invalidation explains is "
        "logged with its tags and counted.",
        "Each audit is a request to the backend. Answers that differ each time, as by a time of day, always differ.",
        ge=0,
        le=1,
    )


class MatchShape(Shape):
    """Which requests take the route. All given conditions must hold."""

    path: Text = required("A path template: `{name}` is one segment, `{name:path}` at the end is all that remains.")
    methods: list[Method] | None = option(
        None, "Methods; all when absent. GET includes HEAD.", min_length=1, max_length=32
    )
    query: dict[Text, str] = option(
        {}, "Query parameters that must occur exactly once with this value, as in `{type: user}`.", max_length=16
    )


class RouteShape(RouteOptions):
    """One route. The first that matches wins."""

    name: Name = required("The route's name in logs, metrics and reports.")
    match: MatchShape = required("Which requests take the route.")
    invalidates: list[Text] = option(
        [],
        'Tags that an unsafe request on this route invalidates, as in `["user:{user_id}", "users:*"]`.',
        max_length=64,
    )


class LimitsShape(Shape):
    """Bounds on what clients may send. Read at start only, `body` excepted."""

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
    in_flight: int = option(2_000, "Requests at work per process. Beyond: 503 with Retry-After.", ge=1, le=1_000_000)


class TimeoutsShape(Shape):
    """How long a client may take. Read at start only."""

    idle: Duration = option(75.0, "Between requests on a connection, and before the first. Then: close.", gt=0)
    head: Duration = option(15.0, "For a request's head, from its first octet on. Then: 408 and close.", gt=0)
    body: Duration = option(30.0, "Without a single octet of a request's body. Then: 408 and close.", gt=0)
    drain: Duration = option(20.0, "For requests at work when the proxy is told to stop.", ge=0)


class AdminShape(Shape):
    """The admin listener: health, metrics, purge. Read at start only."""

    listen: Text = option(
        "127.0.0.1:9090",
        "Address and port.",
        "Whoever reaches it can empty the cache: an address other than loopback needs `token_env`.",
    )
    token_env: Name | None = option(None, "Environment variable that holds the bearer token asked for.")


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
    max_connections: int = option(64, "Connections to Redis, per process.", ge=1, le=10_000)
    timeout: Duration = option(0.25, "Longest wait for Redis in a request's way.", gt=0)
    max_entry: Size = option(8 * 1024**2, "Larger responses stay in memory only.", ge=0)
    compress_over: Size = option(1024, "Larger values are compressed in Redis.", ge=0)


class StoresShape(Shape):
    """Where responses are kept. Read at start only."""

    memory: Size = option(256 * 1024**2, "Memory for responses, per process.", ge=1024**2)
    max_variants: int = option(32, "Stored responses per key (Vary).", ge=1, le=1024)
    redis: RedisShape = section(RedisShape, "The shared store.")
    lease: LeaseShape = section(LeaseShape, "The lease that makes invalidation strict.")


class RequestShape(Shape):
    """The request of a test."""

    method: Method = option("GET", "The method.")
    path: Text = required("The target: path and query.")
    headers: dict[FieldName, str] = option({}, "Request fields.", max_length=64)


class ResponseShape(Shape):
    """The backend's response in a test."""

    status: int = option(200, "The status.", ge=100, le=599)
    headers: dict[FieldName, str] = option({}, "Response fields.", max_length=64)


class ExpectShape(Shape):
    """What must come of it; only what is given is checked."""

    route: Name | None = option(None, "The route taken; `default` when none of the listed ones matches.")
    params: dict[Text, str] | None = option(None, "The path parameters.")
    cacheable: bool | None = option(None, "Whether `response` would be stored.")
    ttl: Duration | None = option(None, "How long `response` would be fresh.")
    same_key_as: Text | None = option(None, "Another target that must share this one's cache key.")
    other_key_than: Text | None = option(None, "Another target that must not share it.")
    tags: list[str] | None = option(None, "The tags by policy, in order.")
    invalidates: list[str] | None = option(None, "The tags invalidated by policy, in order.")
    rate_limit: Name | None = option(None, "The rate limit that counts the request; `null` for none.")
    upstream: Name | None = option(None, "The backend asked.")


class TestShape(Shape):
    """One test, run whenever the file is loaded: a file whose tests fail is refused."""

    request: RequestShape = required("The request.")
    response: ResponseShape = section(ResponseShape, "The backend's response; 200 without fields by default.")
    expect: ExpectShape = required("What must come of it.")


class PolicyShape(Shape):
    """The whole file. Every key may be left out."""

    version: Literal[1] = option(1, "Version of this format.")
    upstreams: dict[Name, UpstreamShape] = option(
        {}, "Backends by name. One at http://127.0.0.1:7071 when absent; `--upstream` replaces the first one's URL."
    )
    rate_limits: dict[Name, RateLimitShape] = option({}, "Rate limits by name; they count where a route names them.")
    limits: LimitsShape = section(LimitsShape, "Bounds on what clients may send.")
    timeouts: TimeoutsShape = section(TimeoutsShape, "How long clients may take.")
    trusted_proxies: list[Text] = option(
        [],
        "Addresses or networks whose X-Forwarded-* and Forwarded fields are believed.",
        "A network that holds clients lets them choose their own address, and so escape rate limits.",
        max_length=256,
    )
    admin: AdminShape = section(AdminShape, "The admin listener.")
    stores: StoresShape = section(StoresShape, "Where responses are kept.")
    defaults: RouteOptions = section(RouteOptions, "What holds for every route that does not say otherwise.")
    routes: list[RouteShape] = option(
        [], "Routes; the first that matches wins. What none matches takes `defaults`.", max_length=2_000
    )
    warm: list[Text] = option(
        [],
        "Fetched at start, so that they are hits from the first client on: URLs with the host that clients use, or "
        "paths, asked for under the proxy's own address.",
        max_length=10_000,
    )
    tests: list[TestShape] = option([], "Tests run at load.", max_length=2_000)
