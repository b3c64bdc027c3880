"""Responses that differ by a request field which neither Vary nor the key names: one of them goes to everybody."""

from __future__ import annotations

from veneer.core.fields import Fields
from veneer.core.headers import OWS, essence
from veneer.core.record import fast_struct
from veneer.core.rules import CacheRules
from veneer.core.vary import vary_names


@fast_struct
class Undeclared:
    """The request field by which an origin seems to choose, in its usual spelling, and what it has chosen so far."""

    chosen_by: str
    before: str
    now: str


def undeclared(stored: Fields, came: Fields, rules: CacheRules, *, coded_here: bool) -> Undeclared | None:
    """What tells two whole responses under one key apart although nothing says so; None where nothing does.

    RFC 9110 section 12.5.5 asks origins for Vary. With `coded_here` the origin never sees Accept-Encoding.
    """
    pairs = [
        ("Accept", _media_type(stored), _media_type(came)),
        ("Accept-Language", _language(stored), _language(came)),
    ]
    if not coded_here:
        pairs.append(("Accept-Encoding", _coding(stored), _coding(came)))
    for name, before, now in pairs:
        if before and now and before != now and not _is_declared(name.lower(), stored, came, rules):
            return Undeclared(name, before, now)
    return None


def _is_declared(name: str, stored: Fields, came: Fields, rules: CacheRules) -> bool:
    if name in rules.key.headers:
        return True
    told = (vary_names(stored), vary_names(came))
    return any(names is None or name in names for names in told)


def _media_type(fields: Fields) -> str:
    return essence(fields.joined.get("content-type", ""))


def _language(fields: Fields) -> str:
    return fields.joined.get("content-language", "").strip(OWS).lower()


def _coding(fields: Fields) -> str:
    return fields.joined.get("content-encoding", "identity").strip(OWS).lower()
