import datetime as dt
import re
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from etter.app import route_table
from etter.web.auth import Caller
from etter.web.caching import CacheAdvice, Sharing, cache_headers
from veneer.policy.decode import decode
from veneer.policy.document import read_document
from veneer.policy.load import load_policy, parse_policy
from veneer.policy.model import Policy
from veneer.policy.problems import PolicyError

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
        if route.name in ("health", "api-health"):
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


def test_a_ttl_of_the_operator_s_leaves_what_the_backend_says_and_the_file_shows_it() -> None:
    """The tests in the file hold for responses as the Etter backend sends them, whatever the ttl beside them is."""
    text = SHIPPED.read_text("utf-8")
    told = "methods: [GET]}\n    cache: {ttl: 1h, tags: [companies]}"
    assert told in text
    with pytest.raises(PolicyError) as failed:
        parse_policy(text.replace(told, told.replace("1h", "10s")), "p")
    (problem,) = failed.value.problems  # that of the response without fields: the real one is fresh for an hour
    assert "fresh for 10s, by the route's ttl" in problem.message


def test_what_concerns_a_company_is_shared_by_its_company_and_role(policy: Policy) -> None:
    for path in ("users", "users/42", "workflows/3", "history", "documents", "get_chro_data", "companies/7"):
        assert policy.match("GET", f"/api/etter/{path}").route.cache.shared_by == ("company", "role"), path
    for path in ("master_companies", "workflows", "role_adjacency"):
        assert policy.match("GET", f"/api/etter/{path}").route.cache.shared_by == (), path
    assert policy.match("GET", "/api/etter/projects").route.cache.shared_by == ("user",)


def test_the_lifetimes_are_those_that_the_backend_means(policy: Policy) -> None:
    """To caches it names none, so that those of this file count."""
    shared = [
        route for route in route_table(MagicMock(), MagicMock(), MagicMock()) if route.advice.sharing is Sharing.COMPANY
    ]
    assert len(shared) > 8
    for route in shared:
        found = policy.match(route.method, re.sub(r"{\w+}", "7", route.path), "type=user").route
        assert found.cache.ttl_s == route.advice.shared_seconds, route.path


def test_the_responses_in_the_file_are_those_of_the_backend() -> None:
    document = read_document(SHIPPED.read_text("utf-8"), "p")
    tests = [test for test in decode(document).shape.tests if "s-maxage" in str(test.response.headers)]
    assert len(tests) >= 3
    for test in tests:
        advice = CacheAdvice(Sharing.REFERENCE, int(test.expect.ttl or 0))
        member = Caller(1, 7, "member", dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
        assert cache_headers(advice, member, (), ()) == test.response.headers
