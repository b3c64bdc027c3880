"""What responses tell caches."""

from __future__ import annotations

import datetime as dt

import http_sf
import pytest

from etter.web.auth import Caller, Role
from etter.web.caching import CacheAdvice, Sharing, cache_headers, group_list

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def caller(role: Role = "member") -> Caller:
    return Caller(42, 7, role, NOW)


@pytest.mark.parametrize(
    ("sharing", "who", "control"),
    [
        (Sharing.REFERENCE, caller(), "public, max-age=0, s-maxage=60"),
        (Sharing.COMPANY, caller(), None),
        (Sharing.COMPANY, caller("platform"), "private, no-cache"),
        (Sharing.COMPANY, None, "private, no-cache"),
        (Sharing.PERSONAL, caller(), "private, no-cache"),
        (Sharing.NOBODY, caller(), "no-store"),
    ],
)
def test_who_may_share(sharing: Sharing, who: Caller | None, control: str | None) -> None:
    headers = cache_headers(CacheAdvice(sharing, 60), who, (), ())
    assert headers.get("Cache-Control") == control


def test_groups_are_a_list_of_strings() -> None:
    parsed = http_sf.parse(group_list(("user:42", "users")).encode(), tltype="list")
    assert isinstance(parsed, list)
    assert [member[0] if isinstance(member, tuple) else member for member in parsed] == ["user:42", "users"]
