"""Results as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from checks.conformance.expectations import Difference, Expectation
from checks.conformance.judge import Result, Score, Verdict, score
from checks.conformance.suite import CacheTest, Kind, Suite

# Published results of December 2025 (repository http-tests/cache-tests), scored by the suite's own rules.
PUBLISHED = (
    ("Apache Traffic Server 9.2.5", 132, 70),
    ("Squid 6.13", 122, 59),
    ("Varnish 7.7.3", 119, 45),
    ("nginx 1.28.0", 99, 59),
)


def table(found: Score) -> str:
    """The scores beside the peers' published ones."""
    rows = [f"{'':28} {'required':>8} {'optimal':>8} {'checks':>8}"]
    rows.append(f"{'Veneer':28} {found.required:8} {found.optimal:8} {found.checks:8}")
    rows += [f"{name:28} {required:8} {optimal:8} {'-':>8}" for name, required, optimal in PUBLISHED]
    rows.append(f"{'of':28} {160:8} {105:8} {100:8}")
    return "\n".join(rows)


def groups(suite: Suite, verdicts: Mapping[str, Verdict]) -> str:
    """One line for every group: what passed of what there is."""
    rows = []
    for group in suite.groups:
        cells = []
        for kind in Kind:
            of_kind = [t.id for t in group.tests if t.kind is kind and t.id in verdicts]
            passed = score(suite, {name: verdicts[name] for name in of_kind})
            count = passed.required + passed.optimal + passed.checks
            cells.append(f"{count:3} / {len(of_kind):2}" if of_kind else " " * 8)
        if any(cell.strip() for cell in cells):
            rows.append(f"  {group.id:26} " + " ".join(cells))
    return "\n".join(rows)


def unexpected(found: Sequence[Difference]) -> str:
    """Every difference with what was expected and why."""
    blocks = []
    for difference in found:
        lines = [f"{difference.test_id}: {difference.verdict.value}, expected {difference.expected.verdict.value}"]
        if difference.message:
            lines.append(f"    {difference.message}")
        if difference.expected.reason:
            lines.append(f"    expected because: {difference.expected.reason}")
        blocks.append("\n".join(lines))
    return "\n".join(blocks)


def listing(suite: Suite, tests: Sequence[CacheTest], expected: Mapping[str, Expectation]) -> str:
    """Groups and tests with what is expected of each."""
    chosen = {test.id for test in tests}
    lines = []
    for group in suite.groups:
        named = [t for t in group.tests if t.id in chosen]
        if named:
            lines.append(f"{group.id}: {group.name}")
        lines += [f"  {t.id:58} {t.kind.value:8} {expected[t.id].verdict.value}" for t in named]
    return "\n".join(lines)


def single(suite: Suite, test_id: str, verdict: Verdict, result: Result, expected: Expectation) -> str:
    """One test in full."""
    test = suite[test_id]
    lines = [f"{test.id} ({test.kind.value}): {verdict.value}, expected {expected.verdict.value}", f"    {test.name}"]
    if result.message:
        lines.append(f"    {result.message}")
    if test.depends_on:
        lines.append(f"    builds on {', '.join(test.depends_on)}")
    return "\n".join(lines)
