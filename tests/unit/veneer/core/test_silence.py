"""Targets that hang are found out within a second or two, and those that are slow by nature never."""

from __future__ import annotations

from collections import Counter
from math import exp
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.several_targets import BEGAN_S, Behaviour, Targets
from veneer.core.balancing import EjectionRules
from veneer.core.silence import FLOOR_S, MAX_KINDS, MISSES, Owed, Silence, overdue, patience_s

FAULT_S = 5.0
MENDED_S = 35.0


def quick(at_s: float, kind: str, nature: float) -> float:
    return 0.005 + 0.005 * nature


def hanging(at_s: float, kind: str, nature: float) -> float | None:
    return None if FAULT_S <= at_s < MENDED_S else quick(at_s, kind, nature)


@pytest.mark.no_cover
@pytest.mark.parametrize("rate", [20, 200, 1_000])
def test_one_of_three_hangs_and_no_client_goes_without_an_answer(rate: int) -> None:
    targets = Targets([quick, hanging, quick])
    targets.run(rate, 60)
    at_s, index = targets.ejections[0]
    assert index == 1
    assert at_s - FAULT_S <= 2.0
    assert targets.failed() == 0
    assert targets.moves <= 25, "three at first, what went there meanwhile, and one for each time that it comes back"
    late = Counter(request.targets[0] for request in targets.requests if request.at_s > BEGAN_S + 50)
    assert late[1] > 0.2 * late.total(), "it is well again"


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("clients", [1, 2, 4])
def test_where_few_ask_none_of_them_waits_for_a_target_that_hangs(clients: int, seed: int) -> None:
    """All of them may wait for that one, and then nobody asks the others."""
    targets = Targets([quick, hanging], seed)
    targets.run_clients(clients, 20)
    assert targets.failed() == 0
    assert {index for _, index in targets.ejections} <= {1}


def test_writes_fail_only_until_it_is_found_out() -> None:
    targets = Targets([quick, hanging, quick])
    targets.run(200, 60, safe=0.7)
    assert {at_s for at_s, _ in targets.ejections} != set()
    assert targets.failed(since_s=targets.ejections[0][0]) == 0


def test_a_target_that_hangs_for_one_route_hangs() -> None:
    """An application whose database is away answers its health page."""

    def half_hanging(at_s: float, kind: str, nature: float) -> float | None:
        return hanging(at_s, kind, nature) if kind == "data" else quick(at_s, kind, nature)

    targets = Targets([quick, half_hanging, quick])
    targets.run(200, 10, {"data": 0.97, "static": 0.03})
    assert targets.failed() <= 3, "what it answers clears it each time; what it owes is moved nevertheless"


def _by(share: float, slow_s: float, since_s: float = 0.0) -> Behaviour:
    return lambda at_s, kind, nature: slow_s if at_s >= since_s and nature < share else 0.005 + 0.005 * (1.0 - nature)


def _log_normal(at_s: float, kind: str, nature: float) -> float:
    return exp(-4 + 2 * NormalDist().inv_cdf(max(nature, 1e-9)))


@pytest.mark.no_cover
@pytest.mark.parametrize("rate", [2, 20, 200])
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(lambda at_s, kind, nature: 1.0, id="all are slow"),
        pytest.param(lambda at_s, kind, nature: 2.0 if at_s > 10 else 0.01, id="all become slow"),
        pytest.param(_log_normal, id="latency varies by three orders of magnitude"),
        pytest.param(_by(0.01, 30.0), id="reports"),
        pytest.param(_by(0.5, 30.0, 20.0), id="long polls begin, on the route of all"),
        pytest.param(_by(0.9, 30.0, 20.0), id="nearly nothing but long polls"),
    ],
)
def test_what_is_slow_at_each_target_ejects_none(behaviour: Behaviour, rate: int) -> None:
    targets = Targets([behaviour] * 3)
    targets.run(rate, 60)
    assert targets.ejections == []
    assert targets.moves <= max(20, len(targets.requests) * 0.05), "where long polls are new, some are asked twice"


@pytest.mark.no_cover
def test_long_polls_on_a_route_of_their_own_are_never_moved() -> None:
    def polled(at_s: float, kind: str, nature: float) -> float:
        return 30.0 if kind == "polls" else quick(at_s, kind, nature)

    targets = Targets([polled] * 3)
    targets.run(100, 60, {"polls": 0.3, "pages": 0.7})
    assert (targets.ejections, targets.moves) == ([], 0)


@pytest.mark.no_cover
def test_a_slower_target_that_answers_is_left_in() -> None:
    targets = Targets([quick, lambda at_s, kind, nature: 0.25, quick])
    targets.run(200, 60)
    assert (targets.ejections, targets.moves) == ([], 0)


@pytest.mark.no_cover
@settings(max_examples=25, deadline=None)
@given(
    mean_s=st.floats(0.001, 5.0),
    slow=st.floats(0.0, 1.0),
    times=st.floats(1.0, 1_000.0),
    rate=st.sampled_from([3, 30, 100]),
    seed=st.integers(0, 99),
)
def test_targets_that_are_alike_are_never_ejected(
    mean_s: float, slow: float, times: float, rate: int, seed: int
) -> None:
    def behaviour(at_s: float, kind: str, nature: float) -> float:
        return min(mean_s * times, 50.0) if nature < slow else mean_s

    targets = Targets([behaviour] * 3, seed)
    targets.run(rate, 20)
    assert targets.ejections == []


def _taught(count: int = 20, latency_s: float = 0.01) -> Silence:
    silence = Silence()
    for _ in range(count):
        silence.learn(Owed("", 100.0 - latency_s, canary=False), 100.0)
    silence.heard(100.0)
    return silence


def test_nobody_is_suspected_by_few_answers_or_while_nobody_answers() -> None:
    target, owed = Silence(), Owed("", 99.0, canary=False)
    target.sent(owed)
    assert overdue(target, [_taught(5)], 110.0) == []
    assert overdue(target, [Silence()], 110.0) == []
    assert overdue(target, [], 110.0) == []
    old = _taught()
    old.heard_s = 98.0
    assert overdue(target, [old], 110.0) == []
    assert target.trusted
    assert overdue(target, [_taught()], 101.0) == [owed]
    assert target.suspected(101.0)
    target.heard(101.0)
    assert target.trusted
    assert overdue(target, [_taught()], 110.0) == [], "something came after it was sent"


def test_who_waits_for_all_that_was_asked_asks_another_that_is_ready() -> None:
    target, other, owed = Silence(), _taught(), Owed("", 100.1, canary=False)
    target.sent(owed)
    assert overdue(target, [other], 110.0) == []
    assert overdue(target, [other], 110.0, another_is_ready=True) == [owed]


def test_where_the_others_had_too_little_to_do_what_the_target_took_itself_counts() -> None:
    target, fresh, owed = _taught(), Silence(), Owed("", 100.1, canary=False)
    target.sent(owed)
    assert overdue(target, [fresh], 100.9, another_is_ready=True) == []
    assert overdue(target, [fresh], 101.1, another_is_ready=True) == [owed]
    assert overdue(target, [_taught(latency_s=1.0)], 101.1, another_is_ready=True) == []


def test_a_lone_request_is_waited_for_longer_than_a_canary() -> None:
    target, others = Silence(), [_taught()]
    lone, canary = Owed("", 99.9, canary=False), Owed("", 99.9, canary=True)
    for owed in (lone, canary):
        target.sent(owed)
    assert overdue(target, others, 99.9 + FLOOR_S - 0.01) == []
    assert overdue(target, others, 99.9 + FLOOR_S + 0.01) == [canary]
    assert overdue(target, others, 101.0) == [lone, canary]


def test_what_takes_longer_than_usual_is_waited_for_longer() -> None:
    assert patience_s([_taught(latency_s=1.0)], "", 100.0) == (2.0, 6.0)
    assert patience_s([_taught(latency_s=1.0)], "other", 100.0) is None
    assert patience_s([_taught(latency_s=1.0)], "", 200.0) is None, "that was long ago"


def test_only_a_target_that_had_longer_than_the_other_took_has_missed_a_request() -> None:
    target, owed = Silence(), Owed("", 99.0, canary=True)
    assert not target.miss(owed, 1.0, 1.5, 102.0), "it may be slow by nature"
    assert target.miss(owed, 1.0, 0.5, 101.0)
    target.heard(101.0)
    assert target.missed == 0
    assert not target.miss(owed, 1.0, 0.5, 102.0), "it has answered something"


def test_canaries_are_few() -> None:
    target = Silence()
    assert not target.wants_canary(100.0)
    target.suspect(100.0, 1.0)
    canaries = [Owed("", 100.0, canary=True) for _ in range(MISSES)]
    for canary in canaries:
        assert target.wants_canary(100.0)
        target.sent(canary)
    assert not target.wants_canary(100.0)
    for canary in canaries * 2:
        target.ended(canary)
    assert target.wants_canary(100.0)
    assert not target.wants_canary(1_000.0), "a suspicion ends"


def test_kinds_are_bounded() -> None:
    target = Silence()
    for number in range(3 * MAX_KINDS):
        target.learn(Owed(str(number), 100.0, canary=False), 100.0)
    assert sum(target.usual(str(number), 100.0) is not None for number in range(3 * MAX_KINDS)) <= MAX_KINDS


def test_an_operator_may_ask_for_fewer_misses() -> None:
    targets = Targets([quick, hanging, quick], rules=EjectionRules(failures=1))
    targets.run(200, 8)
    assert targets.ejections[0][0] - FAULT_S < 0.9
