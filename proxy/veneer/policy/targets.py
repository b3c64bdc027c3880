"""Targets as a policy accepts them: core.target, with what a route keeps."""

from __future__ import annotations

from collections.abc import Sequence

from veneer.core.outcome import Reason
from veneer.core.target import Target, TargetRefusal, normalise_path, parse_target
from veneer.policy.model import Policy


def read_target(
    policy: Policy,
    raw: str,
    hosts: Sequence[str],
    *,
    method: str,
    scheme: str = "http",
    version: tuple[int, int] = (1, 1),
) -> Target | TargetRefusal:
    """As `core.target.parse_target`; what some route keeps (`limits`) is refused on all routes that do not."""
    kept = policy.kept
    target = parse_target(raw, hosts, method=method, scheme=scheme, version=version, kept=kept)
    if not kept or isinstance(target, TargetRefusal) or target.path == "*":
        return target
    here = policy.match(method, target.path, target.query).route.kept
    again = target.path if here == kept else normalise_path(target.path, here)
    return TargetRefusal(again) if isinstance(again, Reason) else target
