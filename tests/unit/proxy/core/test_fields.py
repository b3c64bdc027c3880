"""Fields keep every octet, the order and the spelling."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.fields import Fields

OCTETS = st.binary(max_size=20)


def test_names_match_in_any_case_and_lines_join() -> None:
    fields = Fields([("Cache-Control", "max-age=1"), ("X", "y"), ("CACHE-CONTROL", "private")])
    assert fields.get("cache-control") == "max-age=1, private"
    assert fields.lines("cache-control") == ("max-age=1", "private")
    assert fields.first("cache-control") == "max-age=1"
    assert fields.get("absent") is None
    assert "x" in fields
    assert "absent" not in fields


def test_changes_make_new_fields() -> None:
    fields = Fields([("A", "1"), ("b", "2"), ("a", "3")])
    assert fields.without(("a",)).pairs == (("b", "2"),)
    assert fields.replaced("A", "9").pairs == (("b", "2"), ("A", "9"))
    assert fields.added(("c", "4")).pairs == (("A", "1"), ("b", "2"), ("a", "3"), ("c", "4"))
    assert len(fields) == 3


@given(st.lists(st.tuples(OCTETS, OCTETS), max_size=8))
def test_what_came_is_what_goes(pairs: list[tuple[bytes, bytes]]) -> None:
    assert Fields.from_raw(pairs).raw() == pairs
