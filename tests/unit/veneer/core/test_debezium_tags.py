"""What is unknown in Debezium's events, and the tags of rows."""

from __future__ import annotations

from tests.unit.veneer.core.test_debezium import change
from veneer.core.change_tags import counts
from veneer.core.debezium import DebeziumDecoder
from veneer.core.debezium_values import UNAVAILABLE
from veneer.core.row_changes import ColumnTemplate, TableRules


def test_an_update_of_what_cannot_be_told_differs_from_one_that_changed_nothing() -> None:
    rules = TableRules("public.users", (ColumnTemplate(("user:", ""), ("id",)),), ignore=frozenset({"seen"}))
    decoder = DebeziumDecoder(full_old_rows=True)

    def counted(before: object, after: object) -> bool:
        event = decoder.decode(b'{"id": 1}', change(before=before, after=after))
        return counts(rules, event.rows[0])

    assert counted({"id": 1, "rating": 4.5, "seen": 1}, {"id": 1, "rating": 4.0, "seen": 2})
    assert counted({"id": 1, "name": "a", "seen": 1}, {"id": 1, "name": "b", "seen": 1})
    assert not counted({"id": 1, "seen": 1}, {"id": 1, "seen": 2})
    assert not counted({"id": 1, "about": "long", "seen": 1}, {"id": 1, "about": UNAVAILABLE, "seen": 2})


def test_a_field_that_was_removed_from_a_document_is_a_difference() -> None:
    rules = TableRules("d.c", (ColumnTemplate(("user:", ""), ("_id",)),), ignore=frozenset({"seen"}))
    source = {"connector": "mongodb", "db": "d", "collection": "c"}
    event = DebeziumDecoder().decode(
        b'{"id": "1"}', change(source=source, before='{"_id": 1, "name": "a"}', after='{"_id": 1}')
    )
    assert counts(rules, event.rows[0])
