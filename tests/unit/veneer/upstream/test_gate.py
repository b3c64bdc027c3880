"""Places at a backend."""

from __future__ import annotations

from veneer.core.overload import Claim, Priority
from veneer.policy.model_concurrency import ConcurrencyRules
from veneer.upstream.gate import MAX_COUNTS, MIXED_FOR_S, RESERVED_FOR_S, Gate, Load
from veneer.upstream.settings import Endpoint, PoolSettings

NORMAL = Claim("a")
CRITICAL = Claim("a", Priority.CRITICAL)


def gate_for(most: int, *, adaptive: bool = True, critical_share: float = 0.0) -> Gate:
    rules = ConcurrencyRules(adaptive=adaptive, critical_share=critical_share)
    return Gate(PoolSettings(Endpoint.parse("http://one"), max_connections=most, concurrency=rules))


def test_there_are_as_many_as_connections_where_it_does_not_adapt() -> None:
    assert gate_for(300, adaptive=False).limit == 300
    assert gate_for(300).limit < 300
    assert gate_for(3).limit == 3


def test_a_place_is_taken_until_the_answer_or_the_end() -> None:
    gate = gate_for(2)
    one, two = gate.enter(NORMAL, 1.0), gate.enter(NORMAL, 1.0)
    assert (gate.in_use, one.among, two.among) == (2, 1, 2)
    assert not gate.admits(NORMAL, 1.0)
    gate.answered(one, 2.0)
    assert gate.admits(NORMAL, 2.0)
    gate.leave(two)
    assert (gate.in_use, gate.pace.per_s(2.0)) == (0, 1)


def test_slow_answers_under_load_leave_fewer_places() -> None:
    gate, now_s = gate_for(256), 10.0
    before = gate.limit
    for _ in range(20):
        places = [gate.enter(NORMAL, now_s) for _ in range(gate.limit)]
        for place in places:
            now_s += 0.1  # one after the other
            gate.answered(place, now_s)
    assert gate.limit < before


def test_an_answer_of_which_nobody_knows_when_it_was_asked_for_says_nothing() -> None:
    gate, now_s = gate_for(256), 10.0
    before = gate.limit
    for _ in range(20):
        places = [gate.enter(NORMAL, now_s) for _ in range(gate.limit)]
        for place in places:
            now_s += 0.1
            place.sent_s = 0.0
            gate.answered(place, now_s)
    assert gate.limit == before


def test_the_reserve_is_kept_for_a_while_and_never_all() -> None:
    gate = gate_for(4, critical_share=0.5)
    gate.enter(NORMAL, 1.0)
    gate.enter(NORMAL, 1.0)
    assert gate.admits(NORMAL, 1.0), "there was nothing critical yet"
    assert gate.admits(CRITICAL, 1.0)
    assert not gate.admits(NORMAL, 1.0)
    assert gate.admits(NORMAL, 1.0 + RESERVED_FOR_S)
    narrow = gate_for(1, critical_share=0.9)
    narrow.admits(CRITICAL, 1.0)
    assert narrow.admits(NORMAL, 1.0)


def test_a_route_is_held_to_its_share_while_there_are_others() -> None:
    gate = gate_for(4)
    for _ in range(3):
        gate.enter(NORMAL, 1.0)
    assert gate.admits(NORMAL, 1.0), "there are no others"
    gate.reached(Claim("b"), 2.0)
    assert [gate.admits(claim, 2.0) for claim in (NORMAL, Claim("b"))] == [False, True]
    assert gate.admits(NORMAL, 2.0 + MIXED_FOR_S)


def test_loads_add_up() -> None:
    assert Load(1, 2, 3, 4) + Load(10, 20, 30, 40) == Load(11, 22, 33, 44)


def test_routes_of_which_nothing_is_there_are_forgotten_and_others_keep_their_count() -> None:
    gate, slow = gate_for(8), Claim("slow")
    held = [gate.enter(slow, 1.0) for _ in range(6)]
    for number in range(3 * MAX_COUNTS):
        gate.leave(gate.enter(Claim(f"policy {number}"), 2.0))
    assert gate.counted <= MAX_COUNTS
    assert not gate.admits(slow, 2.0)  # it has its share
    gate.leave(held.pop())
    assert gate.admits(slow, 2.0)
