"""The benchmark's requests: within the weights, valid for their users, and counted rightly."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.etter.figures import by_route, figures
from benchmarks.etter.load import Measured, Sample
from benchmarks.etter.mix import WEIGHTS, Mix, Zipf
from benchmarks.etter.quiet import quiet_reads
from benchmarks.etter.report import QuietRead, Results, markdown, targets
from benchmarks.etter.warm import jobs
from etter.clock import utc_now
from etter.seed.sizes import SIZES
from etter.settings import Settings
from tests.integration.etter.conftest import Client


def test_weights_are_percent_and_one_in_twenty_writes() -> None:
    assert sum(weight for _, weight, _ in WEIGHTS) == pytest.approx(100)
    mix, random = Mix(SIZES["demo"], Random(1)), Random(2)
    (person,) = mix.people(1, "a secret that is long enough for HS256", utc_now(), random)
    drawn = [mix.draw(person, random) for _ in range(4000)]
    assert sum(not request.is_read for request in drawn) / len(drawn) == pytest.approx(0.05, abs=0.015)


def test_zipf_prefers_the_first() -> None:
    random, zipf = Random(1), Zipf(10)
    ranks = [zipf.draw(random) for _ in range(3000)]
    assert set(ranks) == set(range(1, 11))
    assert ranks.count(1) > 3 * ranks.count(5)


async def test_every_request_is_one_that_its_user_may_make(api: Client, settings: Settings) -> None:
    random = Random(3)
    mix = Mix(SIZES["tiny"], random)
    for person in mix.people(5, settings.token_secret, utc_now(), random):
        headers = person.headers
        for _, _, make in WEIGHTS:
            request = make(mix, person, random)
            body = headers | ({"Content-Type": "application/json"} if request.body else {})
            response = await api.request(request.method, request.path, headers=body, data=request.body or None)
            # On the tiny data a company has fewer pages than the mix may ask for.
            past_the_end = response.status == 400 and "page=" in request.path
            assert response.status < 400 or past_the_end, (request, await response.text())


def test_the_log_that_warms_names_only_what_can_be_shared() -> None:
    mix = Mix(SIZES["tiny"], Random(1))
    people = mix.people(20, "a secret that is long enough for HS256", utc_now(), Random(2))
    wanted = jobs(mix, people, Random(3), logged=500)
    targets = [target.target for job in wanted for target in job.targets]
    assert len(targets) > 50
    assert not [target for target in targets if "projects" in target or "check_auth" in target]
    assert sum("role_adjacency" in target for target in targets) == 1
    assert set(wanted[0].fields) == {"Authorization"}


def test_failures_are_not_counted_as_served() -> None:
    ok = [Sample("a", True, 200, 0.1, 100, "v; hit"), Sample("a", True, 200, 0.3, 100, "v; fwd=uri-miss; stored")]
    bad = [Sample("b", True, 503, 0.01, 50), Sample("b", False, 0, 60.0, 0)]
    name = "etter_db_queries_per_request"
    before = f"{name}_count 10.0\n{name}_sum 10.0\n"
    after = f"{name}_count 12.0\n{name}_sum 15.0\n"
    found = figures("x", 9, Measured([*ok, *bad], before, after, {"backend": 1.0}), 2.0)
    assert (found.per_second, found.server_errors, found.broken) == (1.0, 1, 1)
    assert (found.queries_per_request, found.backend_requests) == (2.5, 2)
    assert found.forwarded == {"uri-miss": pytest.approx(1 / 3, abs=0.001)}
    assert found.hit_rate == pytest.approx(1 / 3, abs=0.001)
    assert [one.requests for one in by_route([*ok, *bad])] == [2, 2]
    results = Results(conditions={"data": "none"}, phases=[found, found], tries=[found], routes={"x": by_route(ok)})
    assert "| requests per second | 1 | 1 |" in markdown(results)
    assert not all(target.met for target in targets(results))


async def test_reads_without_a_load_are_timed_and_have_their_targets(api: Client, settings: Settings) -> None:
    size = SIZES["tiny"]
    people = Mix(size, Random(1)).people(3, settings.token_secret, utc_now(), Random(2))
    found = await quiet_reads("127.0.0.1", api.server.port or 0, people, size.history)
    assert {"history", "history by cursor", "dashboard"} < {one.name for one in found}
    assert all(one.requests == 3 and 0 < one.p50_ms <= one.p95_ms <= one.longest_ms for one in found)
    slow = QuietRead(name="history", requests=1, p50_ms=1.0, p95_ms=50.0, longest_ms=60.0)
    ok = Sample("a", True, 200, 0.1, 100, "v; hit")
    one = figures("x", 9, Measured([ok], "", "", {}), 2.0)
    results = Results(conditions={}, phases=[one], tries=[one], routes={}, quiet=[slow])
    assert "| history | 1 | 1.0 | 50.0 | 60.0 |" in markdown(results)
    assert [target.met for target in targets(results) if target.text.startswith("history:")] == [False]


def test_half_of_the_first_pages_are_asked_for_without_a_number() -> None:
    mix, random = Mix(SIZES["demo"], Random(1)), Random(2)
    (person,) = mix.people(1, "a secret that is long enough for HS256", utc_now(), random)
    drawn = [mix.draw(person, random).path for _ in range(4000)]
    plain, first = (sum(path.endswith(end) for path in drawn) for end in ("/users", "/users?page=1"))
    assert 0.8 < plain / first < 1.25
