"""Each word that says why a request was no hit stands on the page that explains them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from veneer.core.outcome import Forward, Reason
from veneer.pipeline.lost import Loss

PAGE = (Path(__file__).parents[2] / "docs" / "why-no-hit.md").read_text("utf-8")
WORDS = frozenset(re.findall(r"`([a-z-]+)`", PAGE))


@pytest.mark.parametrize("word", [word.value for enum in (Reason, Loss) for word in enum])
def test_the_page_has_each_reason(word: str) -> None:
    assert word in WORDS


def test_the_page_has_each_way_to_be_forwarded_but_the_general_one_that_is_never_said() -> None:
    assert {word.value for word in Forward} - WORDS == {"miss"}
