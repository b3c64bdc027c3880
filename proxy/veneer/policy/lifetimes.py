"""Lifetimes of a route as people write them: one for all responses, or by status."""

from __future__ import annotations

from typing import NamedTuple

from veneer.core.storability import NEVER_STORED_STATUSES
from veneer.policy.units import UnitError, parse_duration, parse_statuses


class Ttl(NamedTuple):
    """`default_s` is for the statuses of core.freshness.POLICY_STATUSES that `by_status`, most exact first, leaves."""

    default_s: float | None
    by_status: tuple[tuple[frozenset[int], float], ...] = ()


def parse_ttl(value: object) -> Ttl:
    """The lifetimes of "5m", or of {"404": "10s", "3xx": "1h", "default": "5m"}. Raises UnitError."""
    if not isinstance(value, dict):
        return Ttl(parse_duration(value))
    if not value:
        msg = "gives no lifetime"
        raise UnitError(msg, "write 5m, or {default: 5m, 404: 10s}")
    default_s: float | None = None
    found: dict[str, tuple[frozenset[int], float]] = {}
    for key, text in value.items():
        try:
            seconds = parse_duration(text)
        except UnitError as error:
            raise UnitError(str(error), error.suggestion, (key,)) from None
        if key == "default":
            default_s = seconds
        else:
            found[key] = (_statuses(key, found), seconds)
    return Ttl(default_s, tuple(sorted(found.values(), key=lambda item: len(item[0]))))


def _statuses(key: str, others: dict[str, tuple[frozenset[int], float]]) -> frozenset[int]:
    at = (key, "[key]")
    try:
        statuses = parse_statuses(key)
    except UnitError as error:
        raise UnitError(str(error), "write 404, 3xx, 500-503 or default", at) from None
    if statuses <= NEVER_STORED_STATUSES:
        msg = f'responses with status "{key}" are never stored: they are about one request'
        raise UnitError(msg, "remove it", at)
    for other, (taken, _) in others.items():
        if statuses & taken and not (statuses < taken or taken < statuses):
            msg = f'"{key}" and "{other}" share statuses, and neither is more exact than the other'
            raise UnitError(msg, "keep the ranges apart", at)
    return statuses
