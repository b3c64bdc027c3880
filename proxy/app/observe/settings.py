"""What is observed, from the environment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class ObserveSettingsError(ValueError):
    """A variable, or two together, make no sense; the text says which and what would be right."""


@dataclass(frozen=True, slots=True)
class ObserveSettings:
    """ENABLE_METRICS, LOG_LEVEL, APM_ENABLED with OTLP_ENDPOINT, ERROR_TRACKING_ENABLED with SENTRY_DSN.

    `log_level` is the standard library's number. `otlp_endpoint` and `sentry_dsn` are None while switched off.
    """

    metrics: bool = True
    log_level: int = logging.INFO
    otlp_endpoint: str | None = None
    sentry_dsn: str | None = None


def read_observe_settings(environment: Mapping[str, str]) -> ObserveSettings:
    """The settings. Raises ObserveSettingsError."""
    level = environment.get("LOG_LEVEL", "").strip().upper() or "INFO"
    if level not in _LEVELS:
        msg = f"LOG_LEVEL is {level[:40]!r}; it may be {', '.join(_LEVELS)}"
        raise ObserveSettingsError(msg)
    return ObserveSettings(
        metrics=_switch(environment, "ENABLE_METRICS", default=True),
        log_level=logging.getLevelNamesMapping()[level],
        otlp_endpoint=_address(environment, "APM_ENABLED", "OTLP_ENDPOINT"),
        sentry_dsn=_address(environment, "ERROR_TRACKING_ENABLED", "SENTRY_DSN"),
    )


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name)
    if text is None:
        return default
    if text.strip().lower() not in _TRUE + _FALSE:
        msg = f'{name} is {text[:40]!r}; write "true" or "false"'
        raise ObserveSettingsError(msg)
    return text.strip().lower() in _TRUE


def _address(environment: Mapping[str, str], switch: str, name: str) -> str | None:
    """The address that belongs to a switch, None while it is off."""
    if not _switch(environment, switch, default=False):
        return None
    address = environment.get(name, "").strip()
    if not address.startswith(("http://", "https://")):
        msg = f"{switch} is on, so {name} must be an http:// or https:// address; it is {address[:80]!r}"
        raise ObserveSettingsError(msg)
    return address
