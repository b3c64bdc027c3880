from __future__ import annotations

import pytest

from veneer.core.rate import Accuracy, RateOnStoreLoss
from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError


def test_a_limit_carries_everything_its_store_must_know() -> None:
    text = "version: 1\nrate_limits: {p: {rate: 10/1s, burst: 5, on_store_loss: closed, accuracy: leased}}\n"
    limit = parse_policy(text, "p").rate_limits["p"].limit
    assert (limit.on_store_loss, limit.accuracy) == (RateOnStoreLoss.CLOSED, Accuracy.LEASED)


def test_numbers_that_no_bucket_holds_are_named() -> None:
    with pytest.raises(PolicyError, match="out of range"):
        parse_policy("version: 1\nrate_limits: {p: {rate: 100000000/1s}}\n", "p")
