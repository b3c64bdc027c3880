"""Settings of the Etter backend: defaults, then a YAML file, then the environment, then flags."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
import yaml
from msgspec import Meta

DEVELOPMENT = "development"
DEVELOPMENT_SECRET = "etter-development-secret-never-use-it-in-production"  # noqa: S105 - public on purpose
# RFC 7518 section 3.2: a key of HS256 has at least the size of its hash.
MIN_SECRET_BYTES = 32

Count = Annotated[int, Meta(ge=1, le=10_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


# Variables whose case means nothing.
_SPELLINGS: Mapping[str, Callable[[str], str]] = {"LOG_LEVEL": str.upper, "ENVIRONMENT": str.lower}
_ADVICE = "`openssl rand -hex 32` makes a good one"
_TRACES_PATH = "/v1/traces"


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
    # Where it runs. Only `development` may run on the public secret; error tracking and traces carry the name.
    environment: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "production"
    etter_token_secret: str | None = None
    etter_dev_secret: str = DEVELOPMENT_SECRET
    etter_debug: bool = False
    etter_unoptimised: bool = False
    etter_apply_indexes: bool = False
    etter_indexes_dir: str | None = None
    etter_enrichment_urls: str = ""
    etter_enrichment_timeout: Seconds = 2.0
    etter_cors_origins: str = ""
    # How long it may take until reads notice that a user was deactivated by somebody else than this process.
    etter_standing_seconds: Annotated[float, Meta(ge=0, le=3600)] = 5.0
    etter_exports: Count = 10
    etter_exports_per_company: Count = 2
    etter_export_seconds: Seconds = 900.0
    etter_export_stall_seconds: Seconds = 30.0
    max_body_bytes: Annotated[int, Meta(ge=1024, le=100_000_000)] = 1_048_576
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    enable_metrics: bool = True
    error_tracking_enabled: bool = False
    sentry_dsn: str | None = None
    apm_enabled: bool = False
    otlp_endpoint: str | None = None
    trace_sample_rate: Annotated[float, Meta(ge=0, le=1)] | None = None

    @property
    def token_secret(self) -> str:
        """The key that signs bearer tokens. Raises SettingsError where none is set, except in development."""
        if self.etter_token_secret is not None:
            return self.etter_token_secret
        if self.environment == DEVELOPMENT:
            return self.etter_dev_secret
        msg = f"ETTER_TOKEN_SECRET is not set: {_ADVICE}. ENVIRONMENT={DEVELOPMENT} does without, on a public secret"
        raise SettingsError(msg)

    @property
    def traces_url(self) -> str | None:
        """Where spans are posted. OTLP_ENDPOINT is the collector's address, as OTEL_EXPORTER_OTLP_ENDPOINT is.

        The path of its signal comes behind it (OpenTelemetry protocol exporter, "Endpoint URLs for OTLP/HTTP").
        """
        if self.otlp_endpoint is None:
            return None
        base = self.otlp_endpoint.rstrip("/")
        return base if base.endswith(_TRACES_PATH) else base + _TRACES_PATH

    @property
    def db_workers(self) -> int:
        """Threads for database work: one for each connection that the pool may hand out."""
        return self.db_pool_size + self.db_max_overflow

    @property
    def export_places(self) -> int:
        """Exports at once: never more than half of the connections, for the others answer requests that wait."""
        return min(self.etter_exports, max(1, self.db_workers // 2))

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Browser origins that may call the API."""
        return tuple(origin for text in self.etter_cors_origins.split(",") if (origin := text.strip()))


def load_settings(
    environment: Mapping[str, str], overrides: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Merge file, environment and overrides (strongest last); raise SettingsError on the first bad value."""
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    values: dict[str, object] = _from_file(file) if file is not None else {}
    values |= {name: value for name, value in environment.items() if name in known and value != ""}
    values |= overrides or {}
    for name, spell in _SPELLINGS.items():
        if isinstance(text := values.get(name), str):
            values[name] = spell(text.strip())
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_explain(str(error))) from None
    _refuse_weak(settings)
    _refuse_relative(settings)
    return settings


def _refuse_weak(settings: Settings) -> None:
    secret = settings.etter_token_secret
    if secret is None:
        return
    if (size := len(secret.encode())) < MIN_SECRET_BYTES:
        msg = f"ETTER_TOKEN_SECRET has {size} bytes, {MIN_SECRET_BYTES} are the least: {_ADVICE}"
        raise SettingsError(msg)
    if secret == DEVELOPMENT_SECRET and settings.environment != DEVELOPMENT:
        msg = f"ETTER_TOKEN_SECRET is the public development secret: {_ADVICE}"
        raise SettingsError(msg)


def _refuse_relative(settings: Settings) -> None:
    address = settings.otlp_endpoint
    if address is None:
        return
    try:
        parts = urlsplit(address)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        whole = False
    if not whole:
        msg = f"OTLP_ENDPOINT: {address[:80]!r}: expected http://host:port or https://host:port, like http://127.0.0.1:4318"
        raise SettingsError(msg)


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
