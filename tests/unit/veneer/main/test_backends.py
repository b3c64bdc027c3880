"""Backends over a reload."""

from __future__ import annotations

from tests.support.clock import ManualClock
from veneer.loop.tasks import Tasks
from veneer.main.backends import MAX_GONE, Backends
from veneer.policy.model import UpstreamSettings


def named(*names: str) -> dict[str, UpstreamSettings]:
    return {name: UpstreamSettings(name, url="http://127.0.0.1:1") for name in names}


async def test_a_name_that_a_reload_takes_away_still_serves_who_began_with_it() -> None:
    tasks = Tasks()
    backends = Backends(ManualClock(), tasks)
    backends.apply(named("old"))
    began_with = backends["old"]
    backends.apply(named("new"))
    assert backends["old"] is began_with
    assert list(backends) == ["new"]
    assert "old" not in backends
    backends.apply(named("old"))
    assert backends["old"] is not began_with
    await backends.aclose()
    await tasks.aclose()


async def test_few_names_that_are_gone_are_remembered() -> None:
    tasks = Tasks()
    backends = Backends(ManualClock(), tasks)
    for number in range(MAX_GONE + 2):
        backends.apply(named(f"b{number}"))
    assert backends.get("b0") is None
    assert backends["b1"] is not None
    await backends.aclose()
    await tasks.aclose()
