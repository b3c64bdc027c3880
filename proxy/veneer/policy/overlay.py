"""One shape laid over another: what the upper one was given wins, key by key, at every depth."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from veneer.policy.lifetimes import Ttl
from veneer.policy.schema import RateLimitShape, RouteOptions
from veneer.policy.settings import Overrides
from veneer.policy.units import Rate

S = TypeVar("S", bound=BaseModel)

ENVIRONMENT_LIMIT = "environment"
"""Name of the limit that RATE_LIMIT_REQUESTS makes where `defaults` names none."""


def overlay(upper: S, lower: BaseModel) -> S:
    """`upper` with every key it was not given taken from `lower`, where `lower` was given it."""
    update: dict[str, object] = {}
    for name in lower.model_fields_set:
        below = getattr(lower, name)
        above = getattr(upper, name)
        if name not in upper.model_fields_set:
            update[name] = below
        elif isinstance(above, BaseModel) and isinstance(below, BaseModel):
            update[name] = overlay(above, below)
    return upper.model_copy(update=update)


def apply_overrides(defaults: RouteOptions, overrides: Overrides) -> RouteOptions:
    """The file's `defaults` with what environment and flags put in their place."""
    cache: dict[str, object] = {}
    compress: dict[str, object] = {}
    if overrides.ttl_s is not None:
        cache["ttl"] = (defaults.cache.ttl or Ttl(None))._replace(default_s=overrides.ttl_s)
    if overrides.compress_min_size_bytes is not None:
        compress["min_size"] = overrides.compress_min_size_bytes
    if overrides.compress_level is not None:
        compress["level"] = overrides.compress_level
    update: dict[str, object] = {}
    if cache:
        update["cache"] = defaults.cache.model_copy(update=cache)
    if compress:
        update["compress"] = defaults.compress.model_copy(update=compress)
    if overrides.rate_quota is not None and defaults.rate_limit is None:
        update["rate_limit"] = [ENVIRONMENT_LIMIT]
    return defaults.model_copy(update=update)


def apply_rate(
    limits: dict[str, RateLimitShape], defaults: RouteOptions, overrides: Overrides
) -> dict[str, RateLimitShape]:
    """The rate limits with the environment's quota and window in the one that `defaults` names."""
    name = defaults.rate_limit[0] if defaults.rate_limit else None
    if name is None or (overrides.rate_quota is None and overrides.rate_window_s is None):
        return limits
    old = limits.get(name) or RateLimitShape.model_validate({"rate": "1000/60s"})
    quota = overrides.rate_quota or old.rate.quota
    burst = None if old.burst is None else min(old.burst, quota)
    rate = Rate(quota, overrides.rate_window_s or old.rate.window_s)
    return {**limits, name: old.model_copy(update={"rate": rate, "burst": burst})}
