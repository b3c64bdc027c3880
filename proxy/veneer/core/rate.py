"""Rate arithmetic: GCRA (ITU-T I.371), the exact form of a token bucket with one number of state.

The state of a client is the moment at which its bucket is whole again; the time from now until then is its *backlog*.
Each admitted request adds one *interval* (window / quota) to it, and a request is admitted while the backlog is at most
the *tolerance*, (burst - 1) intervals. All of it is whole microseconds, so that the arithmetic is exact and the same
here and in Redis. An interval is rounded up: never more than the quota is admitted.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mypy_extensions import mypyc_attr

from veneer.core.remembered import memoised

MICROS: Final = 1_000_000
"""Microseconds in a second."""

_MAX_TOLERANCE_US: Final = 2**52
"""Keeps clock + backlog within the integers that Redis' Lua numbers (doubles) hold exactly, for a century or so."""


IPV6_BITS: Final = 128
_LONGEST_CLIENT: Final = 64


class RateOnStoreLoss(Enum):
    """What a limit does while the shared store is away."""

    LOCAL_SHARE = "local_share"  # each node admits its part: the limit divided by the live nodes
    OPEN = "open"  # everything is admitted
    CLOSED = "closed"  # nothing is admitted


class Accuracy(Enum):
    """How nodes share a limit (veneer.core.batches)."""

    ADAPTIVE = "adaptive"  # a node takes batches, which shrink to one near the limit, and gives back what is unspent
    EXACT = "exact"  # every request is counted in the shared store
    LEASED = "leased"  # a node takes a tenth of the burst at once; what it took may come a second later


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`quota` requests in `window_s` seconds, of which `burst` may come at once (burst >= 1).

    Clients by address count by IPv6 networks of `ipv6_bits`. `key` names the numbers as well as the limit: a changed
    limit starts from fresh state everywhere. What can be worked out beforehand is: a limit is made once and used for
    every request. Raises ValueError on numbers that no bucket can hold.
    """

    name: str
    quota: int
    window_s: float
    burst: int
    on_store_loss: RateOnStoreLoss = RateOnStoreLoss.LOCAL_SHARE
    accuracy: Accuracy = Accuracy.ADAPTIVE
    ipv6_bits: int = 64
    interval_us: int = field(init=False)
    tolerance_us: int = field(init=False)
    key: str = field(init=False)
    quoted_name: str = field(init=False)
    policy_text: str = field(init=False)
    """The value of RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11 section 3)."""

    def __post_init__(self) -> None:
        window_us = round(self.window_s * MICROS)
        interval_us = -(-window_us // max(1, self.quota))
        wrong = None
        if self.quota < 1 or self.burst < 1:
            wrong = "quota and burst must be at least 1"
        elif self.quota > window_us:
            wrong = f"{self.quota} per {self.window_s:g} s is out of range: at most {MICROS} a second can be counted"
        elif interval_us * self.burst > _MAX_TOLERANCE_US:
            wrong = (
                f"a burst of {self.burst} at {self.quota} per {self.window_s:g} s is out of range: "
                "it would take more than a century to be there again"
            )
        elif not (self.name.isascii() and self.name.isprintable()):
            wrong = "a name goes into a header field, so it must be printable ASCII"
        if wrong is not None:
            msg = f"limit {self.name!r}: {wrong}"
            raise ValueError(msg)
        object.__setattr__(self, "interval_us", interval_us)
        object.__setattr__(self, "tolerance_us", interval_us * (self.burst - 1))
        object.__setattr__(self, "key", f"{self.name}:{interval_us}:{self.burst}")
        quoted = _quoted(self.name)
        object.__setattr__(self, "quoted_name", quoted)
        object.__setattr__(self, "policy_text", f"{quoted};q={self.quota};w={-(-window_us // MICROS)}")

    def share(self, nodes: int) -> RateLimit:
        """The part of this limit that one of `nodes` may admit on its own; never less than a burst of 1."""
        nodes = max(1, nodes)
        return RateLimit(self.name, self.quota, self.window_s * nodes, max(1, self.burst // nodes), self.on_store_loss)


# What is known; the rest is worked out where it is asked for. One is made for every request.
@mypyc_attr(acyclic=True)
@dataclass(init=False, slots=True, unsafe_hash=True)
class RateVerdict:
    """The answer for one request. `backlog_us` is the backlog *after* it: an admitted request has been added."""

    limit: Final[RateLimit]
    allowed: Final[bool]
    backlog_us: Final[int]

    def __init__(self, limit: RateLimit, allowed: bool, backlog_us: int) -> None:
        self.limit = limit
        self.allowed = allowed
        self.backlog_us = backlog_us

    @property
    def remaining(self) -> int:
        """How many more may come now."""
        spare_us = self.limit.tolerance_us - self.backlog_us
        return 0 if spare_us < 0 else spare_us // self.limit.interval_us + 1

    @property
    def retry_after_s(self) -> float:
        """Seconds until a request is admitted, exactly: then, and not before. 0 when this one was."""
        return 0.0 if self.allowed else max(0, self.backlog_us - self.limit.tolerance_us) / MICROS

    @property
    def reset_s(self) -> float:
        """Seconds until the whole burst may come."""
        return self.backlog_us / MICROS


def tighter(one: RateVerdict, other: RateVerdict) -> RateVerdict:
    """The refusal of the two, else the one that admits fewer requests from now on, else the one that takes longer."""
    if one.allowed is not other.allowed:
        return other if one.allowed else one
    first, second = (one.remaining, -one.reset_s), (other.remaining, -other.reset_s)
    return one if first <= second else other


def backlog(limit: RateLimit, whole_at_us: int, now_us: int) -> int:
    """Microseconds until the bucket is whole again, from stored state.

    State that no history can have produced (a clock that stepped back, a foreign value) counts as the fullest there is.
    """
    waiting_us, most_us = whole_at_us - now_us, limit.tolerance_us + limit.interval_us
    if waiting_us <= 0:
        return 0
    return min(most_us, waiting_us)


def grants(limit: RateLimit, backlog_us: int, most: int = 1) -> int:
    """How many of `most` requests may come at once on top of `backlog_us`; each grant adds one interval to it."""
    spare_us = limit.tolerance_us - backlog_us
    return 0 if spare_us < 0 else min(most, spare_us // limit.interval_us + 1)


def refusal_for(limit: RateLimit, wait_s: float) -> RateVerdict:
    """The refusal of who is admitted in `wait_s` seconds."""
    return RateVerdict(limit, False, limit.tolerance_us + max(1, round(wait_s * MICROS)))


def limit_field(answer: RateVerdict) -> str:
    """The value of RateLimit (draft-ietf-httpapi-ratelimit-headers-11 section 4).

    `r` is what may come now, so the burst bounds it; `t` is until one may come (refused) or the whole burst (not).
    """
    remaining, wait_s = limit_numbers(answer)
    return f"{answer.limit.quoted_name};r={remaining};t={wait_s}"


def limit_numbers(answer: RateVerdict) -> tuple[int, int]:
    """`r` and `t` of RateLimit: what may come now, and whole seconds until more may."""
    limit, backlog_us = answer.limit, answer.backlog_us
    spare_us = limit.tolerance_us - backlog_us
    remaining = 0 if spare_us < 0 else spare_us // limit.interval_us + 1
    wait_us = backlog_us if answer.allowed else max(0, -spare_us)
    return remaining, -(-wait_us // MICROS)


def _read_network(asked: tuple[str, int]) -> str:
    address, bits = asked
    if ":" not in address or bits >= IPV6_BITS:
        return address
    try:
        return str(ipaddress.IPv6Network((address, bits), strict=False))
    except ValueError:
        return address


_known_network: Final = memoised(_read_network, 4096)


def client_network(address: str, ipv6_bits: int) -> str:
    """What counts as one client: an IPv4 address, or the IPv6 network of so many bits, since a subscriber has many."""
    return address if ":" not in address else _known_network((address, ipv6_bits))


def client_key(limit: RateLimit, client: str) -> str:
    """The key of one client's state under one limit. Long clients (a token, say) are hashed: they would fill the store.

    So are those with braces or control characters: a brace would choose the slot in a Redis Cluster.
    """
    if len(client) > _LONGEST_CLIENT or "{" in client or not client.isprintable():
        client = hashlib.blake2b(client.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{limit.key}|{client}"


def retry_after_field(answer: RateVerdict) -> str:
    """The value of Retry-After (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1."""
    return str(max(1, -(-(answer.backlog_us - answer.limit.tolerance_us) // MICROS)))


def _quoted(name: str) -> str:
    """A structured-fields string (RFC 9651 section 3.3.3)."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
