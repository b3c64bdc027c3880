"""Cache-Control directives, typed (RFC 9111 section 5.2; RFC 5861; RFC 8246), and the targeted fields (RFC 9213)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from veneer.core.fields import Fields
from veneer.core.headers import OWS, split_list, unquote
from veneer.core.headers import is_token as is_field_name
from veneer.core.remembered import memoised
from veneer.core.structured import is_integer, is_token, parse_dictionary

MAX_DELTA_S: Final = 2**31
"""What a delta-seconds too large to represent counts as (RFC 9111 section 1.2.2)."""

Arguments = dict[str, list[str | None]]
"""Lower-case directive names with the argument of each appearance, quotes removed."""


@dataclass(frozen=True, slots=True)
class RequestDirectives:
    """What a request's Cache-Control says (RFC 9111 section 5.2.1).

    An argument that is invalid counts as not given, except that an invalid max-age or min-fresh counts as the
    strictest.
    """

    max_age_s: int | None = None
    max_stale_s: int | None = None
    min_fresh_s: int | None = None
    no_cache: bool = False
    no_store: bool = False
    no_transform: bool = False
    only_if_cached: bool = False
    stale_if_error_s: int | None = None


@dataclass(frozen=True, slots=True)
class ResponseDirectives:
    """What a response says to a shared cache (RFC 9111 section 5.2.2).

    A repeated duration counts with its smallest value, an invalid max-age or s-maxage as 0: the response is stale
    (section 4.2.1). `no_cache` and `private` are the unqualified forms; `*_fields` the lower-case names of the
    qualified ones. `targeted` tells that they come from a targeted field, so that Cache-Control and Expires are
    to be ignored (RFC 9213 section 2.2).
    """

    max_age_s: int | None = None
    s_maxage_s: int | None = None
    no_cache: bool = False
    no_cache_fields: frozenset[str] = frozenset()
    private: bool = False
    private_fields: frozenset[str] = frozenset()
    no_store: bool = False
    no_transform: bool = False
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    immutable: bool = False
    stale_while_revalidate_s: int | None = None
    stale_if_error_s: int | None = None
    targeted: bool = False

    @property
    def forbids_stale(self) -> bool:
        """Whether serving it stale is prohibited (section 4.2.4), even to a cache that cannot reach the origin."""
        return self.must_revalidate or self.proxy_revalidate or self.no_cache or self.s_maxage_s is not None


def request_directives(fields: Fields) -> RequestDirectives:
    """The directives of a request."""
    text = fields.joined.get("cache-control")
    return _ABSENT_REQUEST if text is None else _known_request(text)


def response_directives(fields: Fields) -> ResponseDirectives:
    """The directives of a response's Cache-Control."""
    text = fields.joined.get("cache-control")
    return _ABSENT_RESPONSE if text is None else _known_response(text)


def governing_directives(fields: Fields, targeted_fields: tuple[str, ...]) -> ResponseDirectives:
    """The directives that this cache obeys: those of the first usable targeted field, else of Cache-Control.

    A targeted field counts if it is present, a valid Dictionary and not empty (RFC 9213 section 2.2).
    """
    for name in targeted_fields:
        if name in fields.joined and (directives := fields.once(_Targeted(name))) is not None:
            return directives
    return response_directives(fields)


_ABSENT_REQUEST: Final = RequestDirectives()
_ABSENT_RESPONSE: Final = ResponseDirectives()


def _arguments(value: str) -> Arguments:
    """The directives of a field value (section 5.2). Space around "=" makes another, unknown, directive."""
    found: Arguments = {}
    for member in split_list(value):
        name, equals, argument = member.partition("=")
        if not equals:
            found.setdefault(name.lower(), []).append(None)
            continue
        text = unquote(argument) if argument.startswith('"') else argument
        found.setdefault(name.lower(), []).append("" if text is None else text)
    return found


def delta_seconds(text: str | None) -> int | None:
    """A non-negative integer of seconds (section 1.2.2), or None when it is not one."""
    if not text or not text.isascii() or not text.isdigit():
        return None
    return MAX_DELTA_S if len(text.lstrip("0")) > 10 else min(int(text), MAX_DELTA_S)


def _least(found: Arguments, name: str, invalid: int | None) -> int | None:
    """The smallest of the directive's values; `invalid` stands for each that is no delta-seconds."""
    given = found.get(name)
    if given is None:
        return None
    values = [invalid if (seconds := delta_seconds(text)) is None else seconds for text in given]
    known = [value for value in values if value is not None]
    return min(known) if known else None


def _parse_request(text: str) -> RequestDirectives:
    found = _arguments(text)
    max_stale = _least(found, "max-stale", None)
    if max_stale is None and found.get("max-stale") == [None]:
        max_stale = MAX_DELTA_S
    return RequestDirectives(
        max_age_s=_least(found, "max-age", 0),
        max_stale_s=max_stale,
        min_fresh_s=_least(found, "min-fresh", MAX_DELTA_S),
        no_cache="no-cache" in found,
        no_store="no-store" in found,
        no_transform="no-transform" in found,
        only_if_cached="only-if-cached" in found,
        stale_if_error_s=_least(found, "stale-if-error", None),
    )


_known_request: Final = memoised(_parse_request, 256)
"""Clients say few things: the same text comes again and again."""


def _qualified(found: Arguments, name: str) -> tuple[bool, frozenset[str]]:
    """Whether the directive appears unqualified, and the field names that its qualified forms list (5.2.2.4, .7)."""
    given = found.get(name)
    if given is None:
        return False, frozenset()
    names = {
        field.lower() for text in given if text is not None for part in text.split(",") if (field := part.strip(OWS))
    }
    unqualified = any(text is None or not text.strip(" \t,") for text in given)
    if not all("'" not in name and is_field_name(name) for name in names):
        return True, frozenset()  # it says something about fields that cannot be understood: it counts for all of it
    return unqualified, frozenset(names)


def _parse_response(text: str) -> ResponseDirectives:
    return _response(_arguments(text), targeted=False)


_known_response: Final = memoised(_parse_response, 1024)
"""An origin has few policies: the same text comes again and again."""


def _response(found: Arguments, *, targeted: bool) -> ResponseDirectives:
    no_cache, no_cache_fields = _qualified(found, "no-cache")
    private, private_fields = _qualified(found, "private")
    return ResponseDirectives(
        max_age_s=_least(found, "max-age", 0),
        s_maxage_s=_least(found, "s-maxage", 0),
        no_cache=no_cache,
        no_cache_fields=no_cache_fields,
        private=private,
        private_fields=private_fields,
        no_store="no-store" in found,
        no_transform="no-transform" in found,
        public="public" in found,
        must_revalidate="must-revalidate" in found,
        proxy_revalidate="proxy-revalidate" in found,
        must_understand="must-understand" in found,
        immutable="immutable" in found,
        stale_while_revalidate_s=_least(found, "stale-while-revalidate", None),
        stale_if_error_s=_least(found, "stale-if-error", None),
        targeted=targeted,
    )


_DURATIONS: Final = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})


@dataclass(frozen=True, slots=True)
class _Targeted:
    """Reads the targeted field `name`: its directives, None if it is empty or malformed.

    Values map to directives as in RFC 9213 section 2.1: durations are Integers, flags are true, qualified forms are
    Strings; a member of another type is ignored.
    """

    name: str

    def __call__(self, fields: Fields) -> ResponseDirectives | None:
        members = parse_dictionary(fields.get(self.name) or "")
        if not members:
            return None
        found: Arguments = {}
        for name, bare in members.items():
            if name in _DURATIONS:
                if is_integer(bare):
                    found[name] = [str(bare)]
            elif bare is True:
                found[name] = [None]
            elif isinstance(bare, str) and not is_token(bare) and name in {"no-cache", "private"}:
                found[name] = [bare]
        return _response(found, targeted=True)
