"""`veneer top`: what a running proxy does now, by route, as a table that renews itself."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from veneer.admin.views import COUNTERS_PATH, Counters, RouteCounters
from veneer.cli.admin_client import FINE, client_of, run
from veneer.cli.tables import share, size, table
from veneer.pipeline.exchange import hits_of

_TITLES: Final = ("route", "requests/s", "hits", "p50", "p99", "5xx/s", "out/s")
_HOME: Final = "\x1b[H\x1b[2J"
"""To the upper left, with nothing below (ECMA-48 CUP, ED)."""


class RouteRates(msgspec.Struct, frozen=True):
    """One route between two looks. `hit_rate` as in /stats; percentiles are upper bounds of their buckets."""

    route: str
    requests_s: float
    hit_rate: float | None
    p50_ms: float | None
    p99_ms: float | None
    errors_s: float
    bytes_out_s: float


class Rates(msgspec.Struct, frozen=True):
    """All routes between two looks, `seconds` apart; those with most requests first. `total` adds them up."""

    seconds: float
    active: int
    total: RouteRates
    routes: tuple[RouteRates, ...]


def top_command(arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """0 once it is ended."""

    def command() -> int:
        client = client_of(arguments, environment)
        before, made = client.get(COUNTERS_PATH, Counters), 0
        while not arguments.count or made < arguments.count:
            time.sleep(arguments.every)
            now = client.get(COUNTERS_PATH, Counters)
            rates = rates_between(before, now)
            before, made = now, made + 1
            if arguments.json:
                sys.stdout.write(msgspec.json.encode(rates).decode() + "\n")
            else:
                sys.stdout.write(_HOME if sys.stdout.isatty() else "")
                sys.stdout.writelines(_lines(rates))
            sys.stdout.flush()
        return FINE

    return run(command)


def rates_between(before: Counters, now: Counters) -> Rates:
    """What happened between two looks. Where the process has begun anew meanwhile, since its start."""
    began_anew = any(
        one.requests > now.routes[name].requests if name in now.routes else one.requests > 0
        for name, one in before.routes.items()
    )
    seconds = max(0.001, now.at_s - before.at_s)
    earlier = {} if began_anew else before.routes
    changes = {name: _difference(one, earlier.get(name)) for name, one in now.routes.items()}
    rates = [_rates(name, one, seconds, now.bounds_ms) for name, one in changes.items() if one.requests]
    rates.sort(key=lambda one: (-one.requests_s, one.route))
    total = _rates("all", _sum(list(changes.values()), len(now.bounds_ms) + 1), seconds, now.bounds_ms)
    return Rates(round(seconds, 3), now.active, total, tuple(rates))


def _difference(now: RouteCounters, before: RouteCounters | None) -> RouteCounters:
    if before is None:
        return now
    return RouteCounters(
        now.requests - before.requests,
        {name: count - before.classes.get(name, 0) for name, count in now.classes.items()},
        {name: count - before.cache.get(name, 0) for name, count in now.cache.items()},
        tuple(count - earlier for count, earlier in zip(now.durations, before.durations, strict=True)),
        now.bytes_out - before.bytes_out,
    )


def _sum(routes: Sequence[RouteCounters], buckets: int) -> RouteCounters:
    classes = {name: sum(one.classes.get(name, 0) for one in routes) for name in ("5xx",)}
    cache = Counter[str]()
    for one in routes:
        cache.update(one.cache)
    durations = tuple(sum(one.durations[bucket] for one in routes) for bucket in range(buckets))
    return RouteCounters(
        sum(one.requests for one in routes), classes, cache, durations, sum(one.bytes_out for one in routes)
    )


def _rates(name: str, one: RouteCounters, seconds: float, bounds_ms: Sequence[float]) -> RouteRates:
    here, looked = hits_of(one.cache)
    return RouteRates(
        name,
        one.requests / seconds,
        here / looked if looked else None,
        _percentile(one.durations, bounds_ms, 0.5),
        _percentile(one.durations, bounds_ms, 0.99),
        one.classes.get("5xx", 0) / seconds,
        one.bytes_out / seconds,
    )


def _percentile(counts: Sequence[int], bounds_ms: Sequence[float], part: float) -> float | None:
    wanted, reached = part * sum(counts), 0
    for bound, count in zip(bounds_ms, counts, strict=False):
        reached += count
        if reached and reached >= wanted:
            return bound
    return None


def _lines(rates: Rates) -> Iterator[str]:
    yield f"{rates.active} requests at work; rates of the last {rates.seconds:.1f} s\n"
    yield from table(_TITLES, [_row(one) for one in (rates.total, *rates.routes)])


def _row(one: RouteRates) -> tuple[str, ...]:
    return (
        one.route, f"{one.requests_s:,.1f}", "-" if one.hit_rate is None else share(one.hit_rate, 1.0),
        _at_most(one.p50_ms), _at_most(one.p99_ms), f"{one.errors_s:,.1f}", size(one.bytes_out_s),
    )  # fmt: skip


def _at_most(bound_ms: float | None) -> str:
    return "-" if bound_ms is None else f"<= {bound_ms:g} ms"
