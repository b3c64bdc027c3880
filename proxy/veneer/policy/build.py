"""From checked shapes to the model: names are resolved, templates parsed, routes that nothing can reach refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from veneer.core.field_table import FORWARDING, HOP_BY_HOP
from veneer.core.forwarding import METHOD_OVERRIDES
from veneer.core.outcome import Reason
from veneer.core.overload import PRIORITIES, Claim
from veneer.core.retry_budget import RetryWrites
from veneer.core.upgrades import NEVER
from veneer.policy import model, node_settings, schema
from veneer.policy.backends import targets_of, upstream_settings, wrong_affinity, wrong_targets, wrong_tls
from veneer.policy.caching import cache_rules, compress_rules
from veneer.policy.changes import REDIS_SCHEMES, secrets_of, source_of, wrong_changes, wrong_routes
from veneer.policy.conditions import FieldConditions, QueryCondition
from veneer.policy.document import Document, KeyPath, show_path
from veneer.policy.field_edits import (
    cors_rules,
    request_edits,
    response_edits,
    wrong_cors,
    wrong_requests,
    wrong_responses,
)
from veneer.policy.identities import PREFIX, identity_of, shared_by, unknown, wrong_identities, wrong_sharing
from veneer.policy.key_texts import KeyTexts, read_key_texts
from veneer.policy.limiting import rate_rules
from veneer.policy.listeners import read_admin, read_listeners
from veneer.policy.match import EarlierRoutes, RouteTable
from veneer.policy.matching import beside_each_other, field_conditions, wrong_conditions
from veneer.policy.model_changes import ChangeSettings
from veneer.policy.model_identity import Identity
from veneer.policy.model_rates import RateRule
from veneer.policy.node_bounds import line_sampling, size_limits, timeouts
from veneer.policy.overlay import apply_overrides, apply_rate, overlay
from veneer.policy.places import bad_url, kept_of
from veneer.policy.problems import ConfigError, nearest
from veneer.policy.schema_upstream import UpstreamShape
from veneer.policy.settings import Overrides
from veneer.policy.sources import Sources
from veneer.policy.taken_over import taken_over
from veneer.policy.template import PathTemplate, TagTemplate, TemplateError, parse_path, parse_tag
from veneer.policy.wrong import Wrong

_T = TypeVar("_T")
NOT_PASSED = FORWARDING | HOP_BY_HOP | METHOD_OVERRIDES
Upstreams = Mapping[str, model.UpstreamSettings]
RateRules = Mapping[str, RateRule]
DEFAULT_ROUTE = "default"
DEFAULT_UPSTREAM = "backend"
DEFAULT_UPSTREAM_URL = "http://127.0.0.1:7071"


@dataclass(slots=True)
class Builder:
    """Builds one policy, collecting every problem instead of stopping at the first."""

    document: Document
    shape: schema.PolicyShape
    overrides: Overrides
    sources: Sources
    problems: list[ConfigError] = field(default_factory=list)
    proven: dict[str, Identity] = field(default_factory=dict)
    changes: dict[str, ChangeSettings] = field(default_factory=dict)

    def problem(self, path: KeyPath, message: str, suggestion: str | None = None, *, key: bool = False) -> None:
        """Note what is wrong at a place."""
        position = self.document.locate(path, key=key)
        if path and isinstance(path[-1], int) and (node := self.document.find(path[:-1])) and node.kind == "scalar":
            path = path[:-1]  # a text alone stands for a list of one
        self.problems.append(
            ConfigError(position.line, position.column, show_path(path), message, suggestion, position.file)
        )

    def build(self, indices: Iterable[int]) -> model.Policy:
        """The policy, without the digest of what it was made of; only to be used when `problems` is empty."""
        shape = self.shape
        defaults = apply_overrides(shape.defaults, self.overrides)
        upstreams = self._upstreams()
        identities = self._identities(upstreams)
        self._changes()
        limits = rate_rules(apply_rate(shape.rate_limits, defaults, self.overrides), self.proven, self.problem)
        self._references(("defaults",), shape.defaults, upstreams, limits)
        self._own_text(("defaults",), shape.defaults)
        routes = self._routes(tuple(indices), defaults, upstreams, limits)
        return model.Policy(
            version_digest="",
            upstreams=upstreams,
            routes=routes,
            matcher=RouteTable(routes),
            limits=size_limits(shape.limits),
            timeouts=timeouts(shape.timeouts),
            listeners=self._noted(read_listeners(self.shape.listeners, self.sources, self.document)),
            line_sampling=line_sampling(shape.logging.sample),
            admin=self._noted(read_admin(self.shape.admin, self.sources)),
            stores=self._stores(),
            rate_limits=limits,
            identities=identities,
            changes=tuple(self.changes.values()),
            trusted_proxies=self._trusted_proxies(),
            pass_fields=self._pass_fields(),
            kept=frozenset[Reason]().union(*(route.kept for route in routes)),
            warm=self._targets(),
        )

    # ------------------------------------------------------------ sections

    def _upstreams(self) -> dict[str, model.UpstreamSettings]:
        shapes = dict(self.shape.upstreams)
        if not shapes:
            shapes[DEFAULT_UPSTREAM] = UpstreamShape(url=DEFAULT_UPSTREAM_URL)
        first = self.shape.defaults.upstream if self.shape.defaults.upstream in shapes else next(iter(shapes))
        found = {}
        for name, shape in shapes.items():
            given = self.overrides.upstream_url or None if name == first else None
            targets = targets_of(shape, given)
            for wrong in (*wrong_targets(shape, targets, given), *wrong_affinity(shape)):
                self._wrong(("upstreams", name), wrong)
            found[name] = upstream_settings(name, targets, shape, self.sources)
            for key, message, hint in wrong_tls(found[name]):
                self.problem(("upstreams", name, "tls", *([key] if key else [])), message, hint)
        return found

    def _identities(self, upstreams: Upstreams) -> tuple[Identity, ...]:
        """The identities; `proven` are they by the names of their values."""
        shapes = self.shape.identities
        for wrong in wrong_identities(shapes, upstreams, trusts=bool(self.shape.trusted_proxies)):
            self._wrong(("identities",), wrong)
        texts: KeyTexts = {}
        for wrong in read_key_texts(shapes, self.sources, texts):
            self._wrong(("identities",), wrong)
        found = tuple(one for name, shape in shapes.items() if (one := identity_of(name, shape, upstreams, texts)))
        self.proven.update((value, identity) for identity in found for value in identity.values)
        return found

    def _changes(self) -> None:
        for wrong in wrong_changes(self.shape.changes):
            self._wrong(("changes",), wrong)
        for wrong in wrong_routes(self.shape):
            self._wrong((), wrong)
        for name, shape in self.shape.changes.items():
            self.sources.secrets += secrets_of(shape)
            if (settings := source_of(name, shape)) is not None:
                self.changes[name] = settings

    def _wrong(self, path: KeyPath, wrong: Wrong) -> None:
        self.problem((*path, *wrong.path), wrong.message, wrong.suggestion)

    def _noted(self, read: tuple[_T, Iterable[Wrong]]) -> _T:
        """What was read, once what is wrong with it is noted."""
        for one in read[1]:
            self._wrong((), one)
        return read[0]

    def _stores(self) -> node_settings.StoreSettings:
        shape, lease, redis = self.shape.stores, self.shape.stores.lease, self.shape.stores.redis
        if lease.valid < 2 * lease.renew:
            self.problem(("stores", "lease", "valid"), "must be at least twice `renew`, or one lost renewal ends it")
        url = self.overrides.redis_url or redis.url
        path, said = ((), "--redis or REDIS_URL: ") if self.overrides.redis_url else (("stores", "redis", "url"), "")
        if url is not None and "://" not in url:
            self.problem(path, f'{said}"{url}" is not a Redis URL', f'write "redis://{url}"')
        elif url is not None and (scheme := url.partition("://")[0]) not in REDIS_SCHEMES:
            self.problem(path, f'{said}"{scheme}" is no scheme of a Redis URL', nearest(scheme, REDIS_SCHEMES))
        return node_settings.StoreSettings(
            memory_bytes=shape.memory,
            memory_told="memory" in shape.model_fields_set,
            max_variants=shape.max_variants,
            redis_url=url,
            redis_max_connections=self.overrides.redis_max_connections or redis.max_connections,
            redis_timeout_s=redis.timeout,
            redis_entry_bytes=redis.max_entry,
            redis_compress_over_bytes=redis.compress_over,
            lease_renew_s=lease.renew,
            lease_valid_s=lease.valid,
        )

    def _trusted_proxies(self) -> tuple[str, ...]:
        found = []
        for index, text in enumerate(self.shape.trusted_proxies):
            try:
                found.append(str(ipaddress.ip_network(text)))
            except ValueError as error:
                self.problem(("trusted_proxies", index), str(error), 'write "10.0.0.0/8" or "::1"')
        return tuple(found)

    def _pass_fields(self) -> frozenset[str]:
        for index, name in enumerate(self.shape.pass_fields):
            if name.lower() in NOT_PASSED:
                why = f'"{name}" is written by the proxy itself, or belongs to one connection'
                self.problem(("pass_fields", index), why, "remove it")
        return frozenset(name.lower() for name in self.shape.pass_fields)

    def _targets(self) -> tuple[str, ...]:
        for index, target in enumerate(self.shape.warm):
            if not target.startswith("/") and (target.startswith("unix:") or bad_url(target.partition("?")[0])):
                self.problem(("warm", index), f'"{target}" is neither a path nor a URL', 'write "/path?query"')
        return tuple(self.shape.warm)

    # ------------------------------------------------------------ routes

    def _references(
        self,
        path: KeyPath,
        shape: schema.RouteOptions,
        upstreams: Upstreams,
        limits: RateRules,
    ) -> None:
        """What a route's own text names must exist; what it has from `defaults` is reported there."""
        named: list[tuple[KeyPath, str, Iterable[str], str]] = []
        if shape.upstream is not None:
            named.append((("upstream",), shape.upstream, upstreams, "upstreams"))
        for index, name in enumerate(shape.rate_limit or ()):
            named.append((("rate_limit", index), name, limits, "rate_limits"))
            if name in (shape.rate_limit or ())[:index]:
                self.problem((*path, "rate_limit", index), f'"{name}" is listed twice')
        named += [
            (("cache", "changes", at), name, self.changes, "changes") for at, name in enumerate(shape.cache.changes)
        ]
        for at, name, known, home in named:
            if name in known:
                continue
            section = self.document.find((home,))
            broken = None if section is None else section.plain()
            names = {*known, *(broken if isinstance(broken, dict) else ())}
            if name not in names:
                hint = nearest(name, names) or f"`{home}` names none"
                self.problem((*path, *at), f'"{name}" is not in `{home}`', hint)

    def _routes(
        self,
        indices: tuple[int, ...],
        defaults: schema.RouteOptions,
        upstreams: Upstreams,
        limits: RateRules,
    ) -> tuple[model.Route, ...]:
        routes: list[model.Route] = []
        earlier = EarlierRoutes()
        lines: dict[str, int] = {}
        for index, given in zip(indices, self.shape.routes, strict=True):
            path: KeyPath = ("routes", index)
            self._references(path, given, upstreams, limits)
            self._own_text(path, given)
            line = self.document.locate(path).line
            if given.name in lines or given.name == DEFAULT_ROUTE:
                where = f"the route on line {lines[given.name]}" if given.name in lines else "what no route matches"
                self.problem((*path, "name"), f'"{given.name}" is taken: it names {where}')
            lines.setdefault(given.name, line)
            route = self._route(path, given, overlay(given, defaults), upstreams, limits)
            if route is None:
                continue
            if covering := earlier.covering(route):
                names = ", ".join(f'"{other.name}" (line {lines[other.name]})' for other in covering)
                self.problem((*path, "match"), f"can never be reached: {names} takes all of it", "put it first")
            routes.append(route)
            earlier.add(route)
        rest = schema.RouteShape.model_validate({"name": DEFAULT_ROUTE, "match": {"path": "/{rest:path}"}})
        cache = defaults.cache.model_copy(update={"ttl": None})
        last = self._route(
            ("defaults",), rest, overlay(rest, defaults.model_copy(update={"cache": cache})), upstreams, limits
        )
        assert last is not None
        return beside_each_other((*routes, last))

    def _route(
        self, path: KeyPath, given: schema.RouteShape, whole: schema.RouteShape, upstreams: Upstreams, limits: RateRules
    ) -> model.Route | None:
        try:
            kept = kept_of(self.shape.limits, whole.limits)
            template = parse_path(whole.match.path, kept)
        except TemplateError as error:
            self.problem((*path, "match", "path"), str(error), error.suggestion)
            return None
        conditions = tuple(QueryCondition(name, value) for name, value in sorted(whole.match.query.items()))
        request, asked = request_edits(whole.request), self._asked((*path, "match"), whole.match)
        self._key((*_home(path, given, "key"), "query"), whole, conditions)
        upstream = name if (name := whole.upstream) in upstreams and name else next(iter(upstreams))
        rules = [limits[name] for name in whole.rate_limit or () if name in limits]
        sharing, own = self._sharing(path, given, whole), (*path, "invalidates")
        compress = compress_rules(whole.compress, use_brotli=self.overrides.use_brotli is not False)
        return replace(
            taken_over(whole, model.Route(given.name, upstream, template)),
            methods=_methods(whole.match.methods),
            conditions=conditions,
            asked=asked,
            cache=cache_rules(whole.cache, self.shape.pass_fields, compress.coding.prefer, request, asked),
            tag_templates=self._tags(_home(path, given, "tags"), whole.cache.tags, template, sharing, prefix=False),
            invalidation_templates=self._tags(own, whole.invalidates, template, tuple(self.proven), prefix=True),
            invalidates_on=frozenset[int]().union(*whole.invalidates_on),
            spare_target_keyed_by=frozenset(name.lower() for name in whole.spare_target_keyed_by),
            compress=compress,
            request=request,
            response=response_edits(whole.response),
            cors=cors_rules(whole.cors),
            rate_limit=rules[0] if rules else None,
            further_limits=tuple(rules[1:]),
            body_bytes=whole.max_body,
            upgrades=frozenset(name.lower() for name in whole.upgrades),
            unheard_s=whole.write_settles + (whole.read_timeout or upstreams[upstream].read_timeout_s),
            post_as_query=whole.cache.compat.post_as_query,
            preflight_s=whole.cache.preflight,
            kept=kept,
            show_key=whole.cache.key.show,
            client_lifetime=model.ClientLifetime(whole.cache.client_lifetime),
            sources=tuple(self.changes[name].bound for name in whole.cache.changes if name in self.changes),
            claim=Claim(given.name, PRIORITIES[whole.priority], retry_writes=RetryWrites(whole.retry_writes)),
        )

    def _sharing(self, path: KeyPath, given: schema.RouteShape, whole: schema.RouteShape) -> tuple[str, ...]:
        """The names of the identity values by which the route shares."""
        for wrong in wrong_sharing(whole.cache, self.proven):
            self._wrong(_home(path, given, str(wrong.path[0]))[:-1], wrong)
        return shared_by(whole.cache.share)

    def _tags(
        self, path: KeyPath, texts: list[str], template: PathTemplate, proven: tuple[str, ...], *, prefix: bool
    ) -> tuple[TagTemplate, ...]:
        found: list[TagTemplate] = []
        for index, text in enumerate(texts):
            try:
                tag = parse_tag(text, prefix_allowed=prefix)
            except TemplateError as error:
                self.problem((*path, index), str(error), error.suggestion)
                continue
            for name in tag.names:
                if name.startswith(PREFIX):
                    self._identity_in_tag((*path, index), text, name.removeprefix(PREFIX), proven)
                elif name not in template.names:
                    hint = nearest(name, template.names) or f'"{template.text}" has no parameters'
                    self.problem((*path, index), f'"{text}" uses "{name}", which the path does not have', hint)
            if any(tag.parts == other.parts for other in found):
                self.problem((*path, index), f'"{text}" is listed twice')
            found.append(tag)
        return tuple(found)

    def _identity_in_tag(self, path: KeyPath, text: str, name: str, proven: tuple[str, ...]) -> None:
        """A response's tags may hold only what all who share it have proven alike."""
        if name not in self.proven:
            self.problem(path, *unknown(name, self.proven))
        elif name not in proven:
            why = f'"{text}" names who asked, but the response is not shared by identity.{name}'
            self.problem(path, why, f"write `share: identity.{name}`, or leave it out of the tag")

    def _upgrades(self, path: KeyPath, shape: schema.RouteOptions) -> None:
        for index, text in enumerate(shape.upgrades):
            if text.partition("/")[0].lower() in NEVER:
                why = f'"{text}" carries requests, which would pass by every rule'
                self.problem((*path, index), why, 'write "websocket", or what else is no HTTP')

    def _asked(self, path: KeyPath, shape: schema.MatchShape) -> FieldConditions:
        for at, message, hint in wrong_conditions(shape):
            self.problem((*path, *at), message, hint)
        return field_conditions(shape)

    def _own_text(self, path: KeyPath, shape: schema.RouteOptions) -> None:
        """What a route's own text says of upgrades and fields; what it has from `defaults` is reported there."""
        self._upgrades((*path, "upgrades"), shape)
        for key, found in (
            ("request", wrong_requests(shape.request)),
            ("response", wrong_responses(shape.response)),
            ("cors", wrong_cors(shape.cors)),
        ):
            for at, message, hint in found:
                self.problem((*path, key, *at), message, hint, key=at[0] in ("set", "add"))

    def _key(self, at: KeyPath, shape: schema.RouteShape, conditions: tuple[QueryCondition, ...]) -> None:
        query = shape.cache.key.query
        if query.only is not None and query.except_:
            self.problem(at, "has both `only` and `except`", "keep one")
        for condition in conditions:
            dropped = condition.name in query.except_ or (query.only is not None and condition.name not in query.only)
            if dropped and shape.cache.enabled:
                why = f'drops "{condition.name}", which tells this route from others'
                self.problem(at, why, f'keep "{condition.name}" in the key')


def _home(path: KeyPath, given: schema.RouteShape, key: str) -> KeyPath:
    """Where the text of `cache.KEY` stands: with the route, or under `defaults` when the route does not say it."""
    return (*(path if key in given.cache.model_fields_set else ("defaults",)), "cache", key)


def _methods(names: list[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    return frozenset(names) | ({"HEAD"} if "GET" in names else set())
