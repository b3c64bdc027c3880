"""Settings: where they come from, and what a bad one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from etter.settings import SettingsError, load_settings


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
    settings = load_settings({"ETTER_CORS_ORIGINS": "https://a.example,https://b.example"})
    assert settings.cors_origins == ("https://a.example", "https://b.example")
