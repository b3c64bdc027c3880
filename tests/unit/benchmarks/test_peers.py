"""The comparison with peers: what is sent, what counts as a whole answer, and how bars are judged."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.peers.bars import BARS, judged
from benchmarks.peers.bodies import documents, rows
from benchmarks.peers.cases import FASTAPI, NGINX, VARNISH, VENEER, Case, Entrant, Reaches
from benchmarks.peers.growth import ALIKE, FEW, Growth, Step
from benchmarks.peers.latency import Latency
from benchmarks.peers.lineup import every_case
from benchmarks.peers.report import markdown
from benchmarks.peers.requests import MARK, changing, mix
from benchmarks.peers.results import Results
from benchmarks.peers.run import Line, Outcome, check, check_window
from benchmarks.peers.wire import LoadError, Paced, Reply, whole_size
from benchmarks.peers.wrk import Window

ENTRANT = Entrant(VENEER, "veneer", "full", (b"",))
HIT = Case("hit", "hit", (ENTRANT,))


def window(per_second: float = 1_000, cpu_us: float = 10, *, origin: int = 0, refused: int = 0) -> Window:
    return Window(1_000, per_second, 1.0, 2.0, cpu_us, 0.9, 0.5, origin, refused)


def results(*lines: Line, growth: Growth | None = None, latency: Latency | None = None) -> Results:
    outcome = Outcome("hit", "hit 2 KB", 32, list(lines), [])
    return Results(conditions={}, missing=[], failed=[], outcomes=[outcome], growth=growth, latency=latency)


def grown(size: int) -> Step:
    """A machine that becomes slower from round to round, whoever is asked."""
    alike = [window(500, 20), window(250, 40), window(150, 66.6667)]
    few = [window(900, 11.1111), window(450, 22.2222), window(237.5, 42.1053)]
    beside = [window(1_000, 10), window(500, 20), window(250, 40)]
    return Step(size, {ALIKE: alike, FEW: few}, 1_600.0, {ALIKE: beside, FEW: beside})


@pytest.mark.parametrize("raw", [2_048, 102_400])
def test_documents_have_exactly_their_size(raw: int) -> None:
    assert len(rows(raw)) == raw
    assert len(documents()["stream"].body) == 1_048_576


def test_a_response_is_whole_with_its_body() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain"
    assert whole_size(whole) == len(whole)
    assert whole_size(whole[:-2]) == len(whole)
    assert whole_size(whole[:20]) > 20
    assert whole_size(b"HTTP/1.1 304 Not Modified\r\n\r\n") == 29


def test_the_mix_is_one_write_in_twenty_of_keys_that_are_read_too() -> None:
    sent = mix(draws=20_000)
    writes = [one for one in sent if one.startswith(b"PUT ")]
    assert 0.04 < len(writes) / len(sent) < 0.06
    assert b"GET /small/key0 HTTP/1.1" in sent[0] or any(b"GET /small/key0 " in one for one in sent)


def test_changing_heads_change_in_their_request_id_and_their_cookie() -> None:
    assert changing("/x").count(MARK.encode()) == 2


def test_bars_name_contenders_of_their_case() -> None:
    for bar in BARS:
        labels = {entrant.label for entrant in every_case()[bar.case].entrants}
        assert {bar.ours, bar.theirs} <= labels


def test_cases_name_their_contenders_once() -> None:
    for case in every_case().values():
        labels = [entrant.label for entrant in case.entrants]
        assert len(labels) == len(set(labels))
        assert labels[0].startswith("Veneer")


@pytest.mark.parametrize(
    ("case", "found", "said"),
    [
        (HIT, window(origin=500), "asked the origin 500 times"),
        (HIT, window(refused=500), "with an error"),
        (dataclasses.replace(HIT, status=429), window(), "with an error"),
        (dataclasses.replace(HIT, reaches=Reaches.EVERY), window(origin=10), "asked the origin 10 times"),
    ],
)
def test_a_window_that_is_not_what_its_case_says_is_refused(case: Case, found: Window, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        check_window(case, ENTRANT, found)


def test_another_body_or_status_is_refused_before_anything_is_timed() -> None:
    check(HIT, ENTRANT, Reply(200, {}, documents()["small"].body))
    with pytest.raises(LoadError, match="another body"):
        check(HIT, ENTRANT, Reply(200, {}, b"{}"))
    with pytest.raises(LoadError, match="answered 503"):
        check(HIT, ENTRANT, Reply(503, {}, documents()["small"].body))


def test_a_bar_is_met_only_by_speed_and_cost_together() -> None:
    fast, cheap = Line(VENEER, [window(2_000, 10)] * 3), Line(VENEER, [window(1_000, 5)] * 3)
    both = Line(VENEER, [window(2_000, 5)] * 3)
    theirs = Line(VARNISH, [window()] * 3)
    for ours, met in ((fast, False), (cheap, False), (both, True)):
        (target,) = judged(results(ours, theirs))
        assert "Varnish" in target.text
        assert target.met is met


def test_ratios_are_of_pairs_in_the_same_round() -> None:
    ours = Line(VENEER, [window(4_000, 1), window(40_000, 1), window(80_000, 1)])
    theirs = Line(FASTAPI, [window(100, 40), window(1_000, 40), window(1_000, 60)])
    (target,) = judged(results(ours, theirs))
    assert target.measured == "40.00 by speed (40.00 to 80.00), 40.00 by processor time (40.00 to 60.00)"
    assert target.met


def test_growth_memory_and_latency_are_judged() -> None:
    slow, quick = Paced(1_000, 50, 900, 1), Paced(1_000, 50, 500, 1)
    latency = Latency(1_000, {VENEER: [slow], NGINX: [quick]})
    found = results(growth=Growth([grown(1_000), grown(1_000_000)], [], []), latency=latency)
    assert [target.met for target in judged(found)] == [False, True, False, True]


def test_growth_is_compared_with_few_entries_in_the_same_round() -> None:
    alike, few, _ = judged(results(growth=Growth([grown(1_000), grown(1_000_000)], [], [])))
    assert alike.measured == "0.50 by speed (0.50 to 0.60), 0.50 by processor time (0.50 to 0.60)"
    assert few.measured == "0.90 by speed (0.90 to 0.95), 0.90 by processor time (0.90 to 0.95)"


def test_growth_is_not_judged_where_nothing_grew() -> None:
    (memory,) = judged(results(growth=Growth([grown(1_000)], [], [])))
    assert memory.text.startswith("memory")


def test_the_report_shows_growth_beside_few_entries() -> None:
    text = markdown(results(growth=Growth([grown(1_000_000)], [], [])))
    assert f"| 1,000,000 | {ALIKE} | 0.50 (0.50 to 0.60) | 0.50 (0.50 to 0.60) |" in text


def test_the_report_shows_every_contender_and_what_was_left_out() -> None:
    outcome = Outcome("hit", "hit 2 KB", 32, [Line(VENEER, [window()]), Line(NGINX, [window()])], ["Varnish: gone"])
    text = markdown(Results(conditions={"machine": "this"}, missing=["wrk"], failed=[], outcomes=[outcome]))
    for part in (f"| {VENEER} |", f"| {NGINX} |", "Left out: Varnish: gone.", "not measured: wrk", "machine: this"):
        assert part in text
