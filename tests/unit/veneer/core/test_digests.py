"""A digest of several values tells lists apart, and purposes."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.digests import digest_of_parts, is_keyed_hash

PARTS = st.lists(st.binary(max_size=3), max_size=4)


@given(PARTS, PARTS)
def test_lists_are_alike_only_part_by_part(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_of_parts(one, size=20) == digest_of_parts(other, size=20)) is (one == other)


def test_it_has_its_size_and_its_purpose() -> None:
    assert len(digest_of_parts([b"a"], size=16)) == 32
    assert digest_of_parts([b"a"], size=16) != digest_of_parts([b"a"], size=16, person=b"scope")


@pytest.mark.parametrize(
    ("algorithm", "hash_bits", "cutoff", "keyed"),
    [
        ("siphash13", 64, 0, True),
        ("siphash24", 64, 0, True),
        ("fnv", 64, 0, False),
        ("siphash13", 32, 0, False),
        ("siphash13", 64, 7, False),
        (sys.hash_info.algorithm, sys.hash_info.hash_bits, sys.hash_info.cutoff, True),
    ],
)
def test_hashes_that_are_short_or_not_keyed_are_not_enough(
    algorithm: str, hash_bits: int, cutoff: int, keyed: bool
) -> None:
    assert is_keyed_hash(algorithm, hash_bits, cutoff) is keyed
