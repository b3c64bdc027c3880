"""Settings of the Etter backend: defaults, then a YAML file, then the environment, then flags."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import yaml
from msgspec import Meta

DEVELOPMENT_SECRET = "etter-development-secret-never-use-it-in-production"  # noqa: S105 - public on purpose

Count = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class SettingsError(ValueError):
    """A setting is unknown or out of its bounds; the text names it and says what would be right."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename=str.upper):
    """Every knob of the backend. Names are the environment variables in lower case."""

    database_url: Annotated[str, Meta(min_length=1)] = "postgresql://postgres@127.0.0.1:5432/postgres"
    db_pool_size: Count = 20
    db_max_overflow: Annotated[int, Meta(ge=0, le=10_000)] = 40
    db_pool_timeout: Seconds = 30.0
    db_pool_recycle: Seconds = 3600.0
    db_query_timeout: Seconds = 30.0
    db_connect_timeout: Annotated[int, Meta(ge=1, le=300)] = 10
    db_application_name: Annotated[str, Meta(pattern=r"^[\w.-]{1,48}$")] = "etter"
    db_max_waiting: Count = 2000
    slow_query_seconds: Seconds = 1.0
    etter_token_secret: str | None = None
    etter_dev_secret: str = DEVELOPMENT_SECRET
    etter_debug: bool = False
    etter_unoptimised: bool = False
    etter_apply_indexes: bool = False
    etter_indexes_dir: str | None = None
    etter_enrichment_urls: str = ""
    etter_enrichment_timeout: Seconds = 2.0
    etter_cors_origins: str = ""
    max_body_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)] = 1_048_576
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    enable_metrics: bool = True
    error_tracking_enabled: bool = False
    sentry_dsn: str | None = None
    apm_enabled: bool = False
    otlp_endpoint: str | None = None

    @property
    def token_secret(self) -> str:
        """The key that signs bearer tokens; the development one unless a real one is set."""
        return self.etter_token_secret or self.etter_dev_secret

    @property
    def db_workers(self) -> int:
        """Threads for database work: one for each connection that the pool may hand out."""
        return self.db_pool_size + self.db_max_overflow

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Browser origins that may call the API."""
        return tuple(origin for origin in self.etter_cors_origins.split(",") if origin)


def load_settings(
    environment: Mapping[str, str], overrides: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Merge file, environment and overrides (strongest last); raise SettingsError on the first bad value."""
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    values: dict[str, object] = _from_file(file) if file is not None else {}
    values |= {name: value for name, value in environment.items() if name in known and value != ""}
    values |= overrides or {}
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error))) from None


def _from_file(file: Path) -> dict[str, object]:
    try:
        loaded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        msg = f"settings file {file}: {error}"
        raise SettingsError(msg) from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        msg = f"settings file {file}: expected names and values, like `DB_POOL_SIZE: 20`"
        raise SettingsError(msg)
    return {str(name).upper(): value for name, value in loaded.items()}


def _explain(message: str) -> str:
    problem, _, path = message.partition(" - at `$.")
    return f"{path.rstrip('`')}: {problem}" if path else problem
