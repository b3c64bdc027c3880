from pathlib import Path

import pytest

from proxy.policy.load import load_policy
from proxy.policy.model import Policy

SHIPPED = Path(__file__).parents[4] / "policies.yaml"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy(SHIPPED)


@pytest.mark.parametrize(
    ("target", "ttl_s"),
    [
        ("/api/etter/master_companies", 3600),
        ("/api/etter/companies/7", 3600),
        ("/api/etter/auto_complete?type=user&q=a", 300),
        ("/api/etter/auto_complete?type=task&q=a", 600),
        ("/api/etter/workflows/3", 1800),
        ("/api/etter/role_adjacency", 86_400),
        ("/api/etter/users", 300),
    ],
)
def test_the_lifetimes_of_the_requirements(policy: Policy, target: str, ttl_s: float) -> None:
    path, _, query = target.partition("?")
    assert policy.match("GET", path, query or None).route.cache.ttl_s == ttl_s


def test_every_client_has_a_thousand_requests_a_minute(policy: Policy) -> None:
    for route in policy.routes:
        if route.name in ("health", "health-detailed"):
            assert route.rate_limit is None
        else:
            assert route.rate_limit is not None
            assert (route.rate_limit.limit.quota, route.rate_limit.limit.window_s) == (1000, 60)


def test_a_write_reaches_every_page_that_shows_users(policy: Policy) -> None:
    write = policy.match("PATCH", "/api/etter/users/42")
    invalidated = set(write.route.invalidates(write.params))
    for path in ("users", "users/42", "workflows/3", "history", "projects", "get_chro_data", "companies/7"):
        read = policy.match("GET", f"/api/etter/{path}")
        assert invalidated & set(read.route.tags(read.params)), path


def test_no_route_shares_answers_to_authorised_requests_of_its_own_accord(policy: Policy) -> None:
    assert not any(route.cache.share_authorized for route in policy.routes)
