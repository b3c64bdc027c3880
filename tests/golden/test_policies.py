from pathlib import Path

import pytest

from tests.golden.cases import CASES, outcome_of, split


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_golden_policy(case: Path) -> None:
    text, outcome = split(case)
    assert outcome, "a case has a divider and an outcome"
    renew = "meant so? `python -m tests.golden` renews what follows the divider; read the difference"
    assert outcome_of(text) == outcome, renew


def test_there_are_cases() -> None:
    assert len(CASES) >= 30
