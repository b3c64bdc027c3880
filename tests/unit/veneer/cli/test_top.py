"""Rates between two looks at the counters."""

from __future__ import annotations

import msgspec
import pytest

from tests.unit.veneer.cli.admin_stub import AdminStub
from veneer.admin.views import Counters, RouteCounters
from veneer.cli.main import main
from veneer.cli.top import Rates, rates_between

BOUNDS = (1.0, 10.0)


def route(requests: int, hits: int, errors: int = 0, slow: int = 0) -> RouteCounters:
    cache = {"hit": hits, "miss": requests - hits}
    classes = {"2xx": requests - errors, "5xx": errors}
    return RouteCounters(requests, classes, cache, (requests - slow, slow, 0), requests * 100)


def look(at_s: float, **routes: RouteCounters) -> Counters:
    return Counters(at_s, 2, BOUNDS, routes)


def test_what_happened_between_two_looks() -> None:
    before = look(10.0, a=route(100, 50), idle=route(5, 5))
    rates = rates_between(before, look(12.0, a=route(200, 130, errors=4, slow=20), idle=route(5, 5), new=route(300, 0)))
    assert [one.route for one in rates.routes] == ["new", "a"]
    one = rates.routes[1]
    assert (one.requests_s, one.hit_rate, one.errors_s, one.bytes_out_s) == (50.0, 0.8, 2.0, 5_000.0)
    assert (one.p50_ms, one.p99_ms) == (1.0, 10.0)
    assert (rates.total.requests_s, rates.total.hit_rate, rates.active) == (200.0, 0.2, 2)


def test_a_process_that_began_anew_is_counted_from_its_start() -> None:
    rates = rates_between(look(10.0, a=route(100, 50)), look(11.0, a=route(10, 10)))
    assert (rates.total.requests_s, rates.total.hit_rate) == (10.0, 1.0)
    assert rates_between(look(10.0, gone=route(5, 0)), look(11.0)).total.requests_s == 0.0


def test_a_table_or_json(stub: AdminStub, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (msgspec.json.encode(look(at_s, a=route(count, count))) for at_s, count in ((1.0, 1), (2.0, 11)))
    stub.answer("GET /counters", first, second)
    assert main(["top", "--every", "0.1", "-n", "1"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["route", "requests/s", "hits", "p50", "p99", "5xx/s", "out/s"]
    assert said[3].split() == ["a", "10.0", "100.0", "%", "<=", "1", "ms", "<=", "1", "ms", "0.0", "1000", "B"]
    stub.answer("GET /counters", first, second)
    assert main(["top", "--every", "0.1", "-n", "1", "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out, type=Rates).total.requests_s == 10.0
