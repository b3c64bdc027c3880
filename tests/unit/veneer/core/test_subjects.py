"""What an event names and what an entry answers to."""

from __future__ import annotations

from tests.support.entries import stored
from veneer.core.entry import Position
from veneer.core.invalidation import Invalidation
from veneer.core.subjects import answered, named, path_of, prefixes


def test_an_entry_answers_to_each_tag_and_to_every_level_above_it() -> None:
    entry = stored(Position("e", 1), "a:b:c", "d", uri="site/p?q")
    assert answered(entry) == ("t:a:b:c", "t:a:b:c:*", "t:a:*", "t:a:b:*", "t:d", "t:d:*", "u:site/p?q", "u:/p?q")


def test_a_name_that_comes_twice_counts_once() -> None:
    assert answered(stored(Position("e", 1), "a", "a", uri="/p")) == ("t:a", "t:a:*", "u:/p")


def test_an_event_for_everything_names_nothing_else() -> None:
    assert list(named(Invalidation(tags=("a", "*")))) == ["*"]
    assert list(named(Invalidation(everything=True, uris=("/x",)))) == ["*"]


def test_an_event_names_tags_uris_and_prefixes() -> None:
    event = Invalidation(tags=("a:*",), uris=("s/x",), uri_prefixes=("/y",))
    assert list(named(event)) == ["t:a:*", "u:s/x", "p:/y"]


def test_prefixes_of_both_forms_of_the_uri_where_it_is_long_enough() -> None:
    entry = stored(Position("e", 1), uri="s/ab")
    assert list(prefixes(entry, (0, 2, 3, 4, 9))) == ["p:", "p:", "p:s/", "p:/a", "p:s/a", "p:/ab", "p:s/ab"]
    assert [path_of("s/ab"), path_of("/ab"), path_of("s")] == ["/ab", "/ab", "s"]
