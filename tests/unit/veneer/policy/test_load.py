import sys
from pathlib import Path
from types import FrameType

import pytest

from veneer.core.rules import CacheRules
from veneer.policy.load import default_policy, load_policy, parse_policy
from veneer.policy.model import CompressRules
from veneer.policy.model_rates import RateKeyKind
from veneer.policy.problems import PolicyError

SAMPLE = """
version: 1
upstreams:
  etter: {url: "http://backend:7071", connect_timeout: 2s, read_timeout: 30s, health: {path: /health, every: 5s}}
rate_limits:
  per-client: {key: client_ip, rate: 1000/60s, burst: 100, on_store_loss: local_share}
defaults:
  rate_limit: per-client
  compress: {min_size: 1KB, level: 6, prefer: [br, zstd, gzip]}
routes:
  - name: master-companies
    match: {path: /api/etter/master_companies, methods: [GET, HEAD]}
    cache:
      ttl: 1h
      stale_while_revalidate: 1m
      stale_if_error: 1d
      key: {query: {only: [page, page_size, q]}, headers: [Accept-Language]}
      tags: [companies]
  - name: user-write
    match: {path: "/api/etter/users/{user_id}", methods: [PUT, PATCH, DELETE]}
    invalidates: ["user:{user_id}", "users:*"]
"""


def _stored_under(cache: str) -> str:
    policy = parse_policy(f"version: 1\nroutes: [{{name: a, match: {{path: /a}}, cache: {{{cache}}}}}]\n", "p")
    return policy.match("GET", "/a", None).route.cache.stored_under


def test_what_decides_who_shares_and_what_invalidates_tells_what_is_stored_apart() -> None:
    plain, *others = (
        _stored_under(cache)
        for cache in (
            "ttl: 1h, key: {query: {sort: true}}",
            "share_authorized: true",
            "set_cookie: store",
            "cookies: {ignore: [a]}",
            "cookies: {pass: [a]}",
            "tags: [things]",
            "tags: [other]",
        )
    )
    assert plain == ""
    assert len({plain, *others}) == 7


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "version: 1"])
def test_an_empty_file_is_a_standard_shared_cache_without_rate_limit(text: str) -> None:
    policy = parse_policy(text, "p")
    (route,) = policy.routes
    assert route.cache == CacheRules()
    assert route.compress == CompressRules()
    assert route.rate_limit is None
    assert route.tag_templates == route.invalidation_templates == ()
    assert policy.match("GET", "/anything").route is route
    assert policy.match("OPTIONS", "*").route is route


def test_default_policy_asks_the_given_upstream() -> None:
    policy = default_policy("http://10.0.0.1:9000/")
    assert policy.upstreams[policy.routes[-1].upstream].url == "http://10.0.0.1:9000"


def test_the_design_sample_becomes_objects() -> None:
    policy = parse_policy(SAMPLE, "p")
    listed, write, default = policy.routes
    assert policy.match("GET", "/api/etter/master_companies").route is listed
    assert listed.cache.ttl_s == 3600
    assert listed.cache.stale_if_error_s == 86_400
    assert listed.cache.key.query_only == frozenset({"page", "page_size", "q"})
    assert listed.cache.key.headers == ("accept-language",)
    match = policy.match("PATCH", "/api/etter/users/42")
    assert match.route is write
    assert write.invalidates(match.params) == ("user:42", "users:*")
    assert policy.match("GET", "/api/etter/users/42").route is default
    for route in policy.routes:
        assert route.rate_limit is not None
        assert route.rate_limit.limit.burst == 100
        assert route.rate_limit.key.kind is RateKeyKind.CLIENT_IP


def test_every_problem_is_reported_at_once_with_its_place() -> None:
    bad = SAMPLE.replace("ttl: 1h", "ttll: 1h").replace("[PUT,", "[put,").replace("user:{user_id}", "user:{id}")
    with pytest.raises(PolicyError) as caught:
        parse_policy(bad + "    upstream: eter\n", "p.yaml")
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (14, "routes[0].cache.ttll"),
        (20, "routes[1].match.methods[0]"),
    ]
    assert 'did you mean "ttl"?' in str(caught.value)


def test_a_ttl_under_defaults_is_for_listed_routes_only() -> None:
    policy = parse_policy("defaults: {cache: {ttl: 5m}}\nroutes: [{name: a, match: {path: /a}}]", "p")
    assert policy.match("GET", "/a").route.cache.ttl_s == 300
    assert policy.match("GET", "/b").route.cache.ttl_s is None


def test_a_missing_file_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        load_policy(tmp_path / "nothing.yaml")


def test_a_file_that_is_not_utf8_is_a_policy_error(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"version: 1\n# \xff\n")
    with pytest.raises(PolicyError, match=r"p\.yaml:2:1: not UTF-8"):
        load_policy(path)


def _calls_to_load(routes: int) -> int:
    """How many Python functions are called to read a policy of so many routes."""
    listed = "".join(
        f"  - {{name: r{number}, upstream: one, match: {{path: '/area{number}/{{id}}'}}}}\n" for number in range(routes)
    )
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parse_policy(f"version: 1\nupstreams: {{one: {{url: 'http://one:1'}}}}\nroutes:\n{listed}", "p")
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.no_cover
def test_what_it_takes_to_read_a_policy_grows_as_its_routes_do() -> None:
    assert _calls_to_load(160) < 4.8 * _calls_to_load(40)
