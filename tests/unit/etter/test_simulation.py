"""The simulation's arithmetic."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etter.models.simulation import SimulatedRole, SimulationRequest
from etter.services.simulation import simulate

requests = st.builds(
    SimulationRequest,
    company=st.just("Acme"),
    automation_factor=st.floats(0, 1),
    n_iterations=st.integers(1, 200),
    roles=st.lists(
        st.builds(
            SimulatedRole,
            role=st.just("Clerk"),
            headcount=st.integers(0, 1_000_000),
            avg_salary=st.floats(0, 10_000_000),
        ),
        min_size=1,
        max_size=3,
    ),
)


@given(requests)
@settings(max_examples=100, deadline=None)
def test_nobody_is_freed_twice(request: SimulationRequest) -> None:
    result = simulate(request)
    people = sum(role.headcount for role in request.roles)
    assert 0 <= result.freed_headcount.p5 <= result.freed_headcount.p50 <= result.freed_headcount.p95 <= people
    assert 0 <= result.savings.p5 <= result.savings.p50 <= result.savings.p95
    assert simulate(request) == result


@pytest.mark.parametrize(("factor", "freed"), [(0.0, 0.0), (1.0, 100.0)])
def test_ends_of_the_scale(factor: float, freed: float) -> None:
    role = SimulatedRole(role="Clerk", headcount=100, avg_salary=1000)
    result = simulate(SimulationRequest(company="Acme", automation_factor=factor, roles=[role], n_iterations=10))
    assert msgspec.structs.astuple(result.freed_headcount) == (freed,) * 4


def test_the_mean_follows_the_factor() -> None:
    role = SimulatedRole(role="Clerk", headcount=1000, avg_salary=1000)
    result = simulate(SimulationRequest(company="Acme", automation_factor=0.4, roles=[role], n_iterations=20_000))
    assert result.freed_headcount.mean == pytest.approx(400, rel=0.02)
    assert result.savings.mean == pytest.approx(400_000, rel=0.02)
