"""Structured field values (RFC 9651), read strictly: the one place that knows the library."""

from __future__ import annotations

from http_sf import StructuredFieldError, Token, parse

Bare = str | int | float | bool | bytes | Token | object


def parse_dictionary(value: str) -> dict[str, object] | None:
    """The members' bare values of a Dictionary, inner lists as lists of bare values; None when it is malformed."""
    parsed = _parse(value, "dictionary")
    if not isinstance(parsed, dict):
        return None
    return {str(name): _bare(member) for name, member in parsed.items()}


def parse_strings(value: str) -> list[str] | None:
    """The members of a List of Strings, parameters left out; None when it is malformed or holds anything else."""
    parsed = _parse(value, "list")
    if not isinstance(parsed, list):
        return None
    strings: list[str] = []
    for member in parsed:
        bare = _bare(member)
        if not isinstance(bare, str) or is_token(bare):
            return None
        strings.append(bare)
    return strings


def is_token(value: object) -> bool:
    """Whether a bare value was a Token rather than a String."""
    return isinstance(value, Token)


def is_integer(value: object) -> bool:
    """Whether a bare value was an Integer (a Boolean is not)."""
    return isinstance(value, int) and not isinstance(value, bool)


def _parse(value: str, kind: str) -> object:
    try:
        return parse(value.encode("latin-1"), tltype=kind)
    except StructuredFieldError:
        return None


def _bare(member: object) -> object:
    """A member is a pair (value or inner list, parameters)."""
    value: object = member[0] if isinstance(member, tuple) else member
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value
