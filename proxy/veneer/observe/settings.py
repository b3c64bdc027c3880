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


_TRACES_PATH = "/v1/traces"
_SAMPLERS = ("always_on", "always_off", "traceidratio")


@dataclass(frozen=True, slots=True)
class Sampler:
    """Which traces are sampled: a share of those that begin here, and with `parent_based` those that came sampled.

    The share is taken by the trace ID's last 64 bits, as OpenTelemetry's TraceIdRatioBased does: services that
    sample the same share sample the same traces.
    """

    share: float = 1.0
    parent_based: bool = True

    def samples(self, trace_id: str, parent: bool | None) -> bool:
        """Whether a trace is sampled; `parent` is what the client says of it, None where it begins here."""
        if parent is not None and self.parent_based:
            return parent
        return int(trace_id[16:], 16) < round(self.share * 2**64)


@dataclass(frozen=True, slots=True)
class ObserveSettings:
    """ENABLE_METRICS, LOG_LEVEL, VENEER_NODE, and tracing and error reports where they are switched on.

    `log_level` is the standard library's number. `otlp_endpoint` is the whole address that spans
    are sent to. `service` None: OpenTelemetry's variables name it.
    `otlp_endpoint` and `sentry_dsn` are None while switched off. `node` is what log lines call this process' machine or
    pod; None leaves it out.
    """

    metrics: bool = True
    log_level: int = logging.INFO
    otlp_endpoint: str | None = None
    sentry_dsn: str | None = None
    sampler: Sampler = Sampler()
    service: str | None = "veneer"
    node: str | None = None


def read_observe_settings(environment: Mapping[str, str]) -> ObserveSettings:
    """The settings. Raises ObserveSettingsError."""
    level = environment.get("LOG_LEVEL", "").strip().upper() or "INFO"
    if level not in _LEVELS:
        msg = f"LOG_LEVEL is {level[:40]!r}; it may be {', '.join(_LEVELS)}"
        raise ObserveSettingsError(msg)
    return ObserveSettings(
        metrics=_switch(environment, "ENABLE_METRICS", default=True),
        log_level=logging.getLevelNamesMapping()[level],
        otlp_endpoint=_traces_address(environment),
        sentry_dsn=_address(environment, "ERROR_TRACKING_ENABLED", "SENTRY_DSN"),
        sampler=_sampler(environment),
        service=None if _names_service(environment) else "veneer",
        node=environment.get("VENEER_NODE", "").strip() or None,
    )


def _names_service(environment: Mapping[str, str]) -> bool:
    attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes


def _sampler(environment: Mapping[str, str]) -> Sampler:
    """The sampler by OpenTelemetry's own variables."""
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    kind = name.removeprefix("parentbased_")
    if kind not in _SAMPLERS:
        known = ", ".join(prefix + known for prefix in ("", "parentbased_") for known in _SAMPLERS)
        msg = f"OTEL_TRACES_SAMPLER is {name[:40]!r}; it may be {known}"
        raise ObserveSettingsError(msg)
    share = 0.0 if kind == "always_off" else 1.0
    if kind == "traceidratio" and (text := environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()):
        try:
            share = float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            msg = f"OTEL_TRACES_SAMPLER_ARG is {text[:40]!r}; write a share from 0 to 1"
            raise ObserveSettingsError(msg)
    return Sampler(share, parent_based=kind != name)


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name)
    if text is None:
        return default
    if text.strip().lower() not in _TRUE + _FALSE:
        msg = f'{name} is {text[:40]!r}; write "true" or "false"'
        raise ObserveSettingsError(msg)
    return text.strip().lower() in _TRUE


def _traces_address(environment: Mapping[str, str]) -> str | None:
    """Where spans are sent, path included; None where traces are off, by our switch or by OpenTelemetry's.

    OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_ENDPOINT are the collector, and /v1/traces comes after their own path;
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is used as it is (OpenTelemetry, "OTLP Exporter", Endpoint URLs for OTLP/HTTP).
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return None
    for name in ("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        if environment.get(name, "").strip():
            break
    else:
        name = "OTLP_ENDPOINT"
    address = _address(environment, "APM_ENABLED", name)
    if address is None or name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT":
        return address
    address = address.rstrip("/")
    return address if address.endswith(_TRACES_PATH) else address + _TRACES_PATH


def _address(environment: Mapping[str, str], switch: str, name: str) -> str | None:
    """The address that belongs to a switch, None while it is off."""
    if not _switch(environment, switch, default=False):
        return None
    address = environment.get(name, "").strip()
    if not address.startswith(("http://", "https://")):
        msg = f"{switch} is on, so {name} must be an http:// or https:// address; it is {address[:80]!r}"
        raise ObserveSettingsError(msg)
    return address
