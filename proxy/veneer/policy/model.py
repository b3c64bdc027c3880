"""The policy as the rest of the proxy sees it: frozen, complete, every unit in a name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.affinity import AffinityRules
from veneer.core.balancing import EjectionRules
from veneer.core.cors import CorsRules
from veneer.core.field_edits import NO_EDITS, TAGS_HIDDEN, FieldEdits
from veneer.core.fields import Fields
from veneer.core.line_sampling import LineSampling
from veneer.core.messages import RequestHead
from veneer.core.outcome import Reason
from veneer.core.overload import ANY_CLAIM, Claim
from veneer.core.rules import CacheRules, CodingRules, KeyRules
from veneer.core.target import NOTHING_ODD, Target, TargetRefusal, normalise_path, parse_target
from veneer.policy.conditions import WHOEVER, FieldConditions, QueryCondition
from veneer.policy.model_changes import ChangeSettings, SourceBound
from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.policy.model_identity import Identity
from veneer.policy.model_rates import RateRule
from veneer.policy.model_targets import RetryRules, TargetSettings
from veneer.policy.node_settings import AdminSettings, ClientTimeouts, ListenerSettings, SizeLimits, StoreSettings
from veneer.policy.problems import ConfigError
from veneer.policy.template import PathTemplate, TagTemplate
from veneer.policy.tls import BY_SYSTEM, TlsSettings
from veneer.policy.told_values import Values, nothing_said


class Consistency(Enum):
    """What an invalidating response waits for."""

    STRICT = "strict"  # every live node has applied the invalidation, or its lease has run out
    BOUNDED = "bounded"  # nothing: other nodes follow within the lease


class InvalidatesWhen(Enum):
    """Whether a route's own `invalidates` counts beside what the response says."""

    ALWAYS = "always"
    SILENT = "silent"  # only where the response names nothing itself, or where there is none


class StoreLoss(Enum):
    """What a node does with its stored responses once it cannot hear the shared log."""

    FORWARD = "forward"
    STALE = "stale"


class ClientLifetime(Enum):
    """How an answer from the store tells clients how long it may be kept."""

    AGE = "age"  # as it was stored, with Age (RFC 9111 section 5.1)
    REMAINING = "remaining"  # what is left, without Age


class EtagRule(Enum):
    """Whether responses without a validator get an entity tag."""

    GENERATE = "generate"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class CompressRules:
    """How a route's responses are coded: `coding` says which, `level` how hard (each codec bounds it to its own range).

    Bodies over `stream_over_bytes` are coded as they pass, and their coded form is not kept. Kept ones of up to
    `idle_most_bytes` (0: none) that are in steady demand are coded anew, as hard as possible, in idle time.
    """

    enabled: bool = True
    level: int = 1
    stream_over_bytes: int = 500_000
    idle_most_bytes: int = 256 * 1024
    coding: CodingRules = field(default_factory=CodingRules)


@dataclass(frozen=True, slots=True)
class HealthRules:
    """Active health checks of an upstream: GET `path`, any 2xx or 3xx is good."""

    path: str
    every_s: float = 5.0
    timeout_s: float = 2.0
    unhealthy_after: int = 3
    healthy_after: int = 2


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """`failures` in a row open the breaker for `open_s` seconds; then one request is let through to try."""

    failures: int = 5
    open_s: float = 2.0


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """One backend, or several `targets`, of which `url` names then the first that is not drained.

    Timeouts are per phase: read and write count from the last byte that moved.
    """

    name: str
    url: str
    connect_timeout_s: float = 2.0
    read_timeout_s: float = 60.0
    write_timeout_s: float = 30.0
    pool_timeout_s: float = 5.0
    keep_alive_s: float = 4.5
    keep_alive_time_s: float = 60.0
    max_connections: int = 256
    max_streams: int = 1024
    stream_idle_s: float = 600.0
    preserve_host: bool = True
    rewrite_location: bool = True
    tls: TlsSettings = BY_SYSTEM
    health: HealthRules | None = None
    breaker: BreakerRules | None = None
    concurrency: ConcurrencyRules = field(default_factory=ConcurrencyRules)
    retries: RetryRules = field(default_factory=RetryRules)
    targets: tuple[TargetSettings, ...] = ()
    resolve_every_s: float = 5.0
    ejection: EjectionRules = field(default_factory=EjectionRules)
    affinity: AffinityRules | None = None


DEFAULT_INVALIDATES_ON: Final = frozenset(range(200, 400)) | frozenset(range(500, 600))
"""RFC 9111 section 4.4 asks for 2xx and 3xx. After 5xx nobody knows: what broke may have broken behind the COMMIT."""


DEFAULT_UPGRADES: Final = frozenset({"websocket"})
"""RFC 6455; every other protocol has to be named."""


@dataclass(frozen=True, slots=True)
class Route:
    """Everything that is decided by which route a request takes.

    `methods` None means every method. `further_limits` must admit beside `rate_limit`. `body_bytes` and
    `read_timeout_s` replace the general limits.
    `body_buffer_bytes` of a body are read before a connection to the backend is taken.
    `write_settles_s` after a write was given up the backend has ended it, one way or the other; `unheard_s` after it
    began, where nobody hears what became of it. `post_as_query`
    says that POST changes nothing here and is answered as QUERY would be. `preflight_s` is how long answers to CORS
    preflight are kept, None for not at all; `show_key` puts the cache key into Cache-Status. `kept` are the oddities
    of targets that are not refused. `client_lifetime` is how answers from the store tell clients their lifetime.
    `spare_target_keyed_by` are lower-case request fields and identity values (`Policy.stored_as`). `request` and
    `response` are what becomes of the fields of requests and of responses, `cors` who may read the proxy's own answers.
    `claim` is what its requests say to the upstream. `sources` tell of changes that do not pass through the proxy.

    What each request asks is worked out once: `limits` are all that must admit it, `identity_names` the identity values
    that make a difference here, and `fixed_tags` and `fixed_invalidates` what `tags` and `invalidates` say, where that
    is the same for every path.
    """

    name: str
    upstream: str
    template: PathTemplate
    methods: frozenset[str] | None = None
    conditions: tuple[QueryCondition, ...] = ()
    asked: FieldConditions = WHOEVER
    cache: CacheRules = field(default_factory=CacheRules)
    tag_templates: tuple[TagTemplate, ...] = ()
    invalidation_templates: tuple[TagTemplate, ...] = ()
    invalidates_on: frozenset[int] = DEFAULT_INVALIDATES_ON
    invalidates_when: InvalidatesWhen = InvalidatesWhen.ALWAYS
    spare_target_keyed_by: frozenset[str] = frozenset()
    consistency: Consistency = Consistency.STRICT
    on_store_loss: StoreLoss = StoreLoss.FORWARD
    compress: CompressRules = field(default_factory=CompressRules)
    request: FieldEdits = NO_EDITS
    response: FieldEdits = TAGS_HIDDEN
    cors: CorsRules = field(default_factory=CorsRules)
    rate_limit: RateRule | None = None
    further_limits: tuple[RateRule, ...] = ()
    body_bytes: int | None = None
    body_buffer_bytes: int = 64 * 1024
    read_timeout_s: float | None = None
    upgrades: frozenset[str] = DEFAULT_UPGRADES
    write_settles_s: float = 60.0
    unheard_s: float = 120.0
    tunnel_idle_s: float = 600.0
    coalesce: bool = True
    coalesce_wait_s: float = 5.0
    stale_if_error_after_s: float | None = None
    etag: EtagRule = EtagRule.GENERATE
    audit_share: float = 0.0
    post_as_query: bool = False
    preflight_s: float | None = None
    kept: frozenset[Reason] = NOTHING_ODD
    show_key: bool = False
    client_lifetime: ClientLifetime = ClientLifetime.AGE
    claim: Claim = ANY_CLAIM
    sources: tuple[SourceBound, ...] = ()
    limits: tuple[RateRule, ...] = field(init=False, repr=False, compare=False)
    identity_names: frozenset[str] = field(init=False, repr=False, compare=False)
    fixed_tags: tuple[str, ...] | None = field(init=False, repr=False, compare=False)
    fixed_invalidates: tuple[str, ...] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limits = () if self.rate_limit is None else (self.rate_limit, *self.further_limits)
        object.__setattr__(self, "limits", limits)
        counted = [name for rule in limits for name in rule.identity_names]
        tagged = {name for template in self.tag_templates for name in template.names}
        invalidated = {name for template in self.invalidation_templates for name in template.names}
        named = [name.removeprefix("identity.") for name in tagged | invalidated if name.startswith("identity.")]
        object.__setattr__(self, "identity_names", frozenset([*self.cache.shared_by, *counted, *named]))
        object.__setattr__(self, "fixed_tags", None if tagged else self.tags({}))
        object.__setattr__(self, "fixed_invalidates", None if invalidated else self.invalidates({}))

    def tags(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """The tags of a response on this route; `params` are those of the match. None ends in "*"."""
        return tuple([template.fill(params) for template in self.tag_templates])

    def invalidates(self, params: Mapping[str, str]) -> tuple[str, ...]:
        """The tags that a request on this route invalidates; some may end in ":*" or be "*".

        One that names an identity which is not proven becomes the prefix before the name: everybody's.
        """
        return tuple([template.reach(params) for template in self.invalidation_templates])


@mypyc_attr(acyclic=True)
class Match:
    """The route a request takes, and the path, split at "/" after its first character, where there are parameters.

    `by_fields`: with another host or other fields, or had they been told, it might take another route. `identity` are
    the values that the request proves, by their names in templates; None where nobody has looked.
    """

    __slots__ = ("_segments", "by_fields", "identity", "route")

    def __init__(
        self,
        route: Route,
        segments: list[str] | None = None,
        by_fields: bool = False,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self.route: Final = route
        self._segments: Final = segments
        self.by_fields: Final = by_fields
        self.identity: Final = identity

    def under(self, route: Route, identity: Mapping[str, str] | None = None) -> Match:
        """The same match, where another form of the route is to be taken."""
        return Match(route, self._segments, self.by_fields, identity or self.identity)

    @property
    def params(self) -> Mapping[str, str]:
        """The values of the path parameters, as they stand in the path. Few ask for them, so they are found then."""
        found = {} if self._segments is None else self.route.template.values(self._segments)
        return {**found, **self.identity} if self.identity else found

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of a response. None ends in "*"."""
        fixed = self.route.fixed_tags
        return self.route.tags(self.params) if fixed is None else fixed

    @property
    def invalidates(self) -> tuple[str, ...]:
        """The tags that the request invalidates; some may end in ":*" or be "*"."""
        fixed = self.route.fixed_invalidates
        return self.route.invalidates(self.params) if fixed is None else fixed


def _told_apart_by(rules: CacheRules) -> tuple[str, ...]:
    """The request fields and the identity values that are part of each key."""
    return (*rules.key.headers, *["identity." + name for name in rules.shared_by])


def _is_read(route: Route) -> bool:
    """Whether answers on the route can be stored for later requests."""
    methods = route.methods
    if methods is None or methods & {"GET", "HEAD", "QUERY"}:
        return True
    return ("POST" in methods and route.post_as_query) or ("OPTIONS" in methods and route.preflight_s is not None)


class Matcher:
    """Finds the first route that matches: `match.RouteTable`. A class, so that compiled calls are direct."""

    __slots__ = ()

    @abstractmethod
    def match(
        self, method: str, path: str, query: str | None, authority: str = "", fields: Fields | None = None
    ) -> Match:
        """The first route in the order of the file, or the default route. None that asks for fields without them."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """One whole configuration. A request takes `current` once and uses that object to its end.

    `is_empty`: the file says nothing at all, not even its version. `warnings`: what it allows and is seldom meant.
    `files` are those that were read beside it: included ones, and secrets. `secrets` are what nobody is shown.
    `written` tells each value with who said it.
    """

    version_digest: str
    upstreams: Mapping[str, UpstreamSettings]
    routes: tuple[Route, ...]
    matcher: Matcher
    limits: SizeLimits = field(default_factory=SizeLimits)
    timeouts: ClientTimeouts = field(default_factory=ClientTimeouts)
    listeners: tuple[ListenerSettings, ...] = ()
    line_sampling: LineSampling = field(default_factory=LineSampling)
    admin: AdminSettings = field(default_factory=AdminSettings)
    stores: StoreSettings = field(default_factory=StoreSettings)
    rate_limits: Mapping[str, RateRule] = field(default_factory=dict)
    identities: tuple[Identity, ...] = ()
    changes: tuple[ChangeSettings, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    pass_fields: frozenset[str] = frozenset()
    kept: frozenset[Reason] = NOTHING_ODD
    warm: tuple[str, ...] = ()
    is_empty: bool = False
    warnings: tuple[ConfigError, ...] = ()
    files: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    written: Values = field(default=nothing_said, compare=False, repr=False)

    def stored_as(self, path: str, query: str | None, spared: frozenset[str] = frozenset()) -> KeyRules | None:
        """How a GET of this target is keyed; None where no answer for the path is stored, whatever the method.

        A route that asks for parameters or fields may store under the path alone what another query brings, so it
        counts too. None as well where the route of GET, and each listed one that stores for the path, has one of the
        request fields `spared` in its key. What other methods bring on the default route is for responses to name.
        """
        route = self.matcher.match("GET", path, query).route
        if route.cache.enabled and not spared:
            return route.cache.key
        others = [self.match(method, path, query).route for method in ("HEAD", "QUERY", "POST", "OPTIONS")]
        others += [
            other
            for other in self.routes
            if (other.conditions or other.asked) and other.template.matches(path[1:].split("/"))
        ]
        storing = [other for other in others if other.cache.enabled and _is_read(other)]
        if route.cache.enabled:
            storing.append(route)
        listed = [other for other in storing if other is route or other is not self.routes[-1]]
        if listed and all(not spared.isdisjoint(_told_apart_by(other.cache)) for other in listed):
            return None
        return route.cache.key if storing else None

    def keyed_as(self, path: str, query: str | None) -> KeyRules:
        """How a GET of this target would be keyed if it were stored."""
        return self.match("GET", path, query).route.cache.key

    def match(
        self, method: str, path: str, query: str | None = None, authority: str = "", fields: Fields | None = None
    ) -> Match:
        """The route for a normalised path; always one, for the last route is the default one.

        Linear in the length of the path, whatever the number of routes is.
        """
        return self.matcher.match(method, path, query, authority, fields)

    def match_of(self, request: RequestHead) -> Match:
        """The route of a request."""
        return self.matcher.match(request.method, request.path, request.query, request.authority, request.fields)

    def read_target(
        self,
        raw: str,
        hosts: Sequence[str],
        *,
        method: str,
        fields: Fields | None = None,
        scheme: str = "http",
        version: tuple[int, int] = (1, 1),
    ) -> Target | TargetRefusal:
        """As `core.target.parse_target`; what some route keeps (`limits`) is refused on all routes that do not."""
        kept = self.kept
        target = parse_target(raw, hosts, method=method, scheme=scheme, version=version, kept=kept)
        if not kept or isinstance(target, TargetRefusal) or target.path == "*":
            return target
        here = self.match(method, target.path, target.query, target.authority, fields).route.kept
        again = target.path if here == kept else normalise_path(target.path, here)
        return TargetRefusal(again) if isinstance(again, Reason) else target
