"""The product on its real parts: Etter on PostgreSQL, two proxies that share one Redis."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import msgspec
import pytest

from devstack.backend import BackendServer, token
from devstack.callers import proxy_environment
from devstack.process import wait_until
from devstack.proxy import SHIPPED_POLICIES, ProxyOptions, ProxyServer
from devstack.redis import NO_REDIS, RedisServer, find_redis_binary
from tests.support.client import Answer, fetch
from tests.support.codings import decode
from tests.support.stack_fixtures import starting_proxies, starting_redis
from veneer.core.codings import CODINGS
from veneer.policy.load import load_policy
from veneer.policy.settings import Overrides

COMPANIES = "/api/etter/master_companies?page_size=2"
USERS = "/api/etter/users"
USER = "/api/etter/users/42"


@dataclass(frozen=True, slots=True)
class Etter:
    """Two proxies in front of one backend, and the token of one user."""

    one: ProxyServer
    two: ProxyServer
    backend: BackendServer
    redis: RedisServer
    bearer: str

    def identity(self) -> dict[str, str]:
        # One host for both proxies, as behind a load balancer: stored responses are found by host as well.
        return {"Host": "etter.test", "Authorization": f"Bearer {self.bearer}"}

    def get(self, proxy: ProxyServer, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return fetch(proxy.url + path, headers={**self.identity(), **(headers or {})})

    def patch(self, proxy: ProxyServer, path: str, value: Mapping[str, object]) -> Answer:
        headers = {**self.identity(), "Content-Type": "application/json"}
        return fetch(proxy.url + path, "PATCH", headers=headers, body=msgspec.json.encode(value))


@contextmanager
def _etter(backend: BackendServer, directory: Path, env: dict[str, str]) -> Iterator[Etter]:
    with starting_redis(directory) as new_redis, starting_proxies(directory) as new_proxy:
        redis = new_redis()
        options = ProxyOptions(
            upstream=backend.url, policies=SHIPPED_POLICIES, redis_url=redis.url, env=proxy_environment() | env
        )
        yield Etter(new_proxy(options), new_proxy(options), backend, redis, token(42, 7, directory))


@pytest.fixture(scope="module")
def running(backend_server: BackendServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etter]:
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    # The one test of the limit has proxies of its own; the others ask as often as they like.
    with _etter(backend_server, tmp_path_factory.mktemp("etter"), {"RATE_LIMIT_REQUESTS": "1000000"}) as etter:
        yield etter


@pytest.fixture
def etter(running: Etter) -> Etter:
    """The stack with nothing stored."""
    running.one.purge({"everything": True})
    return running


def test_miss_then_hit_also_in_the_other_proxy(etter: Etter) -> None:
    first = etter.get(etter.one, COMPANIES)
    second = etter.get(etter.one, COMPANIES)
    third = etter.get(etter.two, COMPANIES)
    assert (first.status, second.status, third.status) == (200, 200, 200)
    assert "fwd=uri-miss" in (first.header("Cache-Status") or ""), first.headers
    assert (first.hit, second.hit) == (False, True)
    # Each answer of the backend bears its own time. The other proxy may wait for what is still on its way to Redis.
    assert first.body == second.body == third.body


def test_a_write_is_seen_at_once_through_both_proxies(etter: Etter) -> None:
    for number, (writer, other) in enumerate([(etter.one, etter.two), (etter.two, etter.one)] * 5):
        etter.get(writer, USER)
        etter.get(other, USER)
        assert etter.get(other, USER).hit
        name = f"Name Number {'abcdefghij'[number]}"
        assert etter.patch(writer, USER, {"name": name}).status == 200
        for proxy in (writer, other):
            answer = etter.get(proxy, USER)
            assert name.encode() in answer.body, (number, answer)


def test_not_modified(etter: Etter) -> None:
    first = etter.get(etter.one, COMPANIES)
    tag = first.header("ETag")
    assert tag is not None
    again = etter.get(etter.one, COMPANIES, {"If-None-Match": tag})
    assert (again.status, again.body, again.header("ETag")) == (304, b"", tag)
    assert etter.get(etter.two, COMPANIES, {"If-None-Match": tag}).status == 304
    assert etter.get(etter.one, COMPANIES, {"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_decodes_to_the_same_bytes(etter: Etter, coding: str) -> None:
    plain = etter.get(etter.one, USERS, {"Accept-Encoding": "identity"})
    assert plain.header("Content-Encoding") is None
    for _ in ("compressed now", "kept with the entry"):
        coded = etter.get(etter.one, USERS, {"Accept-Encoding": coding})
        assert coded.header("Content-Encoding") == coding
        assert "accept-encoding" in (coded.header("Vary") or "").lower()
        assert decode(coding, coded.body) == plain.body
        assert len(coded.body) < len(plain.body) * 0.4
        assert coded.header("ETag") != plain.header("ETag")


def test_the_request_after_the_last_allowed_one_is_refused(backend_server: BackendServer, tmp_path: Path) -> None:
    if find_redis_binary() is None:
        pytest.skip(NO_REDIS)
    # The shipped limit is a thousand a minute; one that refills slowly is the same at any speed of the machine.
    with _etter(backend_server, tmp_path, {"RATE_LIMIT_REQUESTS": "100", "RATE_LIMIT_WINDOW": "6000"}) as etter:
        answers = [etter.get(etter.one, COMPANIES) for _ in range(100)]
        assert {one.status for one in answers} == {200}
        # The limit is shared: the other proxy refuses as well, and what is stored does not get around it.
        for proxy in (etter.one, etter.two):
            refused = etter.get(proxy, COMPANIES)
            assert refused.status == 429
            assert int(refused.header("Retry-After") or 0) >= 1
            assert refused.header("RateLimit") is not None
            assert (refused.header("Content-Type") or "").startswith("application/problem+json")
            assert b'"status":429' in refused.body.replace(b" ", b"")


def test_the_shipped_limit_is_a_thousand_a_minute() -> None:
    policy = load_policy(SHIPPED_POLICIES, Overrides())
    rule = policy.match("GET", "/api/etter/master_companies").route.rate_limit
    assert rule is not None
    assert (rule.limit.quota, rule.limit.window_s) == (1000, 60)


def test_the_same_request_id_everywhere(etter: Etter) -> None:
    wanted = "order-66.from:a-test"
    answer = etter.get(etter.one, "/api/etter/companies/7", {"X-Request-ID": wanted})
    assert answer.header("X-Request-ID") == wanted

    def logged(lines: list[str]) -> bool:
        return any(wanted in line for line in lines)

    assert wait_until(lambda: logged(etter.one.process.log_lines()), timeout_s=5)
    assert wait_until(lambda: logged(etter.backend.process.log_lines()), timeout_s=5)
    made = etter.get(etter.one, "/api/etter/companies/7").header("X-Request-ID")
    assert made
    assert made != wanted


def test_a_purge_by_tag_over_the_admin_port_reaches_both(etter: Etter) -> None:
    for proxy in (etter.one, etter.two):
        etter.get(proxy, COMPANIES)
        assert etter.get(proxy, COMPANIES).hit
    receipt = etter.one.purge({"tags": ["companies"]})
    assert receipt["position"]
    fetched = etter.get(etter.two, COMPANIES)
    assert not fetched.hit
    # What the second proxy fetched after the purge is good for the first one as well, which waits for it where it is
    # still on its way to Redis. Each answer of the backend bears its own time.
    assert etter.get(etter.one, COMPANIES).body == fetched.body


def test_redis_dies_and_returns_under_traffic_without_a_failed_request(etter: Etter) -> None:
    answers: list[Answer | Exception] = []
    done = threading.Event()

    def keep_asking(proxy: ProxyServer, numbers: Iterator[int]) -> None:
        while not done.is_set():
            number = next(numbers)
            path = f"{COMPANIES}&page={number % 4 + 1}" if number % 2 else f"/api/etter/users/{37 + number % 6}"
            try:
                answers.append(etter.get(proxy, path))
            except OSError as error:
                answers.append(error)

    def more_answers(how_many: int) -> bool:
        goal = len(answers) + how_many
        return wait_until(lambda: len(answers) >= goal, timeout_s=20)

    threads = [threading.Thread(target=keep_asking, args=(proxy, count())) for proxy in (etter.one, etter.two)]
    for thread in threads:
        thread.start()
    try:
        assert more_answers(50)
        etter.redis.kill()
        assert more_answers(100)
        etter.redis.restart()
        assert more_answers(100)
    finally:
        done.set()
        for thread in threads:
            thread.join(30)
    failed = [one for one in answers if isinstance(one, Exception) or one.status >= 500]
    assert failed == []
    # Without a restart of theirs, both work together again: a write through one is seen through the other.
    assert wait_until(lambda: _shares_again(etter), timeout_s=20, every_s=0.2)
    assert etter.patch(etter.one, USER, {"name": "After The Storm"}).status == 200
    assert b"After The Storm" in etter.get(etter.two, USER).body


def _shares_again(etter: Etter) -> bool:
    etter.one.purge({"tags": ["companies"]})
    first = etter.get(etter.one, COMPANIES)
    return not first.hit and etter.get(etter.two, COMPANIES).hit
