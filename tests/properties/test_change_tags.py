"""Whatever was made of a row, before or after its change, is reached by the tags that the change names.

And a transaction is summed up so that nothing is lost, in memory that its size does not matter to.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from veneer.core.change_tags import TransactionTags, all_tags, tags_of
from veneer.core.row_changes import ChangeKind, ColumnTemplate, Row, RowChange, TableRules
from veneer.policy.template import parse_tag

COLUMNS = ("a", "b", "c")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)
VALUES = st.one_of(st.none(), st.sampled_from(["1", "2", "x:y", "*", "a/b", "ü", "", "%"]), TEXTS)
WHOLE = st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUES))
TEMPLATES = st.builds(
    lambda head, columns, tail: ColumnTemplate(
        (head, *(":" for _ in columns[1:]), tail) if columns else (head + "all",), tuple(columns)
    ),
    st.sampled_from(["t:", "t:u:", "v:"]),
    st.lists(st.sampled_from(COLUMNS), max_size=2),
    st.sampled_from(["", ":end"]),
)
RULES = st.builds(TableRules, st.just("s.t"), st.lists(TEMPLATES, min_size=1, max_size=3, unique=True).map(tuple))


@st.composite
def changes(draw: st.DrawFn) -> tuple[RowChange, list[Row]]:
    """A change as it is told, with columns left out, and the whole rows that it was of."""
    kind = draw(st.sampled_from([ChangeKind.INSERT, ChangeKind.UPDATE, ChangeKind.DELETE]))
    before = draw(WHOLE) if kind is not ChangeKind.INSERT else None
    after = draw(WHOLE) if kind is not ChangeKind.DELETE else None
    untold_old = draw(st.sets(st.sampled_from(COLUMNS)))
    untold_new: set[str] = set()
    if before is not None and after is not None:
        untold_new = draw(st.sets(st.sampled_from(COLUMNS)))
        after |= {column: before[column] for column in untold_new}  # it is left out because it is the same
    old = None if before is None else {c: v for c, v in before.items() if c not in untold_old}
    new = None if after is None else {c: v for c, v in after.items() if c not in untold_new}
    return RowChange("s.t", kind, old, new), [row for row in (before, after) if row is not None]


def path_tag(template: ColumnTemplate, row: Row) -> str | None:
    """The tag that a request gets whose path holds the row's values."""
    values = {column: row[column] for column in template.columns}
    if any(value is None for value in values.values()):
        return None
    text = template.texts[0] + "".join(
        f"{{{column}}}{tail}" for column, tail in zip(template.columns, template.texts[1:], strict=True)
    )
    return parse_tag(text, prefix_allowed=False).fill(
        {column: quote(value or "", safe="") for column, value in values.items()}
    )


def reached(tag: str, by: tuple[str, ...]) -> bool:
    def covers(named: str) -> bool:
        return named.endswith(":*") and f"{tag}:".startswith(named[:-1])

    return any(named in {tag, "*"} or covers(named) for named in by)


def needed(rules: TableRules, rows: list[Row]) -> Iterator[str]:
    for template in rules.tags:
        for row in rows:
            tag = path_tag(template, row)
            if tag is not None:
                yield tag


@settings(max_examples=500)
@given(RULES, changes())
def test_what_was_made_of_either_row_is_reached(rules: TableRules, change: tuple[RowChange, list[Row]]) -> None:
    told, rows = change
    named = tags_of(rules, told)
    for tag in needed(rules, rows):
        assert reached(tag, named)
        assert reached(tag, all_tags((rules,)))


@given(RULES, WHOLE)
def test_nothing_else_is_named_where_all_is_known(rules: TableRules, row: Row) -> None:
    named = tags_of(rules, RowChange("s.t", ChangeKind.INSERT, None, row))
    assert set(named) == set(needed(rules, [row]))


@settings(max_examples=300)
@given(RULES, st.lists(changes(), max_size=12), st.integers(1, 4))
def test_a_transaction_loses_nothing_and_stays_small(
    rules: TableRules, several: list[tuple[RowChange, list[Row]]], limit: int
) -> None:
    tags = TransactionTags([rules], limit)
    for told, _ in several:
        tags.add(told)
    named, gap = tags.take()
    assert not gap
    assert len(set(named)) == len(named) <= len(rules.tags) * (limit + 1)
    for _, rows in several:
        for tag in needed(rules, rows):
            assert reached(tag, named)
    one_by_one = [tag for told, _ in several for tag in tags_of(rules, told)]
    kept = [tag for tag in named if not tag.endswith("*")]
    assert kept == [tag for tag in dict.fromkeys(one_by_one) if tag in kept], "in the order in which they came"
    if limit > 3 * len(several) or not any(tag.endswith("*") for tag in named):
        assert set(named) == set(one_by_one)
