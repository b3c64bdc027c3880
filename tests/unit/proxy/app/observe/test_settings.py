from __future__ import annotations

import logging

import pytest

from proxy.app.observe.settings import ObserveSettings, ObserveSettingsError, read_observe_settings


def test_nothing_is_sent_anywhere_by_default() -> None:
    assert read_observe_settings({}) == ObserveSettings(True, logging.INFO, None, None)


def test_addresses_count_only_while_switched_on() -> None:
    addresses = {"OTLP_ENDPOINT": "http://otel:4318", "SENTRY_DSN": "https://k@sentry.example/1"}
    assert read_observe_settings(addresses) == ObserveSettings()
    on = read_observe_settings(addresses | {"APM_ENABLED": "true", "ERROR_TRACKING_ENABLED": "1"})
    assert (on.otlp_endpoint, on.sentry_dsn) == ("http://otel:4318", "https://k@sentry.example/1")


def test_switches_and_level() -> None:
    assert read_observe_settings({"ENABLE_METRICS": "off", "LOG_LEVEL": "warning"}) == ObserveSettings(
        metrics=False, log_level=logging.WARNING
    )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL is 'LOUD'; it may be DEBUG"),
        ({"ENABLE_METRICS": "maybe"}, 'write "true" or "false"'),
        ({"APM_ENABLED": "true"}, "OTLP_ENDPOINT must be"),
        ({"ERROR_TRACKING_ENABLED": "true", "SENTRY_DSN": "sentry.example"}, "SENTRY_DSN must be"),
    ],
)
def test_nonsense_says_what_would_be_right(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ObserveSettingsError, match=says):
        read_observe_settings(environment)
