"""The bars of the project, each computed from what a run measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.peers.cases import (
    FASTAPI,
    NGINX,
    NGINX_PASS,
    NGINX_PLAIN,
    VARNISH,
    VENEER,
    VENEER_BEARER,
    VENEER_IDENTITY,
    VENEER_PASS,
)
from benchmarks.peers.growth import ALIKE, FEW, FEWEST
from benchmarks.peers.results import Results, cost_ratio, speed_ratio
from benchmarks.peers.shipped import EARLIER, EARLIER_TWO, OWN, SHARED_TWO
from benchmarks.peers.wrk import Window
from benchmarks.targets import Target

ENTRY_BEYOND_MOST = 1.0 * 1024
LATENCY_MOST = 2.0
GROWN_LEAST = 0.85


@dataclass(frozen=True, slots=True)
class Bar:
    """In a case, our line has to reach `least` times theirs, in requests per second and in processor time."""

    text: str
    case: str
    least: float
    theirs: str
    ours: str = VENEER


BARS = (
    Bar("shipped hit : own memory and limit", "shipped-hit", 0.85, OWN),
    Bar("shipped hit : nginx, same features", "shipped-hit", 1.5, NGINX),
    Bar("shipped miss, stored : Veneer 880bd00", "shipped-miss", 6.0, EARLIER),
    Bar("shipped miss, stored : own memory and limit", "shipped-miss", 0.6, OWN),
    Bar("miss coded, own memory and limit : nginx, gzip on", "shipped-miss", 1.2, NGINX, OWN),
    Bar("hit that only Redis has : Veneer 880bd00", "shipped-l2", 8.0, EARLIER),
    Bar("POST, own memory and limit : nginx pass-through, all on", "shipped-post", 0.5, NGINX_PASS, OWN),
    Bar("shipped POST : Veneer 880bd00", "shipped-post", 3.0, EARLIER),
    Bar("95/5, own memory and limit : nginx, same features", "shipped-mix", 1.0, NGINX, OWN),
    Bar("shipped 95/5, two workers : Veneer 880bd00, two workers", "shipped-mix", 5.0, EARLIER_TWO, SHARED_TWO),
    Bar("hit 2 KB, changing heads : nginx, same features", "hit-changing", 1.2, NGINX),
    Bar("hit 2 KB : Varnish", "hit", 1.2, VARNISH),
    Bar("hit 2 KB over TLS : nginx with TLS, same features", "hit-tls", 0.8, NGINX),
    Bar("304 : nginx, same features", "304", 1.2, NGINX),
    Bar("429 : nginx limit_req", "429", 0.8, NGINX),
    Bar("hit br : own identity hit", "hit-br", 0.9, VENEER_IDENTITY),
    Bar("hit with a bearer token, shared by tenant : own plain hit", "hit-bearer", 0.8, VENEER, VENEER_BEARER),
    Bar("miss 2 KB, stored : nginx pass-through", "miss", 0.4, NGINX_PLAIN),
    Bar("miss 2 KB, not stored : nginx pass-through", "miss", 0.4, NGINX_PLAIN, VENEER_PASS),
    Bar("miss 1 MB streamed : nginx pass-through", "miss-1m", 0.5, NGINX_PLAIN),
    Bar("hit : FastAPI + fastapi-cache2 + slowapi + GZip", "hit", 40.0, FASTAPI),
)


def judged(results: Results) -> Iterator[Target]:
    """Every bar that the run can judge. Where speed and cost differ, the worse of the two counts."""
    for bar in BARS:
        ours, theirs = results.line(bar.case, bar.ours), results.line(bar.case, bar.theirs)
        if ours is None or theirs is None:
            continue
        yield _compared(bar.text, ours.windows, theirs.windows, bar.least)
    yield from _grown(results)
    yield from _latency(results)


def _compared(text: str, ours: Sequence[Window], theirs: Sequence[Window], least: float) -> Target:
    speed, cost = speed_ratio(ours, theirs), cost_ratio(ours, theirs)
    shown = f"{speed.median:.2f} by speed ({speed.least:.2f} to {speed.most:.2f}), "
    shown += f"{cost.median:.2f} by processor time ({cost.least:.2f} to {cost.most:.2f})"
    return Target(f"{text}, at least {least:g}", shown, min(speed.median, cost.median) >= least)


def _grown(results: Results) -> Iterator[Target]:
    if results.growth is None or not results.growth.entries:
        return
    last = results.growth.entries[-1]
    if last.size > FEWEST:
        for asked in (ALIKE, FEW):
            text = f"hit with {last.size:,} entries, {asked} : own with {FEWEST:,}"
            yield _compared(text, last.hits[asked], last.beside[asked], GROWN_LEAST)
    beyond = last.beyond_bytes or 0.0
    text = f"memory for a 2 KB entry beyond its bytes ({last.size:,} entries), at most {ENTRY_BEYOND_MOST / 1024:g} KB"
    yield Target(text, f"{beyond / 1024:.2f} KB", beyond <= ENTRY_BEYOND_MOST)


def _latency(results: Results) -> Iterator[Target]:
    found = results.latency
    if found is None or not found.rounds.get(VENEER) or not found.rounds.get(NGINX):
        return
    ratios = [
        ours.p99_us / theirs.p99_us for ours, theirs in zip(found.rounds[VENEER], found.rounds[NGINX], strict=True)
    ]
    ratio = statistics.median(ratios)
    text = f"p99 of hits at half of nginx's full load ({found.rate:,.0f}/s) : nginx, same features"
    text += f", at most {LATENCY_MOST:g}"
    yield Target(text, f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})", ratio <= LATENCY_MOST)
