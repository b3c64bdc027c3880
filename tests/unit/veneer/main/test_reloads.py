from __future__ import annotations

from pathlib import Path

from veneer.main.reloads import ReloadCounts
from veneer.policy.load import load_policy
from veneer.policy.watch import PolicySource

ONE = "routes: [{name: one, match: {path: /a}}]\n"
TWO = "routes: [{name: two, match: {path: /a}}]\n"


async def test_a_refused_file_is_told_until_it_is_right_again(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(ONE)
    source = PolicySource(load_policy(path), lambda: load_policy(path), lambda outcome: counts.note(outcome, 5.0))
    counts = ReloadCounts(source, 1.0)
    first = counts.digest
    path.write_text(TWO)
    await source.reload()
    assert counts.digest != first
    assert (counts.since, counts.by_result, counts.successful) == (5.0, {"applied": 1, "refused": 0}, True)
    path.write_text("routes: 3\n")
    await source.reload()
    assert (counts.by_result, counts.successful) == ({"applied": 1, "refused": 1}, False)
    path.write_text(TWO)
    outcome = await source.reload()
    assert not outcome.changed
    assert counts.successful, "the file is in force again, though nothing has changed"
