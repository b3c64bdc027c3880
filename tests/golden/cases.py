"""Golden policies: a text, a divider, and what becomes of it: the policy and what is said of it, or the report."""

from __future__ import annotations

import os
from pathlib import Path

from veneer.cli.without_redis import without_redis
from veneer.policy.load import parse_policy
from veneer.policy.problems import PolicyError
from veneer.policy.render import render_policy
from veneer.policy.sources import Sources
from veneer.policy.warnings import report

DIVIDER = "----------\n"
CASES = sorted(Path(__file__).parent.glob("*.txt"))


def split(path: Path) -> tuple[str, str]:
    """The input and the expected outcome of a case."""
    text, _, outcome = path.read_text(encoding="utf-8").partition(DIVIDER)
    return text, outcome


def surroundings() -> Sources:
    """What the texts may take from elsewhere."""
    folder = Path(__file__).parent
    secret = (folder / "files" / "secret").read_text("utf-8").strip()
    return Sources(folder, {**os.environ, "A": secret, "API_SECRET": secret, "OTHER_SECRET": secret, "SHORT": "short"})


def outcome_of(text: str) -> str:
    """What becomes of a policy text."""
    try:
        policy = parse_policy(text, "policies.yaml", sources=surroundings())
        warnings = "".join(f"warning: {line}\n" for line in report(policy.warnings, "policies.yaml"))
        return render_policy(policy) + warnings + without_redis(policy)
    except PolicyError as error:
        return f"{error}\n"
