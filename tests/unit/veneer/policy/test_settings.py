import pytest

from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError
from veneer.policy.settings import Overrides, read_environment

FILE = """
upstreams: {a: {url: "http://a"}, b: {url: "http://b"}}
rate_limits: {few: {rate: 10/1s, burst: 5}}
defaults: {rate_limit: few, cache: {ttl: 1m}, compress: {level: 3, min_size: 2KB}}
stores: {redis: {url: "redis://file", max_connections: 3}}
routes:
  - {name: own, match: {path: /own}, cache: {ttl: 2m}, compress: {level: 4, prefer: [br, gzip]}}
  - {name: plain, match: {path: /plain}}
"""


def test_what_a_route_says_is_stronger_than_the_environment_and_that_than_defaults() -> None:
    environment = {"CACHE_EXPIRATION_SECONDS": "300", "COMPRESSION_LEVEL": "9", "COMPRESSION_MIN_SIZE": "500"}
    policy = parse_policy(FILE, "p", read_environment(environment))
    own, plain = policy.match("GET", "/own").route, policy.match("GET", "/plain").route
    assert (own.cache.ttl_s, own.compress.level, own.compress.coding.min_bytes) == (120, 4, 500)
    assert (plain.cache.ttl_s, plain.compress.level, plain.compress.coding.min_bytes) == (300, 9, 500)


def test_flags_are_stronger_than_the_environment() -> None:
    environment = read_environment({"RATE_LIMIT_REQUESTS": "7", "REDIS_URL": "redis://env"})
    overrides = Overrides(upstream_url="http://flag", rate_quota=8).over(environment)
    policy = parse_policy(FILE, "p", overrides)
    assert policy.upstreams["a"].url == "http://flag"
    assert policy.upstreams["b"].url == "http://b"
    assert policy.rate_limits["few"].limit.quota == 8
    assert policy.stores.redis_url == "redis://env"
    assert policy.stores.redis_max_connections == 3


def test_brotli_can_be_taken_out_of_every_route() -> None:
    policy = parse_policy(FILE, "p", read_environment({"USE_BROTLI": "false"}))
    for route in policy.routes:
        assert "br" not in route.compress.coding.prefer
        assert "br" not in route.cache.codings


def test_the_rate_of_the_default_limit_can_be_changed() -> None:
    overrides = read_environment({"RATE_LIMIT_REQUESTS": "3", "RATE_LIMIT_WINDOW": "20"})
    (rule,) = parse_policy(FILE, "p", overrides).rate_limits.values()
    assert (rule.limit.name, rule.limit.quota, rule.limit.window_s, rule.limit.burst) == ("few", 3, 20, 3)


def test_a_rate_without_a_default_limit_makes_one_for_every_route() -> None:
    policy = parse_policy("", "p", read_environment({"RATE_LIMIT_REQUESTS": "1000"}))
    rule = policy.match("GET", "/").route.rate_limit
    assert rule is not None
    assert (rule.limit.quota, rule.limit.window_s) == (1000, 60)


def test_an_empty_environment_changes_nothing() -> None:
    assert read_environment({"REDIS_URL": " ", "OTHER": "1"}) == Overrides()
    assert parse_policy(FILE, "p").version_digest != parse_policy(FILE, "p", Overrides(ttl_s=1)).version_digest


def test_every_bad_variable_is_reported() -> None:
    environment = {
        "COMPRESSION_LEVEL": "99",
        "USE_BROTLI": "maybe",
        "RATE_LIMIT_WINDOW": "-1",
        "RATE_LIMIT_REQUESTS": "x",
    }
    with pytest.raises(PolicyError) as caught:
        read_environment(environment)
    assert {problem.key for problem in caught.value.problems} == set(environment)


def test_a_bad_upstream_flag_is_reported_as_such() -> None:
    with pytest.raises(PolicyError, match=r"--upstream nonsense: "):
        parse_policy("", "p", Overrides(upstream_url="nonsense"))


def test_a_redis_that_is_no_url_names_who_said_it() -> None:
    with pytest.raises(PolicyError, match='--redis or REDIS_URL: "localhost:6379" is not a Redis URL; write "redis://'):
        parse_policy("", "p", Overrides(redis_url="localhost:6379"))
