"""Which target gets a request: rules, and simulations of targets that hang, fail and come back."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.balancing import (
    MOST_REST_S,
    EjectionRules,
    TargetLoad,
    asked_rest_s,
    best_ranked,
    choose,
    eject,
    pick,
    readmit,
    rest,
    share_out,
    should_eject,
)
from veneer.core.fields import Fields
from veneer.core.silence import Owed

RULES = EjectionRules()
GIVEN_UP_S = 2.0
Behaviour = Callable[[float], float | None]
"""How long the answer takes to a request at that time; None for never."""


def simulate(
    behaviours: list[Behaviour],
    rate: int,
    for_s: float,
    rules: EjectionRules = RULES,
    weights: Sequence[int] = (),
) -> tuple[list[tuple[float, int, bool]], list[TargetLoad]]:
    """When requests came, which target they went to and whether they were answered; and how the targets end."""
    chance = random.Random(7).random
    loads = [TargetLoad(weight) for weight in weights or [1] * len(behaviours)]
    share_out(loads)
    ends: list[tuple[float, int, int, float, bool]] = []
    outcome: list[tuple[float, int, bool]] = []
    for number in range(int(rate * for_s)):
        now = 1_000.0 + number / rate
        while ends and ends[0][0] <= now:
            at, _, index, started, well = heapq.heappop(ends)
            loads[index].ended()
            if well:
                loads[index].succeeded(at, at - started)
                continue
            loads[index].failed(at)
            if should_eject(loads[index], [load for load in loads if load is not loads[index]], rules):
                eject(loads[index], at, rules)
        able = [index for index, load in enumerate(loads) if load.ejected_until is None]
        able = able or list(range(len(loads)))
        index = able[choose([loads[one] for one in able], now, rules.slow_start_s, chance(), chance())]
        loads[index].begun(now)
        takes = behaviours[index](now)
        outcome.append((now - 1_000.0, index, takes is not None))
        heapq.heappush(ends, (now + (GIVEN_UP_S if takes is None else takes), number, index, now, takes is not None))
    return outcome, loads


def quick(now: float) -> float:
    return 0.005 + (now * 7919 % 1) * 0.005


def hangs(now: float) -> None:
    return None


def test_targets_that_are_alike_get_alike() -> None:
    outcome, _ = simulate([quick, quick, quick], 200, 30)
    counts = Counter(index for _, index, _ in outcome)
    assert all(1_500 <= counts[index] <= 2_500 for index in range(3))


@pytest.mark.parametrize("rate", [50, 2_000], ids=["idle", "busy"])
def test_targets_that_are_as_quick_get_what_their_weights_say(rate: int) -> None:
    outcome, _ = simulate([quick, quick, quick], rate, 6_000 / rate, weights=[10, 20, 50])
    counts = Counter(index for _, index, _ in outcome)
    assert [counts[index] / len(outcome) for index in range(3)] == pytest.approx([1 / 8, 1 / 4, 5 / 8], rel=0.25)


def test_a_weight_does_not_keep_a_target_that_hangs_in_use() -> None:
    outcome, _ = simulate([quick, hangs], 200, 60, weights=[1, 20])
    late = [well for at, _, well in outcome if at >= 1.0]
    assert late.count(False) <= max(len(late) * 0.001, RULES.failures)


@given(st.lists(st.integers(1, 256), min_size=1, max_size=64), st.floats(0, 1, exclude_max=True), st.randoms())
def test_shares_are_as_weights_and_one_is_chosen_in_any_case(
    weights: list[int], number: float, chance: random.Random
) -> None:
    loads = [TargetLoad(weight) for weight in weights]
    share_out(loads)
    assert sum(load.share for load in loads) == pytest.approx(len(loads))
    assert [load.share / loads[0].share for load in loads] == pytest.approx([weight / weights[0] for weight in weights])
    assert 0 <= choose(loads, 1.0, 10.0, number, chance.random()) < len(loads)


def test_those_of_the_best_rank_are_asked_while_one_of_them_may_be() -> None:
    loads = [TargetLoad(rank=rank) for rank in (1, 0, 2, 1)]
    assert best_ranked(loads, [0, 1, 2, 3]) == [1]
    assert best_ranked(loads, [0, 2, 3]) == [0, 3]
    assert best_ranked(loads, [2]) == [2]


def test_a_slow_target_gets_less() -> None:
    outcome, _ = simulate([quick, quick, lambda now: 0.2], 400, 20)
    assert Counter(index for _, index, _ in outcome)[2] < len(outcome) * 0.1


@pytest.mark.no_cover
@pytest.mark.parametrize("rate", [20, 200, 2_000])
def test_one_of_three_hangs_and_hardly_anybody_notices(rate: int) -> None:
    outcome, _ = simulate([quick, hangs, quick], rate, 60)
    late = [well for at, _, well in outcome if at >= 1.0]
    assert late.count(False) <= max(len(late) * 0.001, RULES.failures)


def test_nothing_goes_to_a_target_once_it_is_ejected() -> None:
    broken = True
    rules = EjectionRules(failures=3)
    outcome, loads = simulate([quick, lambda now: None if broken else 0.0, quick], 200, 30, rules)
    if loads[1].ejected_until is None:  # its silence alone has kept requests from it
        assert sum(not well for _, _, well in outcome) < 3
    else:
        last = max(at for at, index, _ in outcome if index == 1)
        assert last <= loads[1].ejected_until - 1_000.0 - rules.base_s


def test_where_all_fail_requests_still_go_and_some_targets_stay() -> None:
    outcome, loads = simulate([hangs, hangs, hangs], 50, 20)
    assert len(outcome) == 1_000
    assert sum(load.ejected_until is not None for load in loads) == 1


def test_a_target_that_fails_quickly_is_ejected_by_failures_in_a_row() -> None:
    bad, others = TargetLoad(), [TargetLoad(), TargetLoad()]
    for _ in range(RULES.failures - 1):
        bad.failed(5.0)
        assert not should_eject(bad, others, RULES)
    bad.failed(5.0)
    assert should_eject(bad, others, RULES)
    assert not should_eject(bad, [], RULES), "it is alone"
    bad.succeeded(5.0, 0.01)
    assert bad.failures == 0


def test_a_target_that_fails_far_more_often_than_the_others_is_ejected() -> None:
    bad, others = TargetLoad(), [TargetLoad(), TargetLoad()]
    for _ in range(30):
        bad.succeeded(5.0, 0.01)
        bad.failed(5.0)
        for other in others:
            other.succeeded(5.0, 0.01)
    assert bad.failures == 1
    assert should_eject(bad, others, RULES)
    for other in others:
        for _ in range(20):
            other.failed(5.0)
    assert not should_eject(bad, others, RULES), "they all fail so often"
    for load in (bad, *others):
        load.failed(100.0)
    assert bad.good == 0.0, "what was long ago is forgotten"


def test_ejections_last_longer_each_time_and_not_for_ever() -> None:
    load, now, lasted = TargetLoad(), 100.0, []
    for _ in range(12):
        eject(load, now, RULES)
        assert load.ejected_until is not None
        lasted.append(load.ejected_until - now)
        now = load.ejected_until
        readmit(load, now)
        now += 1.0
    assert lasted[:4] == [5.0, 10.0, 20.0, 40.0]
    assert lasted[-1] == RULES.longest_s
    now += RULES.longest_s
    eject(load, now, RULES)
    assert load.ejected_until == now + RULES.base_s, "it was well for long"


def test_a_target_that_comes_back_begins_with_few() -> None:
    new, old = TargetLoad(), TargetLoad()
    for load in (new, old):
        load.succeeded(100.0, 0.01)
    readmit(new, 100.0)
    assert new.load(100.0, 10.0) == pytest.approx(old.load(100.0, 10.0) * 10)
    assert new.load(105.0, 10.0) == pytest.approx(old.load(105.0, 10.0) * 2)
    assert new.load(110.0, 10.0) == pytest.approx(old.load(110.0, 10.0))


@given(
    share=st.floats(0, 1),
    failing=st.lists(st.integers(0, 5), max_size=60),
    count=st.integers(1, 6),
)
def test_no_more_than_the_share_is_ever_out(share: float, failing: list[int], count: int) -> None:
    rules = EjectionRules(failures=1, share=share)
    loads = [TargetLoad() for _ in range(count)]
    for index in failing:
        load = loads[index % count]
        load.failed(5.0)
        if should_eject(load, [other for other in loads if other is not load], rules):
            eject(load, 5.0, rules)
    out = sum(load.ejected_until is not None for load in loads)
    assert out <= (max(1, int(share * count)) if count > 1 else 0)


def test_a_target_rests_as_long_as_it_asks_for_and_not_all_rest() -> None:
    loads = [TargetLoad() for _ in range(3)]
    assert rest(loads[0], loads[1:], 2.0, 100.0, RULES)
    assert (loads[0].ejected_until, loads[0].rests, loads[0].ejections) == (102.0, True, 0)
    assert not rest(loads[0], loads[1:], 2.0, 100.0, RULES), "it does already"
    assert not rest(loads[1], [loads[0], loads[2]], 2.0, 100.0, RULES), "half of them may be out, and always one"
    readmit(loads[0], 102.0)
    assert not loads[0].rests
    assert rest(loads[1], [loads[0], loads[2]], 1e6, 100.0, RULES)
    assert loads[1].ejected_until == 100.0 + MOST_REST_S
    assert not rest(TargetLoad(), [], 2.0, 100.0, RULES), "it is alone"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0", 0.0),
        ("9" * 5_000, 999_999_999.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
        ("-1", None),
        ("soon", None),
        (None, None),
    ],
)
def test_how_long_a_target_asks_to_rest(text: str | None, seconds: float | None) -> None:
    fields = Fields([] if text is None else [("Retry-After", text)])
    assert asked_rest_s(fields, 784_111_767.0) == seconds


def test_only_safe_requests_find_out_whether_a_target_hangs() -> None:
    loads = [TargetLoad() for _ in range(3)]
    for load in loads:
        for _ in range(20):
            load.silence.learn(Owed("", 99.9, canary=False), 100.0)
    readmit(loads[1], 100.0)
    able = [0, 1, 2]
    assert pick(loads, able, "", 100.0, RULES, lambda: 0.9) == (1, True)
    assert pick(loads, able, "other", 100.0, RULES, lambda: 0.4) == (0, False), "nobody knows how long those take"
    shares = [number / 10 for number in range(10)]
    assert {pick(loads, able, None, 100.0, RULES, iter([share] * 2).__next__)[0] for share in shares} == {0, 2}
    assert pick(loads, [1], None, 100.0, RULES, lambda: 0.4) == (1, False), "there is no other"
    loads[1].succeeded(100.0, 0.1)
    assert pick(loads, able, "", 100.0, RULES, lambda: 0.9) == (2, False)


@given(st.integers(1, 5), st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
def test_any_random_numbers_choose_one(count: int, first: float, second: float) -> None:
    assert 0 <= choose([TargetLoad() for _ in range(count)], 5.0, 10.0, first, second) < count


def test_a_target_is_ready_that_owes_nothing_since_it_was_heard() -> None:
    load, seen = TargetLoad(), []
    seen.append(load.ready)
    load.begun(10.0)
    load.begun(11.0)
    seen.append(load.ready)
    load.succeeded(12.0, 1.0)
    seen.append(load.ready)  # what it owes is slow by nature
    load.begun(13.0)
    seen.append(load.ready)
    for _ in range(3):
        load.ended()
    seen.append(load.ready)
    load.silence.suspect(14.0, 1.0)
    seen.append(load.ready)
    assert seen == [True, False, True, False, True, False]
