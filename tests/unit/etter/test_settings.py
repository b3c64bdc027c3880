"""Settings: where they come from, and what a bad one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from etter.settings import DEVELOPMENT_SECRET, SettingsError, load_settings


def test_defaults_are_those_of_the_requirements() -> None:
    settings = load_settings({})
    assert (settings.db_pool_size, settings.db_max_overflow, settings.db_pool_timeout) == (20, 40, 30.0)
    assert (settings.db_pool_recycle, settings.db_query_timeout, settings.db_connect_timeout) == (3600.0, 30.0, 10)
    assert settings.db_workers == 60


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "etter.yaml"
    file.write_text("DB_POOL_SIZE: 1\ndb_max_overflow: 1\nlog_level: DEBUG\n", encoding="utf-8")
    environment = {"DB_MAX_OVERFLOW": "2", "LOG_LEVEL": "ERROR", "PATH": "/bin", "SENTRY_DSN": ""}
    settings = load_settings(environment, {"LOG_LEVEL": "WARNING"}, file)
    assert (settings.db_pool_size, settings.db_max_overflow, settings.log_level) == (1, 2, "WARNING")
    assert settings.sentry_dsn is None


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ({"DB_POOL_SIZE": "0"}, "DB_POOL_SIZE: Expected `int` >= 1"),
        ({"DB_POOL_SIZE": "many"}, "DB_POOL_SIZE"),
        ({"LOG_LEVEL": "LOUD"}, "LOG_LEVEL"),
        ({"ENVIRONMENT": "a b"}, "ENVIRONMENT"),
        ({"TRACE_SAMPLE_RATE": "2"}, "TRACE_SAMPLE_RATE"),
        ({"ETTER_TOKEN_SECRET": "a"}, "ETTER_TOKEN_SECRET has 1 bytes, 32 are the least"),
        ({"ETTER_TOKEN_SECRET": ""}, "ETTER_TOKEN_SECRET has 0 bytes"),
        ({"ETTER_TOKEN_SECRET": "x" * 31, "ENVIRONMENT": "development"}, "ETTER_TOKEN_SECRET has 31 bytes"),
        ({"ETTER_TOKEN_SECRET": DEVELOPMENT_SECRET}, "ETTER_TOKEN_SECRET is the public development secret"),
        ({"OTLP_ENDPOINT": "collector:4318"}, "OTLP_ENDPOINT: 'collector:4318': expected http://"),
        ({"OTLP_ENDPOINT": "//collector:4318"}, "OTLP_ENDPOINT"),
        ({"OTLP_ENDPOINT": "http://"}, "OTLP_ENDPOINT"),
        ({"OTLP_ENDPOINT": "http://[::1"}, "OTLP_ENDPOINT"),
        ({"DB_POOLSIZE": "3"}, "DB_POOLSIZE"),
    ],
)
def test_a_bad_setting_is_named(overrides: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load_settings({}, overrides)


@pytest.mark.parametrize("content", ["- a\n", "a: [\n"])
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "etter.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"etter\.yaml"):
        load_settings({}, file=file)
    with pytest.raises(SettingsError, match=r"missing\.yaml"):
        load_settings({}, file=tmp_path / "missing.yaml")


def test_origins_are_a_list() -> None:
    settings = load_settings({"ETTER_CORS_ORIGINS": " https://a.example, https://b.example ,"})
    assert settings.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("given", [{}, {"ETTER_TOKEN_SECRET": ""}, {"ENVIRONMENT": "staging"}])
def test_outside_of_development_there_is_no_key_but_ones_own(given: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="ETTER_TOKEN_SECRET is not set"):
        _ = load_settings(given).token_secret
    own = load_settings({**given, "ETTER_TOKEN_SECRET": "s" * 32})
    assert own.token_secret == "s" * 32


def test_development_runs_on_the_public_key() -> None:
    assert load_settings({"ENVIRONMENT": "Development"}).token_secret == DEVELOPMENT_SECRET


def test_the_level_of_the_log_may_be_written_small() -> None:
    assert load_settings({"LOG_LEVEL": " info"}).log_level == "INFO"


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/", "https://collector/otlp/v1/traces"),
        ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        (None, None),
    ],
)
def test_spans_go_to_the_path_of_traces(endpoint: str | None, url: str | None) -> None:
    given = {} if endpoint is None else {"OTLP_ENDPOINT": endpoint}
    assert load_settings(given).traces_url == url
