"""Each value of a policy in force, with who said it, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from veneer.policy.load import parse_policy
from veneer.policy.settings import Overrides
from veneer.policy.sources import Sources
from veneer.policy.told_values import Origin, PolicyValue

POLICY = """\
version: 1
upstreams:
  api: {url: "http://api:8000"}
defaults:
  rate_limit: basic
  cache: {ttl: 5m}
rate_limits: {basic: {rate: 10/1s}}
routes:
  - name: one
    match: {path: /one, headers: {X-Api-Key: topsecret, X-Beta: "1"}}
    request: {set: {Authorization: "Bearer topsecret", X-Stage: live}}
    cache: {tags: [ones]}
stores: {redis: {url: "redis://user:topsecret@db:6379/0"}}
"""


def told(
    text: str = POLICY, overrides: Overrides | None = None, route: str | None = None, **env: str
) -> list[PolicyValue]:
    policy = parse_policy(text, "p.yaml", overrides or Overrides(), Sources(Path(), env))
    return list(policy.written(route))


def by_key(values: list[PolicyValue]) -> dict[str, tuple[str, Origin, str]]:
    assert len({one.key for one in values}) == len(values), "each key is told once"
    return {one.key: (one.value, one.origin, one.at) for one in values}


def test_the_file_and_defaults() -> None:
    values = by_key(told())
    assert values["upstreams.api.url"] == ("http://api:8000", Origin.FILE, ":3")
    assert values["upstreams.api.connect_timeout"] == ("2s", Origin.DEFAULT, "")
    assert values["defaults.cache.ttl"] == ("5m", Origin.FILE, ":6")
    assert values["limits.head"] == ("32KB", Origin.DEFAULT, "")
    assert values["routes[0].cache.tags"] == ('["ones"]', Origin.FILE, ":12")
    assert "routes[0].cache.ttl" not in values, "of a route only what it says itself"


def test_all_that_holds_on_one_route() -> None:
    values = by_key(told(route="one"))
    assert values["routes[0].cache.tags"] == ('["ones"]', Origin.FILE, ":12")
    assert values["routes[0].cache.ttl"] == ("5m", Origin.FILE, ":6")
    assert values["routes[0].rate_limit"] == ("basic", Origin.FILE, ":5")
    assert values["routes[0].coalesce"] == ("true", Origin.DEFAULT, "")
    assert told(route="two") == []


def test_what_variables_and_options_replace() -> None:
    given = Overrides(
        upstream_url="http://other:1", ttl_s=60.0, redis_url="redis://r:1", rate_quota=7, compress_level=3
    )
    values = by_key(
        told(overrides=given, REDIS_URL="redis://r:1", CACHE_EXPIRATION_SECONDS="60", RATE_LIMIT_REQUESTS="7")
    )
    assert values["upstreams.api.url"] == ("http://other:1", Origin.OPTION, "--upstream")
    assert values["stores.redis.url"] == ("redis://r:1", Origin.ENVIRONMENT, "REDIS_URL")
    assert values["defaults.cache.ttl"] == ("1m", Origin.ENVIRONMENT, "CACHE_EXPIRATION_SECONDS")
    assert values["rate_limits.basic.rate (quota)"] == ("7", Origin.ENVIRONMENT, "RATE_LIMIT_REQUESTS")
    route = by_key(told(overrides=given, route="one", CACHE_EXPIRATION_SECONDS="60"))
    assert route["routes[0].cache.ttl"] == ("1m", Origin.ENVIRONMENT, "CACHE_EXPIRATION_SECONDS")


def test_an_empty_policy_tells_its_defaults() -> None:
    values = by_key(told(""))
    assert {origin for _, origin, _ in values.values()} == {Origin.DEFAULT}
    assert values["stores.memory"][0] == "256MB"
    values = by_key(told("", Overrides(upstream_url="http://x:1")))
    assert values["upstreams.backend.url"] == ("http://x:1", Origin.OPTION, "--upstream")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("routes[0].match.headers", "{X-Api-Key: (not shown), X-Beta: 1}"),
        ("routes[0].request.set", "{Authorization: (not shown), X-Stage: live}"),
        ("stores.redis.url", "redis://(not shown)@db:6379/0"),
    ],
)
def test_secrets_by_their_names_and_places(key: str, shown: str) -> None:
    assert by_key(told())[key][0] == shown


def test_secrets_from_variables_and_files_and_dsns(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from-a-file")
    text = """\
version: 1
upstreams: {api: {url: "http://${HOST}:1/${APP_TOKEN}"}}
defaults: {response: {set: {X-Any: {file: pw}}}}
changes:
  db: {postgres: {dsn: "host=db password=from-dsn"}, tables: {users: ["user:{id}"]}}
  s: {stream: {key: s, redis: "redis://:from-url@h/0"}}
"""
    env = {"HOST": "api", "APP_TOKEN": "from-a-variable"}
    policy = parse_policy(text, "p.yaml", Overrides(), Sources(tmp_path, env))
    values = list(policy.written(None))
    everything = " ".join(one.value for one in values)
    assert "from-" not in everything
    assert by_key(values)["upstreams.api.url"][0] == "http://api:1/(secret)"


def test_a_long_value_is_cut() -> None:
    text = "version: 1\nwarm: [" + ", ".join(f"/{number}" for number in range(500)) + "]\n"
    value = by_key(told(text))["warm"][0]
    assert value.endswith("characters)")
    assert len(value) < 600
