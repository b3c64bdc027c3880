"""A changed row invalidates what was made of it as it was, and what is made of it as it is."""

from __future__ import annotations

import pytest

from veneer.core.change_tags import MAX_VALUE_CHARS, TransactionTags, all_tags, counts, tags_of, wanted_columns
from veneer.core.row_changes import ChangeKind, ColumnTemplate, Row, RowChange, TableRules

BY_ID = ColumnTemplate(("user:", ""), ("id",))
BY_COMPANY = ColumnTemplate(("company:", ":users"), ("company_id",))
LIST = ColumnTemplate(("users",), ())
USERS = TableRules("public.users", (BY_ID, LIST, BY_COMPANY))


def insert(new: Row | None, table: str = "public.users") -> RowChange:
    return RowChange(table, ChangeKind.INSERT, None, new)


def update(old: Row | None, new: Row | None) -> RowChange:
    return RowChange("public.users", ChangeKind.UPDATE, old, new)


def delete(old: Row | None) -> RowChange:
    return RowChange("public.users", ChangeKind.DELETE, old, None)


TRUNCATE = RowChange("public.users", ChangeKind.TRUNCATE, None, None)


def test_an_insert_names_the_new_row_and_a_delete_the_old_one() -> None:
    row = {"id": "7", "company_id": "3"}
    assert tags_of(USERS, insert(row)) == tags_of(USERS, delete(row)) == ("user:7", "users", "company:3:users")


def test_an_update_names_both_rows() -> None:
    change = update({"id": "7", "company_id": "3"}, {"id": "7", "company_id": "4"})
    assert tags_of(USERS, change) == ("user:7", "users", "company:3:users", "company:4:users")


def test_null_names_nothing() -> None:
    assert tags_of(USERS, insert({"id": "7", "company_id": None})) == ("user:7", "users")
    two = TableRules("t.t", (ColumnTemplate(("a:", ":", ""), ("x", "y")),))
    assert tags_of(two, insert({"y": None}, "t.t")) == (), "whatever x is"


def test_an_unknown_column_names_all_of_its_kind() -> None:
    assert tags_of(USERS, insert({"id": "7"})) == ("user:7", "users", "company:*")
    assert tags_of(USERS, delete({"id": "7"})) == ("user:7", "users", "company:*")
    assert tags_of(USERS, update({"id": "7"}, {"id": "7", "company_id": "3"})) == ("user:7", "users", "company:*")


def test_what_an_update_left_alone_is_in_the_old_row() -> None:
    change = update({"id": "7", "company_id": "3"}, {"id": "7"})
    assert tags_of(USERS, change) == ("user:7", "users", "company:3:users")


@pytest.mark.parametrize("change", [insert(None), delete(None), update(None, {"id": "1", "company_id": "1"}), TRUNCATE])
def test_a_row_that_is_not_told_names_all_of_each_kind(change: RowChange) -> None:
    assert tags_of(USERS, change) == ("user:*", "users", "company:*")


def test_a_value_enters_a_tag_as_a_path_parameter_does() -> None:
    assert tags_of(USERS, insert({"id": "a:b*/ü %", "company_id": "-"}))[0] == "user:a%3Ab%2A/%C3%BC%20%25"


def test_a_very_long_value_stands_for_anything() -> None:
    assert (
        tags_of(USERS, insert({"id": "x" * MAX_VALUE_CHARS, "company_id": None}))[0] == "user:" + "x" * MAX_VALUE_CHARS
    )
    assert tags_of(USERS, insert({"id": "x" * (MAX_VALUE_CHARS + 1), "company_id": None}))[0] == "user:*"


def test_what_has_no_colon_before_its_column_can_only_name_everything() -> None:
    rules = TableRules("public.users", (BY_ID, ColumnTemplate(("user-", ""), ("id",))))
    assert all_tags((rules,)) == ("*",)
    assert tags_of(rules, TRUNCATE) == ("*",)


IGNORING = TableRules("public.users", (BY_ID,), ignore=frozenset({"seen", "hits"}))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"id": "1", "seen": "a", "hits": "1"}, {"id": "1", "seen": "b", "hits": "2"}, False),
        ({"id": "1", "seen": "a"}, {"id": "1", "seen": "a"}, False),
        ({"id": "1", "bio": "long", "seen": "a"}, {"id": "1", "seen": "b"}, False),
        ({"id": "1", "name": "a"}, {"id": "1", "name": "b"}, True),
        ({"id": "1", "name": None}, {"id": "1", "name": ""}, True),
        ({"id": "1"}, {"id": "1", "name": "b", "seen": "b"}, True),
        (None, {"id": "1"}, True),
    ],
)
def test_an_update_of_ignored_columns_alone_is_none(old: Row | None, new: Row, expected: bool) -> None:
    assert counts(IGNORING, update(old, new)) is expected
    assert bool(tags_of(IGNORING, update(old, new))) is expected


def test_other_changes_are_not_ignored() -> None:
    assert counts(IGNORING, insert({"seen": "a"}))
    assert counts(IGNORING, delete({"seen": "a"}))


PUBLISHED = TableRules("public.users", (BY_ID,), when=(("state", frozenset({"live", "held"})),))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (insert({"id": "1", "state": "draft"}), False),
        (insert({"id": "1", "state": None}), False),
        (insert({"id": "1", "state": "live"}), True),
        (insert({"id": "1"}), True),
        (delete({"id": "1", "state": "draft"}), False),
        (delete({"id": "1", "state": "held"}), True),
        (delete({"id": "1"}), True),
        (update({"id": "1", "state": "draft"}, {"id": "1", "state": "new"}), False),
        (update({"id": "1", "state": "draft"}, {"id": "1", "state": "live"}), True),
        (update({"id": "1", "state": "live"}, {"id": "1", "state": "draft"}), True),
        (update({"id": "1"}, {"id": "1", "state": "draft"}), True),
        (update({"id": "1", "state": "draft"}, {"id": "1"}), False),
        (update({"id": "1", "state": "live"}, {"id": "1"}), True),
        (TRUNCATE, True),
    ],
)
def test_a_row_counts_if_it_may_have_had_such_a_value_before_or_after(change: RowChange, expected: bool) -> None:
    assert bool(tags_of(PUBLISHED, change)) is expected


def test_every_named_column_has_to_have_one_of_its_values() -> None:
    both = TableRules("public.users", (BY_ID,), when=(("a", frozenset("1")), ("b", frozenset("1"))))
    assert not tags_of(both, insert({"id": "1", "a": "1", "b": "2"}))
    assert tags_of(both, update({"id": "1", "a": "1", "b": "2"}, {"id": "1", "a": "2", "b": "1"}))


def test_which_columns_are_needed() -> None:
    assert wanted_columns(USERS) == {"id", "company_id"}
    assert wanted_columns(PUBLISHED) == {"id", "state"}
    assert wanted_columns(IGNORING) is None, "all are compared"


def test_a_transaction_names_each_tag_once_in_order() -> None:
    tags = TransactionTags([USERS])
    for number in ("2", "1", "2", "3"):
        tags.add(insert({"id": number, "company_id": None}))
    assert tags.take() == (("user:2", "users", "user:1", "user:3"), "")
    assert tags.take() == ((), ""), "and then it begins anew"


def test_a_large_transaction_is_summed_up_for_each_template() -> None:
    tags = TransactionTags([USERS], limit=3)
    for number in range(10):
        tags.add(insert({"id": str(number), "company_id": str(number % 2)}))
    assert tags.take() == (("users", "company:0:users", "company:1:users", "user:*"), "")
    tags.add(insert({"id": "1", "company_id": None}))
    assert tags.take() == (("user:1", "users"), ""), "the next is not"


def test_a_table_that_adds_nothing_more_is_settled_until_the_next_transaction() -> None:
    tags = TransactionTags([USERS, TableRules("public.other", (LIST,))])
    tags.add(TRUNCATE)
    assert tags.settled == {"public.users"}
    tags.add(insert({"id": "1", "company_id": "1"}))
    tags.add(insert({}, "public.other"))
    assert tags.settled == {"public.users", "public.other"}
    assert tags.take() == (("user:*", "users", "company:*"), "")
    assert not tags.settled


def test_a_table_without_rules_may_mean_anything() -> None:
    tags = TransactionTags([USERS])
    tags.add(insert({"id": "1", "company_id": "1"}))
    tags.add(insert({"id": "1"}, "public.unmapped"))
    tags.everything("later")
    assert tags.take() == (("user:*", "users", "company:*"), "public.unmapped is told of and has no tags")
    tags.add(insert({"id": "1", "company_id": None}))
    assert tags.take() == (("user:1", "users"), "")


def test_all_tags_are_those_of_every_table_once() -> None:
    other = TableRules("public.posts", (LIST, ColumnTemplate(("post:", ""), ("id",))))
    assert all_tags((USERS, other)) == ("user:*", "users", "company:*", "post:*")
    assert all_tags(()) == ()


NAMED = TableRules(
    "public.users", (BY_ID, ColumnTemplate(("names:", ""), ("company_id",), frozenset({"name", "company_id"})))
)


@pytest.mark.parametrize(
    ("old", "new", "tags"),
    [
        ({"name": "Ann", "title": "a"}, {"name": "Ann", "title": "b"}, ("user:7",)),
        ({"name": "Ann", "title": "a"}, {"name": "Bob", "title": "a"}, ("user:7", "names:3")),
        ({"name": "Ann", "title": "a"}, {"title": "b"}, ("user:7",)),
        ({"title": "a"}, {"name": "Ann", "title": "a"}, ("user:7", "names:3")),
        ({"name": None, "title": "a"}, {"name": None, "title": "b"}, ("user:7",)),
        ({"name": None, "title": "a"}, {"name": "", "title": "a"}, ("user:7", "names:3")),
    ],
)
def test_a_tag_that_depends_on_columns_is_named_only_where_these_change(
    old: Row, new: Row, tags: tuple[str, ...]
) -> None:
    same = {"id": "7", "company_id": "3"}
    assert tags_of(NAMED, update({**same, **old}, {**same, **new})) == tags


def test_a_tag_that_depends_on_columns_is_named_by_rows_that_come_and_go_and_where_the_old_row_is_not_told() -> None:
    row = {"id": "7", "company_id": "3", "name": "Ann"}
    assert tags_of(NAMED, insert(row)) == tags_of(NAMED, delete(row)) == ("user:7", "names:3")
    assert "names:*" in tags_of(NAMED, update(None, row))
    assert NAMED.columns == {"id", "company_id", "name"}
