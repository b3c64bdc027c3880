"""What a process starts with, in one line: the first question of whoever sees a proxy that does not what was meant."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from veneer.policy.model import Policy, UpstreamSettings
from veneer.policy.problems import without_secrets

_UPSTREAMS_SHOWN: Final = 4
"""More would make a line that nobody reads."""


def in_force(policy: Policy, name: str) -> str:
    """The policy's `name` (its file), its digest and number of routes, upstreams, Redis without its credentials."""
    listed = len(policy.routes) - 1  # the last is the default one
    routes = "1 route" if listed == 1 else f"{listed} routes"
    upstreams = [f"{upstream.name} {_where(upstream)}" for upstream in policy.upstreams.values()]
    shown = ", ".join(upstreams[:_UPSTREAMS_SHOWN])
    more = len(upstreams) - _UPSTREAMS_SHOWN
    behind = f"{shown} and {more} more" if more > 0 else shown
    line = f"{name} (version {policy.version_digest}, {routes}); upstream {behind}; {_redis(policy.stores.redis_url)}"
    return without_secrets(line, policy.secrets)


def _where(upstream: UpstreamSettings) -> str:
    others = len(upstream.targets) - 1
    return f"{upstream.url} and {others} more" if others > 0 else upstream.url


def _redis(url: str | None) -> str:
    if url is None:
        return "no Redis: what is stored is in this process alone"
    parts = urlsplit(url)
    return f"Redis {parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
