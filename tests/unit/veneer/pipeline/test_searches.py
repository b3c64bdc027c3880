"""What is remembered of a path's queries."""

import pytest

from tests.support.exchanges import request
from veneer.core.key import NoVarySearch
from veneer.pipeline import searches
from veneer.pipeline.searches import NoVarySearchHints

ANY = NoVarySearch(except_all=True)


def test_the_last_word_of_a_path_counts() -> None:
    known = NoVarySearchHints()
    assert known.of(request(query="a")) is None
    known.learn(request(query="a"), ANY)
    assert known.of(request(query="b")) == ANY
    assert known.of(request(path="/other", query="b")) is None
    assert known.of(request()) is None
    known.learn(request(query="c"), None)
    assert known.of(request(query="b")) is None


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "LIMIT", 2)
    known = NoVarySearchHints()
    for path in ("/a", "/b", "/c"):
        known.learn(request(path=path, query=""), ANY)
    assert len(known) == 2
    assert known.of(request(path="/a", query="")) is None
