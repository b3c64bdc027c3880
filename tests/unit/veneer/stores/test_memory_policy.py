"""Which settings of Redis are right for what is kept there."""

from __future__ import annotations

import pytest

from veneer.stores.memory_policy import RIGHT, advice


@pytest.mark.parametrize("policy", RIGHT)
def test_what_evicts_only_what_expires_is_right(policy: str) -> None:
    assert advice(1_000_000, policy) is None


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
def test_without_a_bound_no_policy_means_anything(policy: str) -> None:
    assert advice(0, policy) is None


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ("noeviction", "when it is full nothing new is stored"),
        ("allkeys-lru", "it may evict the invalidation log"),
        ("allkeys-lfu", "it may evict the invalidation log"),
        ("allkeys-random", "it may evict the invalidation log"),
    ],
)
def test_others_are_warned_about_with_what_would_be_right(policy: str, why: str) -> None:
    found = advice(1_000_000, policy)
    assert found is not None
    assert found.startswith(f"maxmemory-policy {policy}: {why}")
    assert found.endswith("set one of volatile-lru, volatile-lfu, volatile-ttl, volatile-random")
