"""Golden policies: a text, a divider, and what becomes of it: the policy rendered, or the report."""

from __future__ import annotations

from pathlib import Path

from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError
from veneer.policy.render import render_policy
from veneer.policy.warnings import report

DIVIDER = "----------\n"
CASES = sorted(Path(__file__).parent.glob("*.txt"))


def split(path: Path) -> tuple[str, str]:
    """The input and the expected outcome of a case."""
    text, _, outcome = path.read_text(encoding="utf-8").partition(DIVIDER)
    return text, outcome


def outcome_of(text: str) -> str:
    """What becomes of a policy text."""
    try:
        policy = parse_policy(text, "policies.yaml")
        warnings = "".join(f"warning: {line}\n" for line in report(policy.warnings, "policies.yaml"))
        return render_policy(policy) + warnings
    except PolicyError as error:
        return f"{error}\n"
