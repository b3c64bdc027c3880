"""Field values that depend on the moment or the place: dates as offsets, locations under the tested resource."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from checks.conformance.suite import Step

DATE_FIELDS = frozenset({"date", "expires", "last-modified", "if-modified-since", "if-unmodified-since"})
LOCATION_FIELDS = frozenset({"location", "content-location"})
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def http_date(now_ms: int, offset_s: int, *, rfc850: bool = False) -> str:
    """The moment `offset_s` seconds after `now_ms` as an HTTP-date, cut to whole seconds (RFC 9110 section 5.6.7)."""
    moment = _EPOCH + timedelta(seconds=now_ms // 1000 + offset_s)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    if rfc850:
        return f"{day}, {moment:%d}-{month}-{moment:%y} {moment:%H:%M:%S} GMT"
    return f"{day[:3]}, {moment:%d} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def resolve(name: str, value: str | int, step: Step, given: Callable[[str], str | None]) -> str | int:
    """`value` with its offset or its place filled in.

    `given` looks up a field of the response at hand: `Server-Now` is the origin's clock in milliseconds,
    `Server-Base-Url` the target the origin was asked for.
    """
    key = name.lower()
    if key in DATE_FIELDS and isinstance(value, int):
        now_ms = given("server-now")
        if now_ms is None:
            return "Invalid Date"
        return http_date(int(now_ms), value, rfc850=key in step.rfc850date)
    if key in LOCATION_FIELDS and step.magic_locations:
        base = given("server-base-url")
        return f"{base}/{value}" if value else f"{base}"
    return value
