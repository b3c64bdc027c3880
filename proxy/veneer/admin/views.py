"""What the admin listener answers, as who asks it reads it. How it is found out is in the rooms beside this one."""

from __future__ import annotations

from typing import Final

import msgspec

COUNTERS_PATH: Final = "/counters"


class PartHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part: "up" or "down", what it said, and how long it took to say it."""

    status: str
    duration_ms: float
    detail: str = ""


class Health(msgspec.Struct, frozen=True):
    """The whole: "ok" when each part is up, "degraded" when one is down, "draining" when the proxy is stopping."""

    status: str
    parts: dict[str, PartHealth] = {}


class ConfigValue(msgspec.Struct, frozen=True):
    """One key. `origin` is "file", "default", "environment" or "option"; `at` says where: file:line, variable, flag."""

    key: str
    value: str
    origin: str
    at: str


class Config(msgspec.Struct, frozen=True):
    """The answer of GET /config. `policy` is the digest, `files` are those that were read beside `file`."""

    policy: str
    file: str
    files: tuple[str, ...]
    warnings: int
    values: tuple[ConfigValue, ...]


class Version(msgspec.Struct, frozen=True):
    """The answer of GET /version. `commit` is "" where nobody has said it; `form` is "compiled" or "interpreted"."""

    version: str
    commit: str
    form: str
    python: str
    policy: str
    started: str
    uptime_s: float


class RouteCounters(msgspec.Struct, frozen=True):
    """Of one route since the start: responses by the first digit of their status, results of the cache, durations.

    `durations` are how many fell into each bucket of `Counters.bounds_ms`; the last one is open.
    """

    requests: int
    classes: dict[str, int]
    cache: dict[str, int]
    durations: tuple[int, ...]
    bytes_out: int


class Counters(msgspec.Struct, frozen=True):
    """The answer of GET /counters. `at_s` is a monotonic moment of the process that answers, to divide by."""

    at_s: float
    active: int
    bounds_ms: tuple[float, ...]
    routes: dict[str, RouteCounters]


class StoredView(msgspec.Struct, frozen=True):
    """One stored response. Moments are UTC; `age_s` and `ttl_s` are of now, `ttl_s` below zero for what is stale.

    `store` is "memory" or "redis", `state` "fresh", "stale", "soft" (made stale by an invalidation), "dead" (forgotten
    by one) or "ask" (the backend is asked on every use). `why` says who gave the lifetime. `usable` tells whether the
    given request could be answered by it, as far as its variant and query go. `bytes` are those of body and fields.
    """

    store: str
    uri: str
    status: int
    state: str
    age_s: float
    ttl_s: float
    fresh_until: str
    stale_until: str
    stored_at: str
    why: str
    usable: bool
    vary: dict[str, str | None]
    tags: tuple[str, ...]
    fields: dict[str, str]
    codings: tuple[str, ...]
    bytes: int
    partial: str = ""
    worker: str = ""


class Entries(msgspec.Struct, frozen=True):
    """The answer of GET /entries.

    `decision` is what the given request would get, "hit", "stale", "revalidate", "partial", "miss", "bypass" or "504",
    and `reason` why, as the log would say it.

    `stores` tells whether the route stores responses, and `note` what to do where nothing is stored. `complete` is
    False where memory held too much to look at all of it. `redis` is "" without a shared store, else "asked" or "away".
    """

    url: str
    route: str
    key: str
    stores: bool
    decision: str
    reason: str
    note: str
    complete: bool
    redis: str
    found: int
    entries: tuple[StoredView, ...] = ()


class RouteView(msgspec.Struct, frozen=True):
    """One route. Empty lists say nothing is asked or done; `methods` empty is every method.

    `cache` is "off", "respect" or "override" (whose lifetime counts), `ttl` the route's own by status, "" where it has
    none. `at` is the line of the policy that begins the route; "" for the route `default`. Of conditions on headers and
    cookies only names are told: their values may be secrets.
    """

    name: str
    at: str
    path: str
    methods: tuple[str, ...]
    query: tuple[str, ...]
    hosts: tuple[str, ...]
    headers: tuple[str, ...]
    cookies: tuple[str, ...]
    upstream: str
    cache: str
    ttl: str
    stale: str
    shared_by: tuple[str, ...]
    key: str
    tags: tuple[str, ...]
    invalidates: tuple[str, ...]
    limits: tuple[str, ...]
    consistency: str


class Routes(msgspec.Struct, frozen=True):
    """The answer of GET /routes: in the order in which they are tried, the one that takes the rest last."""

    policy: str
    routes: tuple[RouteView, ...]


class SharedEstimate(msgspec.Struct, frozen=True):
    """What a purge would reach in the shared store, as far as `keys_read` of about `keys` keys can tell.

    `exact` when every key was read. `bytes` are bytes in Redis.
    """

    entries: int
    bytes: int
    keys: int
    keys_read: int
    exact: bool


class DryRun(msgspec.Struct, frozen=True):
    """What a purge would reach in this process' memory. `complete` is False when there was too much to look at.

    `shared_estimate` is None without a shared store, or when it could not be asked. `tags` are some of those that the
    reached responses carry, `uris` some of what they are stored for; `spared` are some tags that look like a named one
    and would not be reached: "user:42" is not below "users:*".
    """

    entries: int
    bytes: int
    looked_at: int
    complete: bool
    shared_estimate: SharedEstimate | None = None
    tags: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
