"""The states of backends, as whoever watches is told them."""

from __future__ import annotations

import pytest

from tests.support.clock import ManualClock
from tests.unit.veneer.upstream.conftest import request
from veneer.loop.tasks import Tasks
from veneer.policy.model import BreakerRules, HealthRules, UpstreamSettings
from veneer.policy.model_targets import RetryRules, TargetSettings
from veneer.ports import UpstreamError
from veneer.upstream.health import CheckedPool
from veneer.upstream.open import open_upstream
from veneer.upstream.states import states_of

NOBODY = "http://127.0.0.1:1"


async def states(settings: UpstreamSettings, *, down: bool = False, ask: int = 0) -> list[str]:
    tasks = Tasks()
    upstream = open_upstream(settings, ManualClock(), tasks)
    if down:
        assert isinstance(upstream, CheckedPool)
        upstream.healthy = False
    for _ in range(ask):
        with pytest.raises(UpstreamError):
            await upstream.exchange(request("POST"), None)
    found = [state for _, state in states_of(upstream, settings)]
    await upstream.aclose()
    await tasks.aclose()
    return found


async def test_of_one_backend() -> None:
    assert await states(UpstreamSettings("a", NOBODY)) == ["unknown"]
    checked = UpstreamSettings("a", NOBODY, health=HealthRules("/health"))
    assert await states(checked) == ["up"]
    assert await states(checked, down=True) == ["down"]


async def test_of_one_behind_a_breaker() -> None:
    guarded = UpstreamSettings("a", NOBODY, breaker=BreakerRules(failures=1), retries=RetryRules(refused_s=0.0))
    assert await states(guarded) == ["up"]
    assert await states(guarded, ask=1) == ["breaker open"]


async def test_of_several() -> None:
    targets = (TargetSettings(NOBODY), TargetSettings("http://127.0.0.1:2", drain=True))
    assert await states(UpstreamSettings("a", NOBODY, targets=targets)) == ["up", "draining"]
