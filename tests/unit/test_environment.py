"""Every setting that the requirements list by its environment variable is read, by the proxy, the backend, or both."""

from __future__ import annotations

import pytest

from etter.settings import load_settings
from veneer.observe.settings import read_observe_settings
from veneer.policy.settings import read_environment

BACKEND = {
    "DB_POOL_SIZE": "7",
    "DB_MAX_OVERFLOW": "9",
    "DB_POOL_TIMEOUT": "2.5",
    "DB_POOL_RECYCLE": "60",
    "DB_QUERY_TIMEOUT": "4",
    "LOG_LEVEL": "ERROR",
    "ENABLE_METRICS": "false",
    "ERROR_TRACKING_ENABLED": "true",
    "SENTRY_DSN": "https://key@sentry.example/1",
    "APM_ENABLED": "true",
    "OTLP_ENDPOINT": "http://collector.example:4318",
}
POLICY = {
    "REDIS_URL": "redis://store.example/0",
    "REDIS_MAX_CONNECTIONS": "5",
    "CACHE_EXPIRATION_SECONDS": "17",
    "COMPRESSION_MIN_SIZE": "2048",
    "COMPRESSION_LEVEL": "3",
    "USE_BROTLI": "false",
    "RATE_LIMIT_REQUESTS": "11",
    "RATE_LIMIT_WINDOW": "13",
}
OBSERVED: dict[str, dict[str, str]] = {"LOG_LEVEL": {}, "ENABLE_METRICS": {}} | {
    switch: {address: BACKEND[address]}
    for switch, address in (("ERROR_TRACKING_ENABLED", "SENTRY_DSN"), ("APM_ENABLED", "OTLP_ENDPOINT"))
}


@pytest.mark.parametrize("name", sorted(BACKEND))
def test_the_backend_reads_it(name: str) -> None:
    before, after = load_settings({}), load_settings({name: BACKEND[name]})
    attribute = name.lower()
    assert getattr(after, attribute) != getattr(before, attribute)
    assert str(getattr(after, attribute)).lower() in {BACKEND[name].lower(), f"{BACKEND[name]}.0"}


@pytest.mark.parametrize("name", sorted(POLICY))
def test_the_proxy_reads_it(name: str) -> None:
    assert read_environment({name: POLICY[name]}) != read_environment({})


@pytest.mark.parametrize("name", sorted(OBSERVED))
def test_the_proxy_observes_it(name: str) -> None:
    along = OBSERVED[name]
    assert read_observe_settings({name: BACKEND[name], **along}) != read_observe_settings(along)
