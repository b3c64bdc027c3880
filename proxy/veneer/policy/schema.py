"""The shape of policies.yaml: every key with its type, default, meaning and, where there is one, its risk.

docs/policies.md is generated from these models, so what is written here is what operators read.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import StringConstraints

from veneer.core.codings import CODINGS, LEVELS, CodingName
from veneer.core.rules import CodingRules
from veneer.policy import model, spelling
from veneer.policy.schema_cache import CacheShape
from veneer.policy.schema_changes import ChangesShape
from veneer.policy.schema_fields import CorsShape, FieldValue, RequestFieldsShape, ResponseFieldsShape
from veneer.policy.schema_identity import IdentityShape
from veneer.policy.schema_listen import ListenerShape
from veneer.policy.schema_node import (
    AdminShape,
    LimitsShape,
    LoggingShape,
    RouteLimitsShape,
    StoresShape,
    TimeoutsShape,
)
from veneer.policy.schema_tests import TestShape
from veneer.policy.schema_upstream import UpstreamShape
from veneer.policy.shape import (
    Duration,
    FieldName,
    Method,
    Name,
    OneOrMore,
    RateText,
    Shape,
    Size,
    Statuses,
    Text,
    option,
    required,
    section,
)


class RateLimitShape(Shape):
    """One named rate limit."""

    rate: RateText = required("Requests per duration, refilled evenly (GCRA).")
    key: Annotated[list[Text], OneOrMore] = option(
        ["client_ip"],
        "What tells clients apart: `client_ip`, `header:NAME`, `authorization` (a digest of the field), "
        "`route`, `global`, or `identity.NAME` (a value of `identities`; who proves none counts by address); or "
        "several of these together, as in `[identity.tenant, route]`.",
        "`header:NAME` is what clients claim: use it only where something in front of the proxy sets the field.",
        min_length=1,
        max_length=4,
    )
    ipv6_prefix: int = option(
        64,
        "IPv6 clients count by their network of so many bits, 128 for each address by itself.",
        "A subscriber has at least a /64: whoever counts longer prefixes gives each as many quotas as it likes.",
        ge=32,
        le=128,
    )
    burst: int | None = option(None, "How many may come at once; the whole quota when absent.", ge=1, le=10**9)
    on_store_loss: Literal["local_share", "open", "closed"] = option(
        "local_share",
        "While Redis is away: count locally, admit all (`open`) or refuse all (`closed`).",
        "`local_share` admits each node its part of the quota; `closed` turns a Redis outage into an outage.",
    )
    accuracy: Literal["adaptive", "exact", "leased"] = option(
        "adaptive",
        "`adaptive` takes batches from Redis ahead of the requests, and asks for each near the limit; `exact` always "
        "asks for each; `leased` takes a tenth of the burst at once.",
        "`adaptive` may admit 1 % more than quota and burst in a window (docs/guarantees.md); `leased` up to nodes x "
        "batch requests more than the quota.",
    )


class CompressShape(Shape):
    """Content coding of responses."""

    enabled: bool = option(True, "`false` passes bodies as they are.")
    min_size: Size = option(1024, "Smaller bodies are left alone.", ge=0)
    level: int = option(
        1,
        "1 to 11; bounded to what each coding has. How hard a body is coded when it is asked for first, or passes: "
        "somebody waits for it, and `idle` makes a better form of what is in demand.",
        ge=1,
        le=11,
    )
    prefer: list[CodingName] = option(
        list(get_args(CodingName)),
        "Codings, best first, among those the client likes equally.",
        max_length=len(CODINGS),
    )
    stream_over: Size = option(500_000, "Larger bodies are coded as they pass, and their coded form is not kept.", ge=0)
    idle: bool = option(
        True,
        "Code kept bodies that are in steady demand once more, as hard as each coding can "
        f"({', '.join(f'{name} {levels.highest}' for name, levels in LEVELS.items())}), "
        "in idle time and at low priority. The smaller form has an entity tag of its own; clients that hold the other "
        "still get 304.",
    )
    idle_up_to: Size = option(
        256 * 1024, "Larger bodies are not coded again: it takes a second for every 500 KB.", ge=0, le=8 * 1024**2
    )
    types: list[Annotated[str, StringConstraints(pattern=spelling.MEDIA_TYPE)]] = option(
        sorted(name + "*" * name.endswith("/") for name in CodingRules().types),
        "Media types worth coding, in lower case; `text/*` stands for every text. `+json` and `+xml` always are.",
        max_length=128,
    )


class RouteOptions(Shape):
    """What every route has. Under `defaults` it holds for every route that does not say otherwise, key by key."""

    upstream: Name | None = option(None, "The backend, by name; the only or the first one when absent.")
    cache: CacheShape = section(CacheShape, "Caching.")
    compress: CompressShape = section(CompressShape, "Content coding.")
    request: RequestFieldsShape = section(RequestFieldsShape, "Fields of requests.")
    response: ResponseFieldsShape = section(ResponseFieldsShape, "Fields of responses.")
    cors: CorsShape = section(CorsShape, "Which pages may read the proxy's own answers.")
    rate_limit: Annotated[list[Name], OneOrMore] | None = option(
        None,
        "A limit from `rate_limits`, or a list of them, all of which must admit: when one refuses, nothing is taken "
        "from the others. RateLimit tells of the tightest. `null` for none.",
        "With Redis, the first request that a limit refuses has been counted by those before it in the list. A route "
        "with several limits, or with one whose `key` has several parts, is not answered the quickest way.",
        min_length=1,
        max_length=4,
    )
    invalidates_on: list[Statuses] = option(
        (model.DEFAULT_INVALIDATES_ON,),  # what cannot be hashed is copied for each route, status by status
        "Statuses of an unsafe request's response that count as done, as in `[2xx, 3xx, 404, 5xx]`. After 5xx nobody "
        "knows what was done, so it counts.",
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
    spare_target_keyed_by: list[FieldName] = option(
        [],
        "Request fields, or values as `identity.tenant`, that tell tenants apart. An unsafe request invalidates its "
        "target (RFC 9111 section 4.4), and "
        "so for all tenants. Not where its response has a 2xx or 3xx status and Cache-Group-Invalidation or "
        "X-Cache-Invalidate, and the route of GET, like every listed one that stores answers for the path, has one of "
        "these in `key.headers` or `share`: then what the response names counts alone.",
        "As `invalidates_when: silent`, it trusts a backend that names something to name all of it, here even what "
        "the target itself shows.",
        max_length=8,
    )
    consistency: Literal["strict", "bounded"] = option(
        "strict",
        "`strict` answers a write only when every live node has applied its invalidation; `bounded` answers at once.",
        "With `bounded` other nodes may serve the old response until they hear of it: after a round trip through Redis "
        "and, while the node that wrote cannot reach Redis, once it can.",
    )
    on_store_loss: Literal["forward", "stale"] = option(
        "forward",
        "What to do with stored responses while the shared log is away: forward, or serve them marked stale.",
        "`stale` gives up the guarantee while Redis is away.",
    )
    max_body: Size | None = option(None, "Bound on request bodies, instead of `limits.body`. Beyond: 413.", ge=0)
    body_buffer: Size = option(
        64 * 1024,
        "So much of a request's body is read before a connection to the backend is taken for it. `0` passes every "
        "piece on as it comes, for a backend that answers while it reads.",
        "With `0`, and with larger bodies, clients that send slowly hold connections that others wait for.",
        ge=0,
        le=1024**2,
    )
    read_timeout: Duration | None = option(None, "Instead of the upstream's `read_timeout`.", gt=0)
    upgrades: list[Annotated[str, StringConstraints(pattern=spelling.UPGRADE)]] = option(
        sorted(model.DEFAULT_UPGRADES),
        "Protocols to which a GET may switch by Upgrade (RFC 9110 section 7.8); from a request for others the "
        "Upgrade is taken out, and it is answered as an ordinary one. `h2c` is never allowed.",
        "What crosses after a switch is not looked at: no limit and no rule applies to it, and one log line tells all.",
        max_length=16,
    )
    write_settles: Duration = option(
        60.0,
        "How long after a write was given up (time-out, lost connection, 502, 504) the backend may still carry it out.",
        "Until then what the write would change is neither served from a store nor stored. A backend that takes longer "
        "leaves stale responses in place.",
        ge=0,
        le=3600,
    )
    priority: Literal["critical", "normal", "background"] = option(
        "normal",
        "Which requests go first where the backend cannot take all (`upstreams.NAME.concurrency`). What the proxy asks "
        "for itself (refreshes, audits) is in the background: refused where others wait.",
    )
    retry_writes: Literal["never", "with-key", "always"] = option(
        "never",
        "Which requests with POST, PUT, DELETE and the like are sent once more where the connection broke before an "
        "answer, or a target is busy: those with an Idempotency-Key, or all. As far as `upstreams.NAME.retries` goes.",
        "A backend that does not know the key, or whose writes add up, carries one out twice.",
    )
    tunnel_idle: Duration = option(
        600.0, "Time without a byte in either direction after a switch, as of a WebSocket. Then: close.", gt=0
    )
    coalesce: bool = option(True, "Concurrent misses for one key share one request to the backend.")
    coalesce_wait: Duration = option(
        5.0,
        "Longest wait for another request's fetch. Then what is stale is served, or one of those who wait asks again.",
        gt=0,
    )
    stale_if_error_after: Duration | None = option(
        None,
        "How long a backend may keep everybody waiting for what is stored, is stale, and may stand in for an error "
        "(`stale_if_error`). Then that is served, at once to all who come, and what the backend brings is stored when "
        "it comes. When absent, who asks first waits for `read_timeout`, and the others for `coalesce_wait`.",
        "Where it is shorter than the backend usually takes, every answer is stale.",
        gt=0,
    )
    etag: Literal["generate", "off"] = option(
        "generate", "Make a strong ETag for stored responses without a validator."
    )
    limits: RouteLimitsShape = section(RouteLimitsShape, "What of odd targets is kept.")
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

    path: Text = required("A path template: `{name}` is one segment, `{name:path}` any number of them, once in a path.")
    methods: list[Method] | None = option(
        None, "Methods; all when absent. GET includes HEAD.", min_length=1, max_length=32
    )
    query: dict[Text, str] = option(
        {}, "Query parameters that must occur exactly once with this value, as in `{type: user}`.", max_length=16
    )
    host: Annotated[list[Text], OneOrMore] = option(
        [], 'Hosts, without port, as in `app.example` or `[a.example, "*.b.example"]`; all when absent.', max_length=64
    )
    headers: dict[FieldName, FieldValue] = option(
        {}, 'Fields that must be there with exactly this value; `"*"` for any.', max_length=16
    )
    cookies: dict[Text, Text] = option(
        {},
        'Cookies that must be there once, with exactly this value; `"*"` for any.',
        "Paths on which a route asks for hosts, headers or cookies are not answered the quickest way.",
        max_length=16,
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


class PolicyShape(Shape):
    """The whole file. Every key may be left out."""

    version: Literal[1] = option(1, "Version of this format.")
    include: list[Text] = option(
        [],
        "Other files, beside this one, with further `upstreams`, `rate_limits`, `routes`, `warm`, `tests` and "
        "`include`. Their routes come before those of this file, in this order.",
        max_length=64,
    )
    upstreams: dict[Name, UpstreamShape] = option(
        {}, "Backends by name. One at http://127.0.0.1:7071 when absent; `--upstream` replaces the first one's URL."
    )
    rate_limits: dict[Name, RateLimitShape] = option({}, "Rate limits by name; they count where a route names them.")
    identities: dict[Name, IdentityShape] = option(
        {},
        "What proves who asks. Routes share by its values (`cache.share`), and name them in tags and limits.",
        max_length=32,
    )
    changes: ChangesShape = option(
        {},
        "Databases and streams that tell what was changed without the proxy (by `psql`, batch jobs, other services), "
        "which invalidates as writes through it do.",
        max_length=16,
    )
    listeners: list[ListenerShape] = option(
        [],
        "Where clients connect, beside what `--listen` names; 127.0.0.1:8080 where neither says anything. What is "
        "said here of an address holds also where `--listen` names it.",
        max_length=16,
    )
    limits: LimitsShape = section(LimitsShape, "Bounds on what clients may send.")
    timeouts: TimeoutsShape = section(TimeoutsShape, "How long clients may take.")
    trusted_proxies: list[Text] = option(
        [],
        "Addresses or networks that are believed about whom they serve: X-Forwarded-For, -Host, -Proto, -Port and "
        "-Prefix, Forwarded, X-Real-IP. The client is the last address in X-Forwarded-For, or where that is absent in "
        "Forwarded, that is not listed here; ports are left out.",
        "A network that holds clients lets them choose their own address, and so escape rate limits.",
        max_length=256,
    )
    pass_fields: list[FieldName] = option(
        [],
        "Request fields that reach the backend although it might take them for another URL, host, scheme or client "
        "(X-Original-URL, X-Scheme, Client-IP and the like), or although their names have other characters than "
        "letters, digits and hyphens (`api_key`). All others of these are dropped, whoever sends them.",
        "They enter every cache key: what differs in them is stored once for each value.",
        max_length=32,
    )
    logging: LoggingShape = section(LoggingShape, "The access log.")
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
