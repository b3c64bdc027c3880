"""The routes of the policy in force, as they are tried: what GET /routes tells."""

from __future__ import annotations

from collections.abc import Iterator

from veneer.admin.views import Routes, RouteView
from veneer.core.rules import CacheRules, KeyRules
from veneer.policy.conditions import PRESENT, FieldConditions
from veneer.policy.model import Policy, Route
from veneer.policy.model_rates import RateRule
from veneer.policy.units import format_duration


def routes_of(policy: Policy, file: str = "") -> Routes:
    """What is in force; `file` is the policy file's name."""
    places = {found.key: found.at for found in policy.written(None) if found.key.endswith("].name")}
    views = tuple(_view(route, _at(places, index, file)) for index, route in enumerate(policy.routes))
    return Routes(policy.version_digest, views)


def _at(places: dict[str, str], index: int, file: str) -> str:
    at = places.get(f"routes[{index}].name", "")
    return f"{file}{at}" if at.startswith(":") else at


def _view(route: Route, at: str) -> RouteView:
    rules, asked = route.cache, route.asked
    return RouteView(
        name=route.name,
        at=at,
        path=route.template.text,
        methods=() if route.methods is None else tuple(sorted(route.methods)),
        query=tuple(f"{condition.name}={condition.value}" for condition in route.conditions),
        hosts=asked.hosts,
        headers=_names(asked, of_cookies=False),
        cookies=_names(asked, of_cookies=True),
        upstream=route.upstream,
        cache=rules.origin.value if rules.enabled else "off",
        ttl=_ttl(rules) if rules.enabled else "",
        stale=", ".join(_stale(rules)) if rules.enabled else "",
        shared_by=rules.shared_by,
        key=", ".join(_key(rules.key)),
        tags=tuple(template.text for template in route.tag_templates),
        invalidates=tuple(template.text for template in route.invalidation_templates),
        limits=tuple(map(_limit, route.limits)),
        consistency=route.consistency.value,
    )


def _names(asked: FieldConditions, *, of_cookies: bool) -> tuple[str, ...]:
    pairs = asked.cookies if of_cookies else asked.headers
    return tuple(name if value == PRESENT else f"{name}=..." for name, value in pairs)


def _ttl(rules: CacheRules) -> str:
    """As it would be written: one lifetime, or those by status."""
    plain = "" if rules.ttl_s is None else format_duration(rules.ttl_s)
    if not rules.ttl_by_status:
        return plain
    listed = [f"{_statuses(statuses)}: {format_duration(ttl_s)}" for statuses, ttl_s in rules.ttl_by_status]
    return ", ".join(listed + ([f"default: {plain}"] if plain else []))


def _statuses(statuses: frozenset[int]) -> str:
    low, high = min(statuses), max(statuses)
    if (low % 100, high % 100) == (0, 99):
        return f"{low // 100}xx"
    return str(low) if low == high else f"{low}-{high}"


def _stale(rules: CacheRules) -> Iterator[str]:
    windows = (
        ("stale-while-revalidate", rules.stale_while_revalidate_s),
        ("stale-if-error", rules.stale_if_error_s),
        ("stale-on-overload", rules.stale_on_overload_s),
    )
    return (f"{name} {format_duration(value)}" for name, value in windows if value is not None)


def _key(key: KeyRules) -> Iterator[str]:
    if key.query_only is not None:
        yield f"query only {' '.join(sorted(key.query_only)) or 'nothing'}"
    if key.query_except:
        yield f"query except {' '.join(sorted(key.query_except))}"
    if key.query_sort:
        yield "query sorted"
    if key.headers:
        yield f"headers {' '.join(key.headers)}"


def _limit(rule: RateRule) -> str:
    limit = rule.limit
    return f"{limit.name} ({limit.quota}/{format_duration(limit.window_s)})"
