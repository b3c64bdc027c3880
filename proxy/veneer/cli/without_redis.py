"""What happens on each route while Redis is away, as a table: asked of the functions that decide it for requests."""

from __future__ import annotations

from collections.abc import Iterator

from veneer.core.fields import Fields
from veneer.core.messages import SAFE_METHODS, RequestHead
from veneer.pipeline.lost import read_when_lost, write_when_lost
from veneer.policy.model import Match, Policy, Route
from veneer.policy.template import Parameter
from veneer.policy.units import format_duration

_NONE = "-"
_TITLES = ("route", "reads", "writes", "limits")


def without_redis(policy: Policy) -> str:
    """The table with a line for each route; empty where the policy names no Redis."""
    if policy.stores.redis_url is None:
        return ""
    rows = [_TITLES, *(_row(policy, route) for route in policy.routes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lease = format_duration(policy.stores.lease_valid_s)
    return f"while Redis is away (hits go on for at most {lease}, then):\n" + "".join(f"  {line}\n" for line in lines)


def _row(policy: Policy, route: Route) -> tuple[str, str, str, str]:
    limits = ", ".join(f"{rule.limit.name} {rule.limit.on_store_loss.value}" for rule in route.limits)
    reads = route.methods is None or bool(route.methods & SAFE_METHODS)
    return route.name, read_when_lost(route).value if reads else _NONE, _write(policy, route), limits or _NONE


def _write(policy: Policy, route: Route) -> str:
    """What becomes of one of the route's requests that are not safe."""
    method = next(iter(_unsafe(route)), None)
    if method is None:
        return _NONE
    segments = ["x" if isinstance(part, Parameter) else part for part in route.template.parts]
    request = RequestHead(method, "/" + "/".join(segments), None, "policy.test", Fields())
    return write_when_lost(policy, Match(route, segments), request).value


def _unsafe(route: Route) -> Iterator[str]:
    methods = ("POST",) if route.methods is None else sorted(route.methods)
    return (method for method in methods if method not in SAFE_METHODS)
