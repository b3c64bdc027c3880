"""What is unknown in Debezium's events, and the tags of rows."""

from __future__ import annotations

import pytest

from tests.unit.veneer.core.test_debezium import change
from veneer.core.change_tags import tags_of
from veneer.core.debezium import DebeziumDecoder
from veneer.core.debezium_values import UNAVAILABLE
from veneer.core.row_changes import ColumnTemplate, TableRules

USER = ColumnTemplate(("user:", ""), ("id",))
SEEN = frozenset({"seen"})
IGNORING = TableRules("public.users", (USER,), ignore=SEEN)
RATED = TableRules("public.users", (ColumnTemplate(("rated:", ""), ("id",), frozenset({"rating"})),))
WHEN = TableRules("public.users", (USER,), when=(("rating", frozenset({"4.5"})),))


def named(rules: TableRules, before: object, after: object) -> tuple[str, ...]:
    event = DebeziumDecoder(full_old_rows=True).decode(b'{"id": 1}', change(before=before, after=after))
    return tags_of(rules, event.rows[0])


@pytest.mark.parametrize(
    ("rules", "before", "after", "tags"),
    [
        (IGNORING, {"id": 1, "rating": 4.5, "seen": 1}, {"id": 1, "rating": 4.0, "seen": 2}, ("user:1",)),
        (IGNORING, {"id": 1, "name": "a", "seen": 1}, {"id": 1, "name": "b", "seen": 1}, ("user:1",)),
        (IGNORING, {"id": 1, "seen": 1}, {"id": 1, "seen": 2}, ()),
        (IGNORING, {"id": 1, "about": "long", "seen": 1}, {"id": 1, "about": UNAVAILABLE, "seen": 2}, ()),
        (RATED, {"id": 1, "rating": 4.5}, {"id": 1, "rating": 4.0}, ("rated:1",)),
        (RATED, {"id": 1, "rating": None}, {"id": 1, "rating": 4.0}, ("rated:1",)),
        (RATED, {"id": 1, "rating": 4, "name": "a"}, {"id": 1, "rating": 4, "name": "b"}, ()),
        (WHEN, {"id": 1, "rating": None}, {"id": 1, "rating": 4.5}, ("user:1",)),
        (WHEN, {"id": 1, "rating": 3}, {"id": 1, "rating": 4}, ()),
    ],
)
def test_an_update_of_what_cannot_be_told_may_be_any(
    rules: TableRules, before: object, after: object, tags: tuple[str, ...]
) -> None:
    assert named(rules, before, after) == tags


@pytest.mark.parametrize(
    ("before", "after", "described"),
    [
        ('{"_id": 1, "rating": 4}', '{"_id": 1}', None),
        (None, '{"_id": 1}', {"removedFields": ["rating"]}),
        (None, None, {"removedFields": ["rating"]}),
        (None, None, {"updatedFields": '{"rating.by": 4}'}),
        (None, '{"_id": 1, "rating": {"by": 4}}', {"updatedFields": '{"rating.by": 4}'}),
    ],
)
def test_a_field_of_a_document_that_was_removed_or_changed_within_is_a_difference(
    before: object, after: object, described: object
) -> None:
    source = {"connector": "mongodb", "db": "public", "collection": "users"}
    template = ColumnTemplate(("rated:", ""), ("_id",), frozenset({"rating"}))
    event = DebeziumDecoder().decode(
        b'{"id": "1"}', change(source=source, before=before, after=after, updateDescription=described)
    )
    assert tags_of(TableRules("public.users", (template,)), event.rows[0]) == ("rated:1",)
