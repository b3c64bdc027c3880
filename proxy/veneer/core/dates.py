"""HTTP-date (RFC 9110 section 5.6.7), read strictly.

The three formats are matched in full. Letters may be in any case, as RFC 9111 section 4.2 asks of caches; everything
else that libraries tolerate (other zones, missing commas, doubled spaces, one-digit hours) makes a date invalid,
because two caches that read a doubtful date differently disagree on freshness.
"""

from __future__ import annotations

from calendar import timegm
from typing import Final

from veneer.core.fields import Fields
from veneer.core.remembered import memoised

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MONTH: Final = {name: number for number, name in enumerate(MONTHS, 1)}
_DAYS_IN_MONTH: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIFTY_YEARS: Final = 50


def parse_date(text: str, now: float) -> int | None:
    """Seconds since the epoch, or None when `text` is not a date.

    `now` resolves the two-digit year of the obsolete format: more than 50 years ahead means the past century.
    """
    moment = _known_moment(text)
    return _rfc850(text.lower(), now) if moment is None else moment


def parse_timeless(text: str) -> int | None:
    """As `parse_date`, for the two formats that need no `now`."""
    return _known_moment(text)


def _read_moment(text: str) -> int | None:
    lower = text.lower()
    if len(lower) == 29 and lower[3:5] == ", ":
        return _imf_fixdate(lower)
    return _asctime(lower) if len(lower) == 24 else None


_known_moment: Final = memoised(_read_moment, 1024)
"""Most responses of one second bear the same Date."""


def moment_of(fields: Fields, name: str, now: float) -> int | None:
    """The date in the field `name`; None when it is absent, repeated or invalid."""
    text = fields.joined.get(name)
    return None if text is None else parse_date(text, now)


def _imf_fixdate(lower: str) -> int | None:
    """Sun, 06 Nov 1994 08:49:37 GMT."""
    if lower[:3] not in DAYS or lower[7] != " " or lower[11] != " " or lower[16] != " " or lower[25:] != " gmt":
        return None
    return _seconds(lower[12:16], _MONTH.get(lower[8:11]), lower[5:7], lower[17:25])


def _rfc850(lower: str, now: float) -> int | None:
    """Sunday, 06-Nov-94 08:49:37 GMT."""
    day, comma, rest = lower.partition(", ")
    if not comma or day not in LONG_DAYS or len(rest) != 22 or rest[2] != "-" or rest[6] != "-":
        return None
    if rest[9] != " " or rest[18:] != " gmt" or not _digits(rest[7:9]):
        return None
    this_year = year_of(now)
    year = this_year - this_year % 100 + int(rest[7:9])
    if year > this_year + _FIFTY_YEARS:
        year -= 100
    return _seconds(f"{year:04}", _MONTH.get(rest[3:6]), rest[:2], rest[10:18])


def _asctime(lower: str) -> int | None:
    """Sun Nov  6 08:49:37 1994."""
    if lower[:3] not in DAYS or lower[3] != " " or lower[7] != " " or lower[10] != " " or lower[19] != " ":
        return None
    day = "0" + lower[9] if lower[8] == " " else lower[8:10]
    return _seconds(lower[20:24], _MONTH.get(lower[4:7]), day, lower[11:19])


def _seconds(year: str, month: int | None, day: str, clock: str) -> int | None:
    """The moment, if the parts are in range; a leap second counts as the next second."""
    if month is None or clock[2:3] != ":" or clock[5:6] != ":":
        return None
    digits = year + day + clock[:2] + clock[3:5] + clock[6:]
    if len(digits) != 12 or not _digits(digits):
        return None
    y, d, h, m, s = int(year), int(day), int(clock[:2]), int(clock[3:5]), int(clock[6:])
    if not 1 <= d <= _days_in(y, month) or h > 23 or m > 59 or s > 60 or y < 1:
        return None
    return timegm((y, month, d, h, m, s))


def _days_in(year: int, month: int) -> int:
    if month == 2 and (year % 4 != 0 or (year % 100 == 0 and year % 400 != 0)):
        return 28
    return _DAYS_IN_MONTH[month - 1]


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def format_date(seconds: float) -> str:
    """`seconds` since the epoch as an IMF-fixdate, the only format to send."""
    days, rest = divmod(int(seconds // 1), 86_400)
    year, month, day = _civil(days)
    weekday = DAYS[(days + 3) % 7].capitalize()
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{weekday}, {day:02} {MONTHS[month - 1].capitalize()} {year:04} {clock} GMT"


def year_of(seconds: float) -> int:
    """The year in which `seconds` since the epoch falls."""
    return _civil(int(seconds // 86_400))[0]


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day of the `days`-th day since the epoch, in the proleptic Gregorian calendar.

    The year is counted from March, so that the leap day is its last and every month before it has a fixed offset.
    """
    era, of_era = divmod(days + 719_468, 146_097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * of_year + 2) // 153
    day = of_year - (153 * from_march + 2) // 5 + 1
    month = from_march + 3 if from_march < 10 else from_march - 9
    return era * 400 + year_of_era + (month <= 2), month, day
