"""What is known of the backends of an upstream, for who watches."""

from __future__ import annotations

from collections.abc import Sequence

from veneer.policy.model import UpstreamSettings
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.open import targets_of
from veneer.upstream.opened import OpenUpstream


def states_of(upstream: OpenUpstream, settings: UpstreamSettings) -> Sequence[tuple[str, str]]:
    """Each backend's URL with its state: "up", "down", "ejected", "resting", "draining".

    "breaker open" where a breaker keeps requests from all of them; "unknown" of one that nothing watches.
    """
    open_now = isinstance(upstream, BreakerGuard) and upstream.is_open
    guarded = upstream.guarded if isinstance(upstream, BreakerGuard) else upstream
    several = targets_of(upstream)
    if several is not None:
        states = [target.state for target in several.targets]
        urls = [target.url for target in settings.targets]
    else:
        states, urls = [_state(upstream, guarded)], [settings.url]
    return [(url, "breaker open" if open_now else state) for url, state in zip(urls, states, strict=True)]


def _state(upstream: OpenUpstream, guarded: OpenUpstream) -> str:
    if isinstance(guarded, CheckedPool):
        return "up" if guarded.healthy else "down"
    return "up" if isinstance(upstream, BreakerGuard) else "unknown"
