"""Renews the golden outcomes: `python -m tests.golden`. Read the difference before you commit it."""

from tests.golden.cases import CASES, DIVIDER, outcome_of, split

for case in CASES:
    text, outcome = split(case)
    if outcome != (found := outcome_of(text)):
        case.write_text(f"{text}{DIVIDER}{found}", encoding="utf-8")
