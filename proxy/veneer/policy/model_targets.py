"""Several backends of one upstream, and what is tried again, as the policy says it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What is tried again: for `refused_s` a backend that refuses connections.

    Requests are, at other targets, as far as a budget goes: a `share` of the requests and `per_second` beside.
    """

    refused_s: float = 1.0
    share: float = 0.1
    per_second: int = 5


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One of several backends of an upstream; a drained one gets no requests."""

    url: str
    drain: bool = False
