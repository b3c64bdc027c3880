"""Tags of a response."""

import pytest

from veneer.core.fields import Fields
from veneer.core.tags import MAX_TAG_BYTES, MAX_TAGS, groups_of, tags_of


def test_three_fields_give_tags() -> None:
    fields = Fields([("Surrogate-Key", "a b:1"), ("Cache-Tag", "c, a,,d e"), ("Cache-Groups", '"g:1", "a"')])
    assert tags_of(fields) == ("a", "b:1", "c", "d e", "g:1")


@pytest.mark.parametrize("value", ["users", '"users', "users, users", 'users;"'])
def test_a_malformed_group_counts_all_the_same(value: str) -> None:
    assert any("users" in group for group in groups_of(Fields([("Cache-Groups", value)]), "cache-groups"))


def test_more_tags_than_can_be_kept_are_an_answer_of_their_own() -> None:
    at_most = Fields([("Surrogate-Key", " ".join(f"t{n}" for n in range(MAX_TAGS)))])
    assert len(tags_of(at_most) or ()) == MAX_TAGS
    assert tags_of(at_most.added(("Cache-Tag", "one more"))) is None
    assert tags_of(Fields([("Cache-Tag", "x" * (MAX_TAG_BYTES + 1))])) is None
