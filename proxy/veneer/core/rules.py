"""The knobs the core accepts; policy builds them from a route, the core never imports policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from veneer.core.codings import CODINGS


class SetCookieRule(Enum):
    """What to do with a response that sets cookies (RFC 9111 section 7.3)."""

    EXPLICIT = "explicit"  # store, with its cookie, if the origin itself gave explicit freshness
    REFUSE = "refuse"
    STRIP = "strip"
    STORE = "store"


class OriginRule(Enum):
    """Whose freshness counts when both the origin and the policy speak."""

    RESPECT = "respect"  # the policy's ttl fills in where the origin is silent
    OVERRIDE = "override"  # the policy's ttl replaces the origin's freshness; no-store and private still win


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What of a request, beside method, authority and path, enters the cache key.

    `query_only` None means the whole query; otherwise only these parameters, sorted. `query_except` are dropped.
    `query_sort` sorts parameters by name where neither is given. `query_defaults` are decoded names and values that
    mean the same as no such parameter. `headers` (lower case) enter with normalised value.
    `beside` are those under which the same target may be stored as well, by what requests for it say.
    """

    query_only: frozenset[str] | None = None
    query_except: frozenset[str] = frozenset()
    query_sort: bool = False
    query_defaults: tuple[tuple[str, str], ...] = ()
    headers: tuple[str, ...] = ()
    beside: tuple[KeyRules, ...] = ()


@dataclass(frozen=True, slots=True)
class CookieRules:
    """What cookies of a request mean. Each is a name, or the beginning of names with "*" behind it.

    One of `passes` makes the request pass the cache, those of `key` belong to the key, those of `ignored` mean nothing.
    All others may tell users apart: see core.sharing.
    """

    passes: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is said of any cookie."""
        return bool(self.passes or self.key or self.ignored)


@dataclass(frozen=True, slots=True)
class Scope:
    """Among whom responses are shared: the requests that have proven the same identity (core.identity).

    It is key and permission in one: `name` stands in every cache key made under these rules, and only where there is a
    scope do credentials not withhold a response (core.sharing). `authorization` and `cookies` say which credentials the
    proof was: others withhold as ever.
    """

    name: str
    authorization: bool = False
    cookies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How one route caches. The default is a standards-obeying shared cache (RFC 9111). Times are seconds.

    `ttl_by_status`, the most exact first, is the ttl of these statuses, `ttl_s` that of others (core.freshness).
    `codings` are the content codings among which Accept-Encoding chooses, in the key as towards the origin.
    `stale_on_overload_s` is how long stale is better than waiting for a busy origin; None: as `stale_if_error_s`.
    `keep_stale_s` is how long past its freshness a response stays stored, to be validated or to be served while the
    origin cannot be reached. `language_from_content` lets a stored response serve a request whose Accept-Language
    differs but whose single best language is its Content-Language; RFC 9111 section 4.1 does not allow that.
    `trust_short_partial` believes the Content-Range of a 206 whose body is shorter; such a message is damaged.
    `stored_under` stands for what the policy says of who may share, and of tags: it is part of the key, so that what
    was stored under other words is not found.
    `shared_by` names the identity values by which the route's responses are shared, none for everybody. Where it names
    some and `scope` is None nothing is proven: nothing is looked up, stored, or fetched together with others.
    """

    enabled: bool = True
    ttl_s: float | None = None
    ttl_by_status: tuple[tuple[frozenset[int], float], ...] = ()
    origin: OriginRule = OriginRule.RESPECT
    heuristic_fraction: float = 0.1
    heuristic_max_s: float = 86_400.0
    stale_while_revalidate_s: float | None = None
    stale_if_error_s: float | None = None
    stale_on_overload_s: float | None = None
    stale_on_disconnect: bool = True
    obey_request_no_cache: bool = True
    set_cookie: SetCookieRule = SetCookieRule.REFUSE
    cookies: CookieRules = field(default_factory=CookieRules)
    share_authorized: bool = False
    targeted_fields: tuple[str, ...] = ("cdn-cache-control",)
    max_body_bytes: int = 16 * 1024 * 1024
    key: KeyRules = field(default_factory=KeyRules)
    codings: tuple[str, ...] = CODINGS
    keep_stale_s: float = 86_400.0
    language_from_content: bool = False
    trust_short_partial: bool = False
    stored_under: str = ""
    shared_by: tuple[str, ...] = ()
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class CodingRules:
    """When this proxy applies a content coding (RFC 9110 section 8.4). `prefer` lists the codings, best first.

    `types` are lower-case media types; one that ends in "/" stands for all its subtypes. Types with the suffixes
    "+json" and "+xml" are always among them.
    """

    prefer: tuple[str, ...] = CODINGS
    min_bytes: int = 1024
    types: frozenset[str] = frozenset(
        {
            "text/",
            "application/json",
            "application/javascript",
            "application/xml",
            "application/wasm",
            "application/msgpack",
            "application/x-ndjson",
            "application/graphql",
            "application/vnd.ms-fontobject",
            "font/otf",
            "font/ttf",
            "image/svg+xml",
            "image/bmp",
            "image/x-icon",
        }
    )
