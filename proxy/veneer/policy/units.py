"""Durations, sizes, rates and statuses as people write them."""

from __future__ import annotations

import re
from typing import NamedTuple

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
"""Duration units."""
BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
"""Size units; 1 KB is 1024 bytes."""

_ELSEWHERE = {
    "w": (7, "d"), "week": (7, "d"), "weeks": (7, "d"),
    "tb": (1024, "GB"), "tib": (1024, "GB"), "t": (1024, "GB"), "pb": (1024**2, "GB"), "pib": (1024**2, "GB"),
}  # fmt: skip
"""Units of other tools: how many of which of ours they are."""

MAX_DURATION_S = 10 * 366 * 86_400.0
MAX_SIZE_BYTES = 1024**5
MAX_QUOTA = 10**9

_QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s?([A-Za-z]{1,8})?", re.ASCII)
_RATE = re.compile(r"(\d{1,12})\s?/\s?(\S{1,24})", re.ASCII)
_STATUS = re.compile(r"([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?", re.ASCII)


class UnitError(ValueError):
    """A quantity that cannot be read; `suggestion` shows how to write it. `at` is its place below the key's value."""

    def __init__(self, message: str, suggestion: str | None = None, at: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.suggestion = suggestion
        self.at = at


class Rate(NamedTuple):
    """`quota` requests in `window_s` seconds."""

    quota: int
    window_s: float


def parse_duration(text: object) -> float:
    """Seconds of "500ms", "30s", "5m", "1h" or "1d"; "0" needs no unit. Raises UnitError."""
    number, unit = _split(text, "a duration", "30s, 5m, 1h, 1d or 500ms", "s")
    if unit is None and number == 0:
        return 0.0
    if unit not in SECONDS:
        msg = f'"{text}" has no known unit of time'
        raise UnitError(msg, _with_unit(number, unit, SECONDS, "s"))
    seconds = number * SECONDS[unit]
    if seconds > MAX_DURATION_S:
        msg = f'"{text}" is longer than ten years'
        raise UnitError(msg)
    return seconds


def parse_size(text: object) -> int:
    """Bytes of "512B", "64KB", "1MB" or "1GB"; "0" needs no unit. Raises UnitError."""
    number, unit = _split(text, "a size", "512B, 64KB, 1MB or 1GB", "KB")
    if unit is None and number == 0:
        return 0
    if unit not in BYTES:
        msg = f'"{text}" has no known unit of size'
        raise UnitError(msg, _with_unit(number, unit, BYTES, "B"))
    size = number * BYTES[unit]
    if size > MAX_SIZE_BYTES or size != int(size):
        msg = f'"{text}" is not a whole number of bytes up to 1024 TB'
        raise UnitError(msg)
    return int(size)


def parse_rate(text: object) -> Rate:
    """Quota and window of "1000/60s". Raises UnitError."""
    found = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        msg = f"{_show(text)} is not a rate"
        raise UnitError(msg, "write requests per duration, such as 1000/60s")
    quota, window = int(found[1]), found[2]
    if window in SECONDS:
        msg = f'"{text}" does not say how many'
        raise UnitError(msg, f'write "{quota}/1{window}"')
    window_s = parse_duration(window)
    if not 0 < quota <= MAX_QUOTA or window_s <= 0:
        msg = f'"{text}" admits nothing'
        raise UnitError(msg, "write requests per duration, such as 1000/60s")
    return Rate(quota, window_s)


def parse_statuses(text: object) -> frozenset[int]:
    """The statuses of 404, "404", "2xx" or "500-503". Raises UnitError."""
    found = _STATUS.fullmatch(str(text)) if isinstance(text, (int, str)) and not isinstance(text, bool) else None
    if found is None:
        msg = f"{_show(text)} is not a status or a range of statuses"
        raise UnitError(msg, "write 404, 2xx or 500-503")
    if found[1]:
        first = int(found[1]) * 100
        return frozenset(range(first, first + 100))
    low, high = int(found[2]), int(found[3] or found[2])
    if low > high:
        msg = f'"{text}" ends before it begins'
        raise UnitError(msg, f'write "{high}-{low}"')
    return frozenset(range(low, high + 1))


def format_duration(seconds: float) -> str:
    """The shortest spelling of a duration that `parse_duration` reads back."""
    if seconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if seconds >= SECONDS[unit] and (seconds / SECONDS[unit]).is_integer():
            return f"{int(seconds / SECONDS[unit])}{unit}"
    return f"{seconds * 1000:.10g}ms"


def format_size(size: int) -> str:
    """The shortest spelling of a size that `parse_size` reads back."""
    for unit in ("GB", "MB", "KB"):
        if size and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


def _split(text: object, what: str, examples: str, unit: str) -> tuple[float, str | None]:
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if text == 0:
            return 0.0, None
        msg = f"{_show(text)} is {what} without a unit"
        raise UnitError(msg, f'write "{text}{unit}"' if text > 0 else None)
    found = _QUANTITY.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        msg = f"{_show(text)} is not {what}"
        raise UnitError(msg, f"write {examples}")
    return float(found[1]), found[2]


def _with_unit(number: float, unit: str | None, units: dict[str, float] | dict[str, int], default: str) -> str:
    shown = f"{number:g}"
    if unit:
        factor, ours = _ELSEWHERE.get(unit.lower(), (0, ""))
        if ours in units:
            return f'write "{number * factor:.10g}{ours}"; units are {", ".join(units)}'
        alike = [known for known in units if known[0].lower() == unit[0].lower()]
        if unit.lower() in ("min", "mins", "minute", "minutes"):
            alike = ["m"]
        if alike:
            return f'did you mean "{shown}{alike[-1] if len(alike) == 1 else _closest(unit, alike)}"?'
        return f"units are {', '.join(units)}"
    return f'write "{shown}{default}"; units are {", ".join(units)}'


def _closest(unit: str, alike: list[str]) -> str:
    exact = [known for known in alike if known.lower() == unit.lower()]
    return exact[0] if exact else min(alike, key=lambda known: (abs(len(known) - len(unit)), known))


def _show(text: object) -> str:
    shown = str(text)
    return f'"{shown[:60]}"' if isinstance(text, str) else f"{type(text).__name__} {shown[:60]}"
