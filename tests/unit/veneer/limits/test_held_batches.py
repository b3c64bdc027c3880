from __future__ import annotations

from veneer.core.batches import terms_of
from veneer.core.rate import RateLimit
from veneer.limits.held_batches import Batch, BatchTicket, ClientBatches, HeldBatches

LIMIT = RateLimit("p", 1_000, 60, 1_000)
EACH_US = LIMIT.interval_us
TERMS = terms_of(LIMIT, 1)
TICKET = BatchTicket(0, 0, 0)


def batch(left: int, until_s: float = 10.0) -> Batch:
    return Batch(left, left, until_s, TICKET, ahead=True)


def held(left: int, until_s: float = 10.0) -> ClientBatches:
    client = ClientBatches("a", LIMIT)
    client.add(batch(left, until_s), left * EACH_US, 9.0)
    return client


def test_a_batch_is_spent_and_not_overspent() -> None:
    client = held(3)
    answers = [client.spend(LIMIT, 9.0) for _ in range(4)]
    assert [answer and (answer.allowed, answer.remaining) for answer in answers] == [
        (True, 998),
        (True, 997),
        (True, 996),
        None,
    ]


def test_a_batch_that_has_expired_is_not_spent() -> None:
    client = held(3)
    assert client.spend(LIMIT, 9.999) is not None
    assert client.holds(9.999)
    assert client.spend(LIMIT, 10.0) is None
    assert not client.holds(10.0)


def test_what_is_given_back_is_not_spent() -> None:
    client, one = ClientBatches("a", LIMIT), batch(3)
    client.add(one, 3 * EACH_US, 9.0)
    assert client.spend(LIMIT, 9.0) is not None
    assert (one.take_unspent(), one.size, one.take_unspent()) == (2, 1, 0)
    assert client.spend(LIMIT, 9.0) is None


def test_the_batch_asked_for_ahead_follows_the_first() -> None:
    client = held(2)
    client.add(batch(3, 12.0), 5 * EACH_US, 9.0)
    assert client.left(9.0) == 5
    assert [client.spend(LIMIT, 9.0) is not None for _ in range(6)] == [True] * 5 + [False]


def test_the_batch_asked_for_ahead_outlives_the_first() -> None:
    client = held(2)
    client.add(batch(3, 12.0), 5 * EACH_US, 9.0)
    assert [client.spend(LIMIT, 11.0) is not None for _ in range(4)] == [True] * 3 + [False]


def test_a_place_for_one_alone_leaves_what_is_held() -> None:
    client = held(2)
    client.add(Batch(1, 0, 10.0, TICKET, ahead=True), 3 * EACH_US, 9.0)
    assert client.left(9.0) == 2


def test_the_next_batch_is_due_at_half_and_only_there() -> None:
    client = held(8)
    low = []
    for _ in range(8):
        client.spend(LIMIT, 9.0)
        low.append(client.is_low())
    assert low == [False] * 3 + [True] + [False] * 4


def test_what_the_bucket_works_off_meanwhile_counts_for_the_client() -> None:
    client = ClientBatches("a", LIMIT)
    client.add(batch(3, 99.0), 500 * EACH_US, 9.0)  # 497 by others
    first, later = client.spend(LIMIT, 9.0), client.spend(LIMIT, 9.0 + 10 * EACH_US / 1e6)
    assert first is not None
    assert later is not None
    assert (first.remaining, later.remaining) == (502, 511)


def test_the_backlog_is_never_less_than_the_request_itself() -> None:
    client = held(3, 9_999.0)
    answer = client.spend(LIMIT, 5_000.0)
    assert answer is not None
    assert answer.backlog_us == EACH_US


def test_the_pace_tells_how_many_to_ask_for() -> None:
    client = held(40)
    for _ in range(20):
        client.spend(LIMIT, 9.0)
    assert client.wants(TERMS, 9.05) == 100
    assert client.wants(TERMS, 19.0) == 1


def test_all_who_wait_are_asked_for() -> None:
    client = ClientBatches("a", LIMIT)
    client.waiting = 30
    assert client.wants(TERMS, 9.0) == 31


def test_no_more_than_a_node_may_hold_is_asked_for() -> None:
    terms = terms_of(RateLimit("p", 1_000, 1, 1_000), 1)
    client = held(8)
    assert client.wants(terms, 9.0) == 2


def test_clients_that_hold_nothing_make_room() -> None:
    known = HeldBatches(2)
    known.of("a", LIMIT, 9.0).add(batch(3), 3 * EACH_US, 9.0)
    known.of("b", LIMIT, 9.0)
    known.of("c", LIMIT, 9.0)
    assert [known.get(key) is not None for key in "abc"] == [True, False, True]


def test_never_more_clients_than_asked_for() -> None:
    known = HeldBatches(100)
    for number in range(500):
        known.of(f"c{number}", LIMIT, 9.0).add(batch(3), 3 * EACH_US, 9.0)
    assert len(known) == 100
