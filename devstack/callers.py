"""Who asks the Etter service: the fields that a caller sends, and the secret by which the proxy can check them."""

from __future__ import annotations

import datetime as dt
import os

from etter.clock import utc_now
from etter.settings import DEVELOPMENT, Settings, load_settings
from etter.web.auth import Role, issue_token


def development_environment() -> dict[str, str]:
    """What lets the backend run on its public secret, unless the environment says otherwise."""
    return {"ENVIRONMENT": os.environ.get("ENVIRONMENT") or DEVELOPMENT}


def development_settings() -> Settings:
    """The settings of a backend that runs in this environment."""
    return load_settings({**os.environ, **development_environment()})


def bearer(
    settings: Settings, user_id: int = 42, company_id: int = 7, role: Role = "member", hours: float = 1
) -> dict[str, str]:
    """The Authorization field of a user."""
    expires_at = utc_now() + dt.timedelta(hours=hours)
    token = issue_token(settings.token_secret, user_id=user_id, company_id=company_id, role=role, expires_at=expires_at)
    return {"Authorization": f"Bearer {token}"}


def proxy_environment() -> dict[str, str]:
    """What the proxy has to know of the backend: the secret that signs tokens, by the name in policies.yaml."""
    return {"ETTER_TOKEN_SECRET": development_settings().token_secret}
