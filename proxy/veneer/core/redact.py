"""What of a request's target must not stand in a log: values of query parameters that are secrets by their names."""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

SECRET_NAMES: Final = (
    "access_token", "api_key", "api-key", "apikey", "assertion", "auth", "authorization", "client_secret", "credential",
    "id_token", "jwt", "pass", "passwd", "password", "pwd", "refresh_token", "secret", "session", "session_id",
    "sessionid", "sid", "sig", "signature", "token",
)  # fmt: skip
"""Parameters whose values are masked, also behind a prefix that ends in "-", "_" or "." (as X-Amz-Signature)."""

_SECRET: Final = re.compile(
    r"(?i)((?:^|[&;?])(?:[^&;=?]*[-_.])?(?:" + "|".join(re.escape(name) for name in SECRET_NAMES) + r")=)[^&;]+"
)


def redacted(query: str) -> str:
    """`query` with the values of secrets masked: what is logged and traced, never what is forwarded or keyed."""
    return _SECRET.sub(r"\g<1>" + MASK, query)


_NAME: Final = re.compile(r"(?i)(?:^|[-_.])(?:" + "|".join(re.escape(name) for name in SECRET_NAMES) + r")$")


def is_secret_name(name: str) -> bool:
    """Whether what has this name, as a variable or a field, is taken for a secret."""
    return _NAME.search(name) is not None
