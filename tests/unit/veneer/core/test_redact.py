"""Secrets in targets."""

import pytest

from veneer.core.redact import SECRET_NAMES, redacted


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("token=abc", "token=***"),
        ("a=1&access_token=abc&b=2", "a=1&access_token=***&b=2"),
        ("X-Amz-Signature=abc&X-Amz-Date=20260101", "X-Amz-Signature=***&X-Amz-Date=20260101"),
        ("TOKEN=abc;Password=x", "TOKEN=***;Password=***"),
        ("next=/a?token=abc", "next=/a?token=***"),
        ("tokens=5&author=ann&page=2&sidecar=1", "tokens=5&author=ann&page=2&sidecar=1"),
        ("token=", "token="),
        ("token", "token"),
        ("", ""),
    ],
)
def test_values_are_masked_by_name(query: str, shown: str) -> None:
    assert redacted(query) == shown


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_every_name_is_masked(name: str) -> None:
    assert redacted(f"q=1&{name}=v&r=2") == f"q=1&{name}=***&r=2"
