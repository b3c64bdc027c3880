"""The same target for the same client: consistent hashing with bounded load. Pure.

* Rendezvous hashing (Thaler and Ravishankar, 1998), with weights by the logarithmic method: each target has a number
  for each key, and the one with the greatest gets it. Where a target goes only its keys move, to all others alike.
* Bounded load (Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016): a target that has
  `balance_factor` times its part of the requests under way gets no more; the next in the key's order does. ROOM always
  fit: the few requests that a page makes at once are no load, and are to stay together on an idle day.

Numbers depend on names and keys alone, so that all processes and nodes agree, and agree with themselves later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from math import ceil, log
from typing import Final

from veneer.core.address import told_clients
from veneer.core.fields import Fields
from veneer.core.sharing import cookie_pairs

ROOM: Final = 8
_MASK: Final = (1 << 64) - 1


class AffinityKind(Enum):
    """What tells one client from another."""

    CLIENT_IP = "client_ip"
    HEADER = "header"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class AffinityRules:
    """Where the key is found: `name` is a lower-case field's, or a cookie's.

    A target may have `balance_factor` times its part of the requests under way, or ROOM.
    """

    kind: AffinityKind
    name: str = ""
    balance_factor: float = 1.5


def key_of(rules: AffinityRules, fields: Fields) -> int | None:
    """The key of a request, as the backend would get it; None where it has none."""
    match rules.kind:
        case AffinityKind.CLIENT_IP:
            told = told_clients(fields)
            text = told[0] if told else None
        case AffinityKind.HEADER:
            text = fields.get(rules.name)
        case _:
            # The first one of that name: whichever is taken, it is the same one each time.
            text = next((value for name, value in cookie_pairs(fields) if name == rules.name), None)
    return number_of(text) if text else None


def number_of(text: str) -> int:
    """64 bits that stand for a key, or for a target by its name."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def choose(
    targets: Sequence[int], shares: Sequence[float], in_flight: Sequence[int], key: int, balance_factor: float
) -> int:
    """Which of the targets, of which there is at least one, gets a request with this key.

    Of each its number, its share of the requests (any scale), and how many are under way there. The factor is at least
    1: then there always is one with room.
    """
    whole, most = sum(shares), balance_factor * (sum(in_flight) + 1)
    best, best_score = -1, 0.0
    for index, target in enumerate(targets):
        if in_flight[index] >= max(ceil(most * shares[index] / whole), ROOM):
            continue
        score = _score(target, key, shares[index])
        if best < 0 or score > best_score:
            best, best_score = index, score
    return max(best, 0)


def _score(target: int, key: int, share: float) -> float:
    """The greatest of these wins, as often as the share says: `u` is as if drawn from (0, 1)."""
    mixed = (target ^ (key * 0x9E3779B97F4A7C15)) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    mixed ^= mixed >> 31
    u = ((mixed >> 11) + 0.5) / (1 << 53)
    return -share / log(u)
