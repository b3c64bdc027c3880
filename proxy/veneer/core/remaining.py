"""The lifetime that a stored response has left, told as an origin tells it: for clients that do not count Age.

RFC 9111 has a cache say how old a response is, and leaves the lifetime as it was (section 5.1). Caches in clients that
read max-age alone would keep it for the whole lifetime once more.
"""

from __future__ import annotations

from math import ceil

from veneer.core.cache_control import delta_seconds
from veneer.core.dates import format_date, moment_of
from veneer.core.fields import Fields, Pair
from veneer.core.freshness import date_value
from veneer.core.headers import split_list, unquote

_LIFETIMES = frozenset({"max-age", "s-maxage"})


def with_remaining_lifetime(fields: Fields, age_s: float, now: float) -> Fields | None:
    """The fields of a response that is `age_s` old at `now`, as if it had been made just now with what is left.

    Each max-age and s-maxage, in Cache-Control and in the targeted fields (RFC 9213), is less by the age; Expires lies
    as far ahead of the new Date as is left of its distance to the old one; there is no Age. None where no lifetime is
    stated: what a client may guess then, it guesses from Date and Age as they are.
    """
    stated = fields.joined
    by_expires = moment_of(fields, "expires", now)
    if not _states_lifetime(stated.get("cache-control")) and by_expires is None:
        return None
    spent = max(0, ceil(age_s))
    lines: list[Pair] = []
    for name, value in fields.pairs:
        lower = name.lower()
        if lower in {"age", "date"}:
            continue
        if lower == "cache-control" or lower.endswith("-cache-control"):
            lines.append((name, _less(value, spent)))
        elif lower == "expires" and by_expires is not None:
            left = max(0.0, by_expires - date_value(fields, now) - spent)
            lines.append((name, format_date(now + left)))
        else:
            lines.append((name, value))
    return Fields((*lines, ("Date", format_date(now))))


def _states_lifetime(value: str | None) -> bool:
    return value is not None and any(_seconds_of(member) is not None for member in split_list(value))


def _seconds_of(member: str) -> int | None:
    """The seconds of a max-age or s-maxage; None for anything else."""
    name, _, argument = member.partition("=")
    if name.lower() not in _LIFETIMES:
        return None
    return delta_seconds(unquote(argument) if argument.startswith('"') else argument)


def _less(value: str, spent: int) -> str:
    """A field value whose lifetimes are shorter by `spent` seconds; as it was where it holds none."""
    members = split_list(value)
    told = [_seconds_of(member) for member in members]
    if not any(seconds is not None for seconds in told):
        return value
    return ", ".join(
        member if seconds is None else f"{member.partition('=')[0]}={max(0, seconds - spent)}"
        for member, seconds in zip(members, told, strict=True)
    )
