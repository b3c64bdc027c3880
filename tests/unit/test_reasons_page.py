"""Each word that says why a request was no hit stands on the page that explains them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from veneer.core.outcome import Forward, Reason
from veneer.pipeline.lost import Loss
from veneer.policy.remedies import REMEDIES

PAGE = (Path(__file__).parents[2] / "docs" / "why-no-hit.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]
WORDS = frozenset(re.findall(r"`([a-z-]+)`", PAGE))


@pytest.mark.parametrize("word", [word.value for enum in (Reason, Loss) for word in enum])
def test_the_page_has_each_reason(word: str) -> None:
    assert word in WORDS


def test_the_page_has_each_way_to_be_forwarded_but_the_general_one_that_is_never_said() -> None:
    assert {word.value for word in Forward} - WORDS == {"miss"}


def helps(word: str) -> str:
    """What the page says to a reason, without its links."""
    found = next(cells for cells in ROWS if f"`{word}`" in cells[0] and len(cells) == 3)
    return re.sub(r" \(\[.*?\]\(.*?\)\)", "", found[2])


@pytest.mark.parametrize("reason", Reason)
def test_what_helps_is_what_explain_says(reason: Reason) -> None:
    said = REMEDIES.get(reason, "")
    if said or any(f"`{reason.value}`" in cells[0] and len(cells) == 3 for cells in ROWS):
        assert helps(reason.value) in (said, "the same")
