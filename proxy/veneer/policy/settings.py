"""Overrides from the environment and the command line.

Precedence, strongest first: what a route itself says; flags; environment; `defaults` of the file; built-in defaults.
`REDIS_URL`, `REDIS_MAX_CONNECTIONS` and the upstream's URL replace what the file says. `USE_BROTLI=false` removes
Brotli from every route, for it says what this installation must not do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from veneer.policy.problems import ConfigError, PolicyError
from veneer.policy.units import UnitError, parse_duration, parse_size

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


@dataclass(frozen=True, slots=True)
class Overrides:
    """What replaces the file's `defaults`; None leaves them alone."""

    upstream_url: str | None = None
    ttl_s: float | None = None
    compress_min_size_bytes: int | None = None
    compress_level: int | None = None
    use_brotli: bool | None = None
    rate_quota: int | None = None
    rate_window_s: float | None = None
    redis_url: str | None = None
    redis_max_connections: int | None = None

    def over(self, weaker: Overrides) -> Overrides:
        """These overrides, and where they are silent those of `weaker`: flags over the environment."""
        named = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return replace(weaker, **named)


NO_OVERRIDES = Overrides()


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable the policy understands; `field` is the override it sets."""

    name: str
    field: str
    parse: Callable[[str], Any]
    meaning: str


def read_environment(environment: Mapping[str, str]) -> Overrides:
    """The overrides that the environment holds. Raises PolicyError naming every bad variable."""
    values: dict[str, Any] = {}
    problems: list[ConfigError] = []
    for variable in VARIABLES:
        text = environment.get(variable.name, "").strip()
        if not text:
            continue
        try:
            values[variable.field] = variable.parse(text)
        except UnitError as error:
            problems.append(ConfigError(0, 0, variable.name, str(error), error.suggestion))
    if problems:
        raise PolicyError("environment", problems)
    return Overrides(**values)


def _count(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            msg = f'"{text[:40]}" is not a whole number from {low} to {high}'
            raise UnitError(msg)
        return int(text)

    return parse


def _seconds(text: str) -> float:
    """A bare number is seconds here, as the names of these variables promise."""
    seconds = parse_duration(f"{text}s" if text.replace(".", "", 1).isdigit() else text)
    if seconds <= 0:
        msg = f'"{text[:40]}" must be more than nothing'
        raise UnitError(msg)
    return seconds


def _bytes(text: str) -> int:
    return parse_size(f"{text}B" if text.isdigit() else text)


def _switch(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        msg = f'"{text[:40]}" is not a switch'
        raise UnitError(msg, 'write "true" or "false"')
    return text.lower() in _TRUE


def _url(text: str) -> str:
    return text


VARIABLES = (
    Variable(
        "CACHE_EXPIRATION_SECONDS",
        "ttl_s",
        _seconds,
        "`defaults.cache.ttl`; like that it does nothing where a route has a `ttl` or a response its own lifetime",
    ),
    Variable("COMPRESSION_MIN_SIZE", "compress_min_size_bytes", _bytes, "`defaults.compress.min_size`, in bytes"),
    Variable("COMPRESSION_LEVEL", "compress_level", _count(1, 11), "`defaults.compress.level`"),
    Variable("USE_BROTLI", "use_brotli", _switch, "`false` takes `br` out of every route's `compress.prefer`"),
    Variable("RATE_LIMIT_REQUESTS", "rate_quota", _count(1, 10**9), "requests of the limit that `defaults` names"),
    Variable("RATE_LIMIT_WINDOW", "rate_window_s", _seconds, "window of that limit, in seconds"),
    Variable("REDIS_URL", "redis_url", _url, "`stores.redis.url`"),
    Variable("REDIS_MAX_CONNECTIONS", "redis_max_connections", _count(1, 10_000), "`stores.redis.max_connections`"),
)
