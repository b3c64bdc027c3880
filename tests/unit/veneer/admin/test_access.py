from __future__ import annotations

import pytest

from veneer.admin.access import AdminAccess, AdminAccessError
from veneer.core.fields import Fields

TOKEN = "0123456789abcdef"


def allowed(access: AdminAccess, **fields: str) -> bool:
    return access.allows(Fields((name.replace("_", "-"), value) for name, value in fields.items()))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert AdminAccess.for_listener(host, None).token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "proxy", "localhost.example.com", ""])
def test_elsewhere_a_token_is_needed(host: str) -> None:
    with pytest.raises(AdminAccessError, match="needs a token"):
        AdminAccess.for_listener(host, None)
    assert AdminAccess.for_listener(host, TOKEN).token == TOKEN


def test_a_short_token_is_refused() -> None:
    with pytest.raises(AdminAccessError, match="at least 16"):
        AdminAccess.for_listener("127.0.0.1", "secret")


@pytest.mark.parametrize("host", ["127.0.0.1:9090", "localhost:9090", "[::1]:9090", "LOCALHOST"])
def test_without_token_the_host_is_loopback(host: str) -> None:
    assert allowed(AdminAccess(None), Host=host)


@pytest.mark.parametrize("host", ["evil.example:9090", "127.0.0.1.evil.example", "", "[", "localhost.evil.example"])
def test_a_web_page_that_points_its_name_here_is_refused(host: str) -> None:
    assert not allowed(AdminAccess(None), Host=host)


@pytest.mark.parametrize("value", [f"Bearer {TOKEN}", f"bearer  {TOKEN}"])
def test_the_token_opens(value: str) -> None:
    assert allowed(AdminAccess(TOKEN), Host="any", Authorization=value)


@pytest.mark.parametrize(
    "value", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer \xff", f"Bearer {TOKEN[:-1]}"]
)
def test_anything_else_does_not(value: str) -> None:
    assert not allowed(AdminAccess(TOKEN), Host="localhost", Authorization=value)
