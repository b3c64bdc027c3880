from __future__ import annotations

import pytest

from veneer.core.rate import (
    RateLimit,
    RateOnStoreLoss,
    RateVerdict,
    backlog,
    client_network,
    grants,
    limit_field,
    retry_after_field,
    tighter,
)

PER_CLIENT = RateLimit("per-client", 1000, 60, 100)


def test_a_thousand_a_minute_is_one_in_sixty_milliseconds() -> None:
    assert (PER_CLIENT.interval_us, PER_CLIENT.tolerance_us) == (60_000, 5_940_000)


def test_an_interval_is_rounded_up_to_whole_microseconds() -> None:
    assert RateLimit("p", 7, 60, 1).interval_us == 8_571_429


def test_changed_numbers_change_the_key() -> None:
    keys = {RateLimit("p", quota, 60, burst).key for quota in (10, 20) for burst in (1, 2)}
    assert len(keys) == 4
    assert RateLimit("p", 10, 60, 1, on_store_loss=RateOnStoreLoss.OPEN).key in keys


@pytest.mark.parametrize(
    ("quota", "window_s", "burst", "name", "says"),
    [
        (0, 60, 1, "p", "at least 1"),
        (1, 60, 0, "p", "at least 1"),
        (1, 0, 1, "p", "out of range"),
        (1_000_001, 1, 1, "p", "out of range"),
        (1, -5, 1, "p", "out of range"),
        (1, 86_400 * 365, 1_000, "p", "out of range"),
        (1, 60, 1, "p\n", "printable"),
        (1, 60, 1, "größe", "printable"),
    ],
)
def test_impossible_limits_are_refused(quota: int, window_s: float, burst: int, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        RateLimit(name, quota, window_s, burst)


def test_several_at_once_count_as_one_after_the_other() -> None:
    assert grants(PER_CLIENT, 0, 1000) == 100
    assert grants(PER_CLIENT, 10 * PER_CLIENT.interval_us, 1000) == 90
    assert grants(PER_CLIENT, 10 * PER_CLIENT.interval_us, 7) == 7
    assert grants(PER_CLIENT, PER_CLIENT.tolerance_us, 7) == 1
    assert grants(PER_CLIENT, PER_CLIENT.tolerance_us + 1, 7) == 0


def test_the_past_is_an_empty_backlog() -> None:
    assert backlog(PER_CLIENT, 5, 10) == 0


def test_fields_of_an_admitted_request() -> None:
    answer = RateVerdict(PER_CLIENT, True, PER_CLIENT.interval_us)
    assert PER_CLIENT.policy_text == '"per-client";q=1000;w=60'
    assert limit_field(answer) == '"per-client";r=99;t=1'


def test_fields_of_a_refused_request() -> None:
    limit = RateLimit("p", 2, 60, 1)
    answer = RateVerdict(limit, False, 30_000_000)
    assert (answer.remaining, answer.retry_after_s, answer.reset_s) == (0, 30.0, 30.0)
    assert limit_field(answer) == '"p";r=0;t=30'
    assert retry_after_field(answer) == "30"


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.000001, "2"), (59.5, "60")])
def test_retry_after_is_rounded_up(seconds: float, text: str) -> None:
    assert retry_after_field(RateVerdict(PER_CLIENT, False, PER_CLIENT.tolerance_us + round(seconds * 1e6))) == text


def test_names_are_quoted_as_structured_field_strings() -> None:
    assert RateLimit('a"b\\c', 1, 1.5, 1).policy_text == '"a\\"b\\\\c";q=1;w=2'


def test_a_share_is_named_like_the_whole_but_counted_apart() -> None:
    share = PER_CLIENT.share(4)
    assert (share.name, share.interval_us, share.burst) == ("per-client", 240_000, 25)
    assert share.key != PER_CLIENT.key
    assert PER_CLIENT.share(0) == PER_CLIENT


@pytest.mark.parametrize(
    ("address", "bits", "network"),
    [
        ("192.0.2.1", 64, "192.0.2.1"),
        ("2001:db8::1", 64, "2001:db8::/64"),
        ("2001:db8::ffff:1", 64, "2001:db8::/64"),
        ("2001:db8:0:1::1", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:1::1", 48, "2001:db8::/48"),
        ("2001:db8::1", 128, "2001:db8::1"),
        ("a:b", 64, "a:b"),
    ],
)
def test_a_network_of_version_six_is_one_client(address: str, bits: int, network: str) -> None:
    assert client_network(address, bits) == network


def test_the_tighter_of_two_verdicts() -> None:
    few, many = RateLimit("few", 2, 10, 2), RateLimit("many", 100, 10, 100)
    admitted, plenty = RateVerdict(few, True, few.interval_us), RateVerdict(many, True, many.interval_us)
    refused = RateVerdict(many, False, 2 * many.tolerance_us)
    assert tighter(admitted, plenty) is tighter(plenty, admitted) is admitted
    assert tighter(admitted, refused) is tighter(refused, admitted) is refused
