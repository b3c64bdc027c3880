"""A digest of several values tells lists apart, and purposes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from veneer.core.digests import digest_of_parts

PARTS = st.lists(st.binary(max_size=3), max_size=4)


@given(PARTS, PARTS)
def test_lists_are_alike_only_part_by_part(one: list[bytes], other: list[bytes]) -> None:
    assert (digest_of_parts(one, size=20) == digest_of_parts(other, size=20)) is (one == other)


def test_it_has_its_size_and_its_purpose() -> None:
    assert len(digest_of_parts([b"a"], size=16)) == 32
    assert digest_of_parts([b"a"], size=16) != digest_of_parts([b"a"], size=16, person=b"scope")
