"""Fields keep every byte, the order and the spelling."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from veneer.core.fields import Fields, Pair

BYTES = st.binary(max_size=20)


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


@given(st.lists(st.tuples(BYTES, BYTES), max_size=8))
def test_what_came_is_what_goes(pairs: list[tuple[bytes, bytes]]) -> None:
    assert Fields.from_raw(pairs).raw() == pairs


NAMES = st.sampled_from(["A", "a", "B", "Content-Length", "content-length", "X"])
PAIRS = st.lists(st.tuples(NAMES, st.text("xy", max_size=2)), max_size=6)


@given(PAIRS, PAIRS, st.frozensets(NAMES.map(str.lower)), NAMES, st.booleans())
def test_fields_made_from_others_answer_like_fields_made_anew(
    pairs: list[Pair], more: list[Pair], names: frozenset[str], name: str, looked: bool
) -> None:
    fields = Fields(pairs)
    if looked:
        fields.get("a")
    for made in (
        fields.added(*more),
        fields.followed_by(Fields(more)),
        fields.without(names),
        fields.replaced(name, "z"),
        fields.without(names),
    ):
        anew = Fields(made.pairs)
        assert list(made.names()) == list(anew.names())
        assert [made.lines(each) for each in made.names()] == [anew.lines(each) for each in anew.names()]
    assert fields == Fields(pairs)
    assert fields.lines("a") == Fields(pairs).lines("a")


def test_shared_fields_are_equal_and_hold_equal_lines_once() -> None:
    one = Fields([("Server".upper(), "x" * 3), ("A", "b")]).shared()
    other = Fields([("Server".upper(), "xxx"), ("A", "c")]).shared()
    assert other.pairs == (("SERVER", "xxx"), ("A", "c"))
    assert one.pairs[0] is other.pairs[0]


def test_lines_that_are_shared_already_stay_the_same_objects() -> None:
    once = Fields([("A", "b"), ("C", "d")]).shared()
    assert all(line is again for line, again in zip(once.pairs, once.shared().pairs, strict=True))


def test_fields_whose_lines_are_shared_are_their_own_shared_form() -> None:
    fields = Fields([("A", "b")])
    once = fields.shared()
    assert once is not fields
    assert once.shared() is once
    assert once.added(("C", "d")).shared() == Fields([("A", "b"), ("C", "d")])


def test_fields_at_rest_say_the_same_and_wake_up() -> None:
    fields = Fields([("A", "1"), ("B", "2"), ("a", "3")])
    awake = dict(fields.joined)
    assert fields.once(len) == 3
    fields.drop_derived()
    assert dict(fields.joined) == awake == {"a": "1, 3", "b": "2"}
    assert (fields.get("a"), fields.get("c"), "b" in fields, "c" in fields) == ("1, 3", None, True, False)
    assert fields.without(["a"]).pairs == (("B", "2"),)
    assert fields.added(("C", "4")).get("a") == "1, 3"
    assert fields.once(len) == 3
    fields.rebuild_derived()
    assert fields.joined == awake


def test_fields_that_are_what_is_worked_out_of_them_do_not_hold_themselves() -> None:
    fields = Fields([("A", "1")])

    def itself(given: Fields) -> Fields:
        return given

    before = sys.getrefcount(fields)
    assert fields.once(itself) is fields
    assert fields.once(itself) is fields
    assert sys.getrefcount(fields) == before
