"""Who asks: what a credential proves, until when, and the scope within which responses may be shared by it.

Everything comes from one function, `scope_of`: the scope that it makes is a part of the cache key and at once the
permission to store and to reuse (core.sharing, RFC 9111 section 3.5). It exists only while a proof holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final
from urllib.parse import quote

from veneer.core.digests import digest_of_parts
from veneer.core.rules import CacheRules, Scope
from veneer.core.sharing import NO_COOKIES

MAX_VALUE_CHARS: Final = 256
"""A longer value of a claim is none: it is to be part of keys, tags and logs."""

Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Window:
    """From when until before when a proof holds, in seconds since the epoch."""

    opens: float = -math.inf
    ends: float = math.inf


ALWAYS: Final = Window()


@dataclass(frozen=True, slots=True)
class Proof:
    """What one credential of a request proves by one definition of the policy.

    `values` are names and values of the identity. `defined_by` stands for that definition: by another one the same
    value is another identity. `authorization` and `cookies` say where the credential was.
    """

    values: Values
    defined_by: str
    window: Window = ALWAYS
    authorization: bool = False
    cookies: frozenset[str] = NO_COOKIES

    def holds(self, now: float) -> bool:
        """Whether it proves anything at `now`, in seconds since the epoch."""
        return self.window.opens <= now < self.window.ends

    def value(self, name: str) -> str | None:
        """The value of that name."""
        for own, value in self.values:
            if own == name:
                return value
        return None


Proofs = tuple[Proof, ...]


def scope_of(proofs: Sequence[Proof], shared_by: Sequence[str], now: float) -> Scope | None:
    """The scope of a request with these proofs on a route that shares by these names.

    None where the route names none, or where one of them is not proven at `now`.
    """
    if not shared_by:
        return None
    parts: list[bytes] = []
    authorization, cookies = False, NO_COOKIES
    for name in shared_by:
        found = _proof_of(proofs, name, now)
        if found is None:
            return None
        proof, value = found
        parts += [part.encode("utf-8", "surrogatepass") for part in (name, proof.defined_by, value)]
        authorization = authorization or proof.authorization
        cookies = cookies | proof.cookies
    return Scope(digest_of_parts(parts, size=16, person=b"scope"), authorization, cookies)


def _proof_of(proofs: Sequence[Proof], name: str, now: float) -> tuple[Proof, str] | None:
    for proof in proofs:
        value = proof.value(name)
        if value is not None and proof.holds(now):
            return proof, value
    return None


def window_of(proofs: Sequence[Proof]) -> Window:
    """When all of them hold."""
    opens, ends = -math.inf, math.inf
    for proof in proofs:
        opens, ends = max(opens, proof.window.opens), min(ends, proof.window.ends)
    return Window(opens, ends)


def known_at(proofs: Sequence[Proof], now: float) -> dict[str, str]:
    """All values that are proven at `now`, by their names."""
    return {name: value for proof in proofs if proof.holds(now) for name, value in proof.values}


def for_templates(values: Mapping[str, str]) -> dict[str, str]:
    """The values as templates name them, in the form that parameters of a path have there."""
    named = {"identity." + name: shown(value).encode("utf-8", "surrogatepass") for name, value in values.items()}
    return {name: quote(raw, "") for name, raw in named.items()}


def pseudonym(name: str, value: str) -> str:
    """What stands for a value where it is not to be read: in logs and in the names of rate limits."""
    text = f"{len(name)}:{name}{value}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, person=b"identity").hexdigest()


# ---------------------------------------------------------------- claims of tokens (RFC 7519 section 4)


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token has to say beside a good signature. `named` are identity values and the claims they stand in.

    Empty `issuers` accept any; empty `audiences` accept a token that names none (RFC 7519 section 4.1.3).
    """

    named: tuple[tuple[str, str], ...]
    issuers: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    leeway_s: float = 0.0


def claimed_values(claims: Mapping[str, object], rules: TokenRules) -> Values:
    """The values that the claims give: texts and whole numbers, each of its own kind. Others give none."""
    found: list[tuple[str, str]] = []
    for name, claim in rules.named:
        value = claims.get(claim)
        if isinstance(value, str) and 0 < len(value) <= MAX_VALUE_CHARS:
            found.append((name, "s:" + value))
        elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
            found.append((name, f"i:{value}"))
    return tuple(found)


def shown(value: str) -> str:
    """A value without its kind, for tags and logs."""
    return value.partition(":")[2]


def is_accepted(claims: Mapping[str, object], rules: TokenRules) -> bool:
    """Whether issuer and audience are as they have to be (RFC 7519 sections 4.1.1 and 4.1.3)."""
    if rules.issuers:
        issuer = claims.get("iss")
        if not isinstance(issuer, str) or issuer not in rules.issuers:
            return False
    if "aud" not in claims:
        return not rules.audiences
    audience = claims["aud"]
    named = audience if isinstance(audience, list) else [audience]
    return any(isinstance(one, str) and one in rules.audiences for one in named)


def window_claimed(claims: Mapping[str, object], leeway_s: float) -> Window | None:
    """When a token holds (RFC 7519 sections 4.1.4 and 4.1.5); None where it cannot be read."""
    opens, ends = _date(claims, "nbf", -math.inf), _date(claims, "exp", math.inf)
    if opens is None or ends is None:
        return None
    return Window(opens - leeway_s, ends + leeway_s)


def _date(claims: Mapping[str, object], name: str, absent: float) -> float | None:
    if name not in claims:
        return absent
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def within(rules: CacheRules, scope: Scope) -> CacheRules:
    """The rules for the requests of one scope."""
    return replace(rules, scope=scope)
