"""Tracing and error tracking: optional packages, off unless switched on."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from aiohttp.typedefs import Middleware
from sqlalchemy import Engine

from etter.settings import Settings, SettingsError

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint


@dataclass(frozen=True, slots=True)
class Extras:
    """What was switched on: middlewares to put around requests, and what to do at the end."""

    middlewares: tuple[Middleware, ...] = ()
    stops: tuple[Callable[[], object], ...] = ()

    def stop(self) -> None:
        """Send what is left and stop."""
        for stop in self.stops:
            stop()


def start_extras(settings: Settings, engine: Engine) -> Extras:
    """Start what the settings ask for; raise SettingsError when a package or an address is missing."""
    extras = Extras()
    if settings.error_tracking_enabled:
        extras = Extras(stops=(_start_sentry(settings),))
    if settings.apm_enabled:
        if settings.traces_url is None:
            raise SettingsError("APM_ENABLED needs OTLP_ENDPOINT")
        _require("opentelemetry.sdk", "otel", "APM_ENABLED")
        from etter.observe.tracing import Tracing  # noqa: PLC0415 - an optional package

        tracing = Tracing.over_http(settings.traces_url, engine, settings.environment, settings.trace_sample_rate)
        extras = Extras((tracing.middleware(),), (*extras.stops, tracing.stop))
    return extras


def _start_sentry(settings: Settings) -> Callable[[], object]:
    if not settings.sentry_dsn:
        raise SettingsError("ERROR_TRACKING_ENABLED needs SENTRY_DSN")
    _require("sentry_sdk", "sentry", "ERROR_TRACKING_ENABLED")
    import sentry_sdk  # noqa: PLC0415 - an optional package

    # Tokens and personal data stay here: no headers, no bodies, and no variables of the frames, which hold both.
    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        traces_sample_rate=settings.trace_sample_rate,
        before_send=_scrub,
        before_send_transaction=_scrub,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )
    return lambda: sentry_sdk.flush(timeout=2)


_TOLD_OF_REQUESTS = ("method", "url")


def _scrub(event: "Event", _hint: "Hint") -> "Event":
    """Leave of a request what it was and where it went: fields may be credentials, and a query names people."""
    event.pop("user", None)
    request = event.get("request")
    if request is not None:
        kept = {name: request[name] for name in _TOLD_OF_REQUESTS if name in request}
        if isinstance(url := kept.get("url"), str):
            kept["url"] = url.partition("?")[0]
        event["request"] = kept
    return event


def _require(module: str, extra: str, setting: str) -> None:
    try:
        found = find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        msg = f"{setting} needs the extra: pip install 'etter[{extra}]'"
        raise SettingsError(msg)
