"""Counters over several workers: what was shown once is never taken back."""

from __future__ import annotations

from veneer.observe.counters import Counts, RouteCounts, Snapshot
from veneer.observe.gauges import Gauges, StoreGauges
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.report import Report, decode, encode


def report(requests: int, *, active: int = 0, entries: int = 0, evictions: int = 0, serving: bool = True) -> Report:
    counts = Counts(active=active, routes={"all": RouteCounts(requests={"GET": [0, 0, requests, 0, 0, 0]})})
    store = StoreGauges("l1", entries=entries, bytes=entries * 10, bytes_most=1_000, evictions=evictions)
    return Report(requests, Snapshot(counts, Gauges(stores=(store,), lease_held=False)), ("epoch", requests), serving)


def requests(totals: CounterTotals) -> int:
    routes = totals.total().counts.routes
    return sum(sum(sum(classes) for classes in route.requests.values()) for route in routes.values())


def test_a_report_survives_the_way_to_the_supervisor() -> None:
    assert decode(encode(report(3, active=1))) == report(3, active=1)


def test_the_living_are_added_up_by_their_last_report() -> None:
    totals = CounterTotals()
    totals.reported("w0", report(3, entries=2))
    totals.reported("w1", report(5, entries=1, serving=False))
    totals.reported("w0", report(4, entries=3))
    assert requests(totals) == 9
    assert totals.total().gauges.stores[0].entries == 4
    assert totals.serving() == ("w0",)
    assert totals.position == ("epoch", 4)


def test_a_report_that_a_newer_one_has_overtaken_changes_nothing() -> None:
    totals = CounterTotals()
    for heard in (2, 4, 3, 4):
        totals.reported("w0", report(heard))
    assert requests(totals) == 4
    assert totals.position == ("epoch", 4)


def test_who_ends_in_order_counts_by_its_last_words() -> None:
    totals = CounterTotals()
    totals.reported("w0", report(3, active=2, entries=2, evictions=1))
    totals.ended("w0", report(7, active=1, entries=2, evictions=2))
    total = totals.total()
    assert requests(totals) == 7
    assert total.counts.active == 0
    assert total.gauges.stores[0].evictions == 2
    assert total.gauges.stores[0].entries is None
    assert total.gauges.lease_held is True
    assert totals.serving() == ()


def test_who_dies_counts_by_what_was_heard_last_and_its_successor_adds_to_it() -> None:
    totals = CounterTotals()
    totals.reported("w0-1", report(3, evictions=4))
    totals.ended("w0-1", None)
    totals.reported("w0-2", report(1, evictions=1))
    assert requests(totals) == 4
    assert totals.total().gauges.stores[0].evictions == 5
    totals.ended("w0-2", None)
    totals.ended("w0-2", None)
    assert requests(totals) == 4


def test_who_was_never_heard_changes_nothing() -> None:
    totals = CounterTotals()
    totals.ended("w0", None)
    assert requests(totals) == 0
    assert totals.position == ("", 0)


def test_who_goes_through_the_serving_workers_is_not_disturbed_by_one_that_ends_or_joins_meanwhile() -> None:
    totals = CounterTotals()
    totals.reported("w0", report(1))
    totals.reported("w1", report(1))
    asked = []
    for worker in totals.serving():
        asked.append(worker)
        totals.ended("w0", None)
        totals.reported("w2", report(1))
    assert asked == ["w0", "w1"]
