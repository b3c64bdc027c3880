"""Several backends of one upstream, and what is tried again, as the policy says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class RetryRules:
    """What is tried again: for `refused_s` a backend that refuses connections.

    Requests are, at other targets, as far as a budget goes: a `share` of the requests and `per_second` beside.
    """

    refused_s: float = 1.0
    share: float = 0.1
    per_second: int = 5


class Resolve(Enum):
    """What the name of a target leads to."""

    ONE = "one"  # one target, whose addresses are tried in turn
    ALL = "all"  # as many as addresses (A, AAAA)
    SRV = "srv"  # as many as records of the service (RFC 2782)


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One of several backends of an upstream, or a name that leads to several; a drained one gets no requests.

    Its share of the requests is as its `weight`.
    """

    url: str
    drain: bool = False
    weight: int = 1
    resolve: Resolve = Resolve.ONE

    @property
    def is_fixed(self) -> bool:
        """Whether it is one target for good."""
        return self.resolve is Resolve.ONE
