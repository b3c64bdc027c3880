"""A policy as text: what differs from the built-in defaults, one line each, in a stable order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import chain
from typing import Final

from veneer.core.line_sampling import LineSampling
from veneer.core.rate import RateLimit
from veneer.core.row_changes import ColumnTemplate
from veneer.core.rules import KeyRules
from veneer.policy.model import Policy, Route
from veneer.policy.model import UpstreamSettings as Upstream
from veneer.policy.model_changes import ChangeSettings, DebeziumRules, PostedRules, PostgresRules, SourceBound
from veneer.policy.model_identity import Identity
from veneer.policy.model_rates import RateKey, RateRule
from veneer.policy.model_targets import TargetSettings
from veneer.policy.node_settings import AdminSettings, ClientTimeouts, ListenerSettings, SizeLimits, StoreSettings
from veneer.policy.problems import without_secrets
from veneer.policy.template import PathTemplate, TagTemplate, parse_path
from veneer.policy.tls import TlsSettings

UNSAID: Final = {(KeyRules, "beside"), (TlsSettings, "digest"), (StoreSettings, "memory_told")}
"""What is worked out of other routes, of files, or of what was written."""


def render_policy(policy: Policy) -> str:
    """Upstreams, limits, sections and routes; equal policies give equal text."""
    return without_secrets("\n".join(_lines(policy)) + "\n", policy.secrets)


def _lines(policy: Policy) -> Iterator[str]:
    for upstream in policy.upstreams.values():
        yield from _block(f"upstream {upstream.name} {upstream.url}", upstream, Upstream(upstream.name, upstream.url))
    for rule in policy.rate_limits.values():
        limit = rule.limit
        title = f"rate limit {limit.name}: {limit.quota} in {limit.window_s:g}s, burst {limit.burst}"
        plain = RateRule(RateLimit(limit.name, limit.quota, limit.window_s, limit.burst))
        yield from _block(title, rule, plain)
    for listener in policy.listeners:
        yield from _block(f"listener {listener.address}", listener, ListenerSettings(listener.address))
    yield from chain.from_iterable(map(_identity, policy.identities))
    yield from chain.from_iterable(map(_source, policy.changes))
    for title, given, plain_section in (
        ("limits", policy.limits, SizeLimits()),
        ("timeouts", policy.timeouts, ClientTimeouts()),
        ("logging", policy.line_sampling, LineSampling()),
        ("admin", policy.admin, AdminSettings()),
        ("stores", policy.stores, StoreSettings()),
    ):
        if given != plain_section:
            yield from _block(title, given, plain_section)
    for name, values in (("trusted proxies", policy.trusted_proxies), ("warm", policy.warm)):
        if values:
            yield f"{name}: {', '.join(values)}"
    for route in policy.routes:
        methods = ",".join(sorted(route.methods)) if route.methods is not None else "any method"
        query = "".join(f" {condition.name}={condition.value}" for condition in route.conditions)
        bare = Route(route.name, route.upstream, parse_path("/"), route.methods, route.conditions)
        title = f"route {route.name}: {methods} {route.template.text}{query} -> {route.upstream}"
        yield from _block(title, route, bare)


def _identity(identity: Identity) -> Iterator[str]:
    yield from _block(f"identity {identity.name}: {', '.join(identity.values)}", identity.proof, None)
    if identity.logged:
        yield f"  logged: {', '.join(sorted(identity.logged))}"


def _source(source: ChangeSettings) -> Iterator[str]:
    yield f"source {source.name}: {_place(source)}"
    if not source.is_posted:
        yield f"  max_lag: {source.max_lag_s:g}s, then {source.on_loss.value}"
    for table in source.tables:
        yield f"  {table.table}: {', '.join(map(_change_tag, table.tags))}"
        if table.ignore:
            yield f"    ignore: {', '.join(sorted(table.ignore))}"
        for column, values in table.when:
            yield f"    when {column}: {', '.join(sorted(values))}"


def _change_tag(template: ColumnTemplate) -> str:
    return f"{template.text} (changed {', '.join(sorted(template.changed))})" if template.changed else template.text


def _place(source: ChangeSettings) -> str:
    """Where it is, in words, without addresses: they may hold passwords."""
    kind = source.kind
    if isinstance(kind, PostgresRules):
        return f"slot {kind.slot}, publication {kind.publication}"
    old_rows = ", whole old rows" if isinstance(kind, DebeziumRules | PostedRules) and kind.full_old_rows else ""
    if isinstance(kind, PostedRules):
        named = "" if source.tables else f", all of {', '.join(kind.everything)}"
        return f"posted{named}{old_rows}"
    where = "the shared Redis" if kind.redis_url is None else "a Redis of its own"
    if isinstance(kind, DebeziumRules):
        return f"Debezium in the stream {kind.key} of {where}{old_rows}"
    return f"the stream {kind.key} of {where}, all of {', '.join(kind.everything)}"


def _block(title: str, given: object, plain: object) -> Iterator[str]:
    yield title
    defaults = dict(_flat("", plain))
    for name, value in _flat("", given):
        if defaults.get(name) != value:
            yield f"  {name}: {value}"


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """Dotted names and values as text; a rate rule within a route is told by the name of its limit."""
    if isinstance(value, RateRule) and name:
        yield name, value.limit.name
    elif isinstance(value, PathTemplate):
        return
    elif is_dataclass(value) and not isinstance(value, (type, TagTemplate)):
        for field in fields(value):
            if not field.repr or (type(value), field.name) in UNSAID:
                continue
            yield from _flat(f"{name}.{field.name}" if name else field.name, getattr(value, field.name))
    else:
        yield name, _text(value)


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        numbers = sorted(item for item in value if isinstance(item, int))
        return _ranges(numbers) if numbers else ", ".join(sorted(map(str, value)))
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, TagTemplate | RateRule | RateKey | SourceBound):
        return _named(value)
    if isinstance(value, TargetSettings):
        said = [f"weight {value.weight}"] * (value.weight != 1) + ["drained"] * value.drain
        said = ([] if value.is_fixed else [value.resolve.value]) + said
        return f"{value.url} ({', '.join(said)})" if said else value.url
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _named(value: TagTemplate | RateRule | RateKey | SourceBound) -> str:
    """What stands for it in the file."""
    if isinstance(value, TagTemplate):
        return value.text
    if isinstance(value, RateRule):
        return value.limit.name
    if isinstance(value, SourceBound):
        return value.source.partition("@")[0]
    return f"{value.kind.value}:{value.name}" if value.name else value.kind.value


def _ranges(numbers: list[int]) -> str:
    shown: list[list[int]] = []
    for number in numbers:
        if shown and number == shown[-1][1] + 1:
            shown[-1][1] = number
        else:
            shown.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in shown)
