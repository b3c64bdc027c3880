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
_METRICS_PATH = "/v1/metrics"
_TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_SCHEMES = ("http://", "https://")
_LEAST_MS = 100
"""To gather metrics costs about what a scrape costs."""
_MOST_MS = 24 * 3600 * 1000
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
class MetricsTarget:
    """Where metrics are sent by OTLP over HTTP, and how often. `endpoint` is the whole address."""

    endpoint: str
    every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ObserveSettings:
    """ENABLE_METRICS, LOG_LEVEL, VENEER_NODE, and tracing and error reports where they are switched on.

    `log_level` is the standard library's number. `otlp_endpoint` is the whole address that spans are sent to, and
    `otlp_metrics` where metrics are sent, beside being shown. `service` None: OpenTelemetry's variables name it.
    `otlp_endpoint`, `otlp_metrics` and `sentry_dsn` are None while switched off. `node` is what log lines call this
    process' machine or pod; None leaves it out. With `names_instance` OpenTelemetry's instance is called so too.
    """

    metrics: bool = True
    log_level: int = logging.INFO
    otlp_endpoint: str | None = None
    sentry_dsn: str | None = None
    sampler: Sampler = Sampler()
    service: str | None = "veneer"
    node: str | None = None
    otlp_metrics: MetricsTarget | None = None
    names_instance: bool = True

    @property
    def resource(self) -> dict[str, str]:
        """What names this process to OpenTelemetry, as far as its own variables do not."""
        named = {"service.name": self.service, "service.instance.id": self.node if self.names_instance else None}
        return {name: value for name, value in named.items() if value is not None}


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
        names_instance="service.instance.id=" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", ""),
        node=environment.get("VENEER_NODE", "").strip() or None,
        otlp_metrics=_metrics_target(environment),
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


def _metrics_target(environment: Mapping[str, str]) -> MetricsTarget | None:
    """Where metrics are sent; None unless OTEL_METRICS_EXPORTER says that they are.

    Its default would be to send them to this machine: nothing leaves this proxy that nobody has asked for.
    """
    wanted = {word.strip().lower() for word in environment.get("OTEL_METRICS_EXPORTER", "").split(",")} - {""}
    unknown = wanted - {"otlp", "prometheus", "none"}
    if unknown:
        msg = f"OTEL_METRICS_EXPORTER is {min(unknown)[:40]!r}; it may be otlp, or none (/metrics is there anyhow)"
        raise ObserveSettingsError(msg)
    if "otlp" not in wanted or environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    kind = environment.get(_TEMPORALITY, "").strip().lower() or "cumulative"
    if kind != "cumulative":
        msg = f"{_TEMPORALITY} is {kind[:40]!r}; metrics are sent as cumulative alone, leave it out"
        raise ObserveSettingsError(msg)
    return MetricsTarget(_metrics_address(environment), _interval_s(environment))


def _metrics_address(environment: Mapping[str, str]) -> str:
    """As that of traces; without any, the one of the specification: this machine."""
    names = ("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    name = next((name for name in names if environment.get(name, "").strip()), names[-1])
    address = environment.get(name, "").strip() or "http://localhost:4318"
    if not address.startswith(_SCHEMES):
        msg = f"OTEL_METRICS_EXPORTER is otlp, so {name} must be an http:// or https:// address; it is {address[:80]!r}"
        raise ObserveSettingsError(msg)
    if name == "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT":
        return address
    return address.rstrip("/").removesuffix(_TRACES_PATH) + _METRICS_PATH


def _interval_s(environment: Mapping[str, str]) -> float:
    text = environment.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip() or "60000"
    if not (text.isascii() and text.isdigit() and _LEAST_MS <= int(text) <= _MOST_MS):
        msg = f"OTEL_METRIC_EXPORT_INTERVAL is {text[:40]!r}; write milliseconds, from {_LEAST_MS} to {_MOST_MS}"
        raise ObserveSettingsError(msg)
    return int(text) / 1000


def _address(environment: Mapping[str, str], switch: str, name: str) -> str | None:
    """The address that belongs to a switch, None while it is off."""
    if not _switch(environment, switch, default=False):
        return None
    address = environment.get(name, "").strip()
    if not address.startswith(_SCHEMES):
        msg = f"{switch} is on, so {name} must be an http:// or https:// address; it is {address[:80]!r}"
        raise ObserveSettingsError(msg)
    return address
