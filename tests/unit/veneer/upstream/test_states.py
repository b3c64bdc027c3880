"""The states of backends, as whoever watches is told them."""

from __future__ import annotations

import pytest

from tests.support.clock import ManualClock
from tests.support.origin import OriginConnection
from tests.unit.veneer.upstream.conftest import pool_for, request
from veneer.loop.tasks import Tasks
from veneer.policy.model import BreakerRules, HealthRules, UpstreamSettings
from veneer.policy.model_targets import RetryRules, TargetSettings
from veneer.ports import UpstreamError
from veneer.upstream.health import BreakerGuard, CheckedPool
from veneer.upstream.open import open_upstream, targets_of
from veneer.upstream.states import UpstreamCondition, condition_of, states_of

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
    found = [state for _, state in states_of(upstream, settings.url)]
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


async def test_nothing_watches_it() -> None:
    assert condition_of(open_upstream(UpstreamSettings("u", NOBODY), ManualClock(), Tasks())) == UpstreamCondition(
        up=True
    )


async def test_a_breaker_that_is_open() -> None:
    async def script(connection: OriginConnection) -> None:
        await connection.request_head()

    async with pool_for(script) as bench:
        guard = BreakerGuard(bench.pool, BreakerRules(failures=1, open_s=5.0), bench.clock)
        assert condition_of(guard) == UpstreamCondition(up=True, breaker="closed")
        with pytest.raises(UpstreamError):
            await guard.exchange(request(), None)
        assert condition_of(guard) == UpstreamCondition(up=False, breaker="open")
        bench.clock.advance(5.0)
        assert condition_of(guard) == UpstreamCondition(up=True, breaker="half-open")


async def test_a_health_check_that_fails() -> None:
    tasks = Tasks()
    upstream = open_upstream(UpstreamSettings("u", NOBODY, health=HealthRules("/health")), ManualClock(), tasks)
    assert isinstance(upstream, CheckedPool)
    upstream.healthy = False
    assert condition_of(upstream) == UpstreamCondition(up=False)
    await upstream.aclose()
    await tasks.aclose()


async def test_several_targets_are_up_while_one_is() -> None:
    tasks = Tasks()
    targets = tuple(TargetSettings(f"http://127.0.0.1:{port}", drain=port == 1) for port in (1, 2))
    upstream = open_upstream(UpstreamSettings("u", targets[0].url, targets=targets), ManualClock(), tasks)
    assert condition_of(upstream).up
    found = targets_of(upstream)
    assert found is not None
    found.targets[1].load.ejected_until = 9.0
    assert not condition_of(upstream).up
    await upstream.aclose()
    await tasks.aclose()
