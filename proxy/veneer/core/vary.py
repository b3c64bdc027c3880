"""Which stored responses match a request's fields (RFC 9111 section 4.1)."""

from __future__ import annotations

from typing import Final

from veneer.core.accept import Choice, choices, coding_weights
from veneer.core.entry import Entry
from veneer.core.fields import Fields
from veneer.core.headers import OWS, split_list
from veneer.core.messages import RequestHead
from veneer.core.remembered import memoised
from veneer.core.rules import CacheRules

Variant = tuple[tuple[str, str | None], ...]
"""(lower-case field name, normalised value or None if absent), in the order of the names."""


def vary_names(fields: Fields) -> tuple[str, ...] | None:
    """The lower-case names that the response's Vary lists, sorted; None when `*` is among them."""
    value = fields.joined.get("vary")
    return () if value is None else _known_names(value)


def _vary_names(value: str) -> tuple[str, ...] | None:
    names = {name.lower() for name in split_list(value)}
    return None if "*" in names else tuple(sorted(names))


_known_names: Final = memoised(_vary_names, 256)
"""An origin varies in few ways: the same text comes again and again."""


DICTIONARY_CODINGS: Final = ("dcb", "dcz")
"""Codings that only an origin with its own dictionary can apply (RFC 9842 section 5)."""


def normalise(name: str, value: str | None, codings: tuple[str, ...]) -> str | None:
    """A request field's value in a form that is equal for values of equal meaning; None stays None.

    Every field: lines joined, whitespace around commas removed unless some of it may be quoted. Accept-Language: lower
    case, members sorted.
    Accept-Encoding: the acceptable ones of `codings`; what is forwarded has to be reduced in the same way
    (`reduced_accept_encoding`), or the origin might choose a coding that the key does not show.
    """
    if value is None:
        return None
    if name == "accept-encoding":
        return reduced_accept_encoding(value, codings)
    if name == "accept-language":
        return _languages(value)
    if "," not in value or '"' in value:
        return value.strip(OWS)
    return ",".join(part.strip(OWS) for part in value.split(","))


def reduced_accept_encoding(value: str, codings: tuple[str, ...]) -> str:
    """Accept-Encoding reduced to those of `codings` that it accepts, in the order of `codings`; else "identity".

    `identity;q=0` is kept where the client excludes the uncoded form (RFC 9110 section 12.5.3). So are the codings
    with a dictionary (RFC 9842): the origin alone knows them, and which dictionary it used is for its Vary to say.
    """
    if ";" not in value and "*" not in value and "x-" not in value:
        named = {member.strip(OWS) for member in value.lower().split(",")}
        return ", ".join([coding for coding in (*codings, *DICTIONARY_CODINGS) if coding in named]) or "identity"
    weights = coding_weights(value)
    anything = weights.get("*", 0.0)
    accepted = [coding for coding in codings if weights.get(coding, anything) > 0]
    accepted += [coding for coding in DICTIONARY_CODINGS if weights.get(coding, 0.0) > 0]
    if weights.get("identity", 1.0 if "*" not in weights else anything) <= 0:
        accepted.append("identity;q=0")
    return ", ".join(accepted) or "identity"


def _languages(value: str) -> str:
    members = [f"{choice.name};q={choice.weight:g}" if choice.weight != 1 else choice.name for choice in choices(value)]
    return ",".join(sorted(members))


def describe(request: RequestHead, response_fields: Fields, rules: CacheRules) -> Variant | None:
    """The variant that a response to `request` is, for `Entry.vary`; None when it matches no request (`Vary: *`)."""
    names = vary_names(response_fields)
    if names is None:
        return None
    asked = request.fields.joined
    return tuple([(name, normalise(name, asked.get(name), rules.codings)) for name in names])


def matches(entry: Entry, request: RequestHead, rules: CacheRules) -> bool:
    """Whether the fields that `entry`'s Vary lists are the same in `request`."""
    for name, stored in entry.vary:
        presented = request.fields.get(name)
        if presented == stored and name != "accept-encoding":
            continue
        if normalise(name, presented, rules.codings) == stored:
            continue
        if name == "accept-language" and rules.language_from_content and _is_best_language(entry, presented):
            continue
        return False
    return True


def _is_best_language(entry: Entry, presented: str | None) -> bool:
    """Whether the entry's one Content-Language is the single language that the request likes best."""
    content = entry.fields.get("content-language")
    if content is None or presented is None or "," in content:
        return False
    ranked: list[Choice] = sorted(choices(presented), key=lambda choice: choice.weight, reverse=True)
    if not ranked or (len(ranked) > 1 and ranked[1].weight == ranked[0].weight):
        return False
    return ranked[0].weight > 0 and ranked[0].name == content.strip(OWS).lower()
