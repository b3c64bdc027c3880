"""Who asks the Etter service: the fields that a caller sends."""

from __future__ import annotations

import datetime as dt

from etter.clock import utc_now
from etter.settings import Settings
from etter.web.auth import Role, issue_token


def bearer(
    settings: Settings, user_id: int = 42, company_id: int = 7, role: Role = "member", hours: float = 1
) -> dict[str, str]:
    """The Authorization field of a user."""
    expires_at = utc_now() + dt.timedelta(hours=hours)
    token = issue_token(settings.token_secret, user_id=user_id, company_id=company_id, role=role, expires_at=expires_at)
    return {"Authorization": f"Bearer {token}"}
