"""The fingerprint of a target tells it from every other, in whatever way they are made."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from veneer.core.fields import Fields
from veneer.core.messages import RequestHead
from veneer.core.rules import Scope
from veneer.fastpath.fingerprint import fingerprint_at, fingerprint_of
from veneer.fastpath.learning import target_key
from veneer.fastpath.scan import Scanner

ALNUM = string.ascii_lowercase + string.digits
HOSTS = st.text(ALNUM + ".:-", min_size=1, max_size=20)
TARGETS = st.text(ALNUM + "/?=%-", max_size=40).map("/".__add__)


@pytest.mark.no_cover
@given(st.sets(st.tuples(HOSTS, TARGETS), min_size=2, max_size=12))
def test_different_places_differ_in_both_marks(places: set[tuple[str, str]]) -> None:
    fingerprint = [fingerprint_of(f"{host}\n{target}".encode()) for host, target in places]
    assert len({hash_a for hash_a, _ in fingerprint}) == len(places)
    assert len({hash_b for _, hash_b in fingerprint}) == len(places)


def test_what_moves_from_host_to_target_changes_the_marks() -> None:
    places = [b"a\n/b/c", b"a/b\n/c", b"a\n/c/b", b"b\n/a/c", b"c\n/b/a"]
    for one, other in combinations([fingerprint_of(place) for place in places], 2):
        assert one[0] != other[0]
        assert one[1] != other[1]


@given(HOSTS, TARGETS)
def test_a_request_that_was_scanned_has_the_fingerprint_of_one_that_was_read(host: str, target: str) -> None:
    scanned = Scanner().scan(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert scanned is not None
    shape, values = scanned
    found = fingerprint_at(shape.host, shape.host_hashed, values[0])
    assert found == fingerprint_of(target_key(RequestHead("GET", target, None, host, Fields())))


def test_a_name_without_a_host_is_refused() -> None:
    with pytest.raises(ValueError, match="not found"):
        fingerprint_of(b"/target")


def test_both_marks_are_others_in_another_process() -> None:
    """Their key is drawn at start: nobody outside can look for two places with the same ones."""
    script = "from veneer.fastpath.fingerprint import fingerprint_of; print(*fingerprint_of(b'site\\n/a'))"
    env = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    runs = [subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, check=True) for _ in range(2)]
    one, other = [tuple(int(number) for number in run.stdout.split()) for run in runs]
    assert len(one) == len(other) == 2
    assert one[0] != other[0]
    assert one[1] != other[1]


@pytest.mark.no_cover
@given(
    st.sets(
        st.tuples(TARGETS, st.none() | st.text("0123456789abcdef", min_size=4, max_size=4)), min_size=2, max_size=12
    )
)
def test_a_target_has_other_marks_in_each_scope(places: set[tuple[str, str | None]]) -> None:
    found = [fingerprint_of(b"a\n" + target.encode(), None if name is None else Scope(name)) for target, name in places]
    assert len({hash_a for hash_a, _ in found}) == len(places)
    assert len({hash_b for _, hash_b in found}) == len(places)
