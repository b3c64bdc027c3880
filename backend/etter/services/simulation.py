"""Monte Carlo over roles: how much of the work could be automated, and what that would save.

Per iteration and role: the automated share is drawn from a beta distribution around the automation factor, the
people it frees from a binomial one, their salary from a normal one of 10 % spread. The random source is seeded from
the request, so the same question has the same answer, and the answer may be cached.
"""

import hashlib
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from etter.errors import ValidationError
from etter.models.simulation import RoleOutcome, SimulationRequest, SimulationResult, SimulationStep, Spread
from etter.workers import Workers

MAX_DRAWS = 5_000_000
STEPS = 10
_CONCENTRATION = 20.0
_SALARY_SPREAD = 0.1

Floats: TypeAlias = NDArray[np.float64]


class SimulationService:
    """Runs simulations in threads of their own: numpy lets go of the interpreter while it computes."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    async def simulate(self, request: SimulationRequest) -> SimulationResult:
        """Check the size and compute."""
        draws = request.n_iterations * len(request.roles)
        if draws > MAX_DRAWS:
            raise ValidationError(
                "n_iterations times the number of roles is too large", field="n_iterations", limit=MAX_DRAWS
            )
        return await self._workers.run(lambda: simulate(request))


def simulate(request: SimulationRequest) -> SimulationResult:
    """Compute the distribution of savings and freed people."""
    digest = hashlib.sha256(msgspec.json.encode(request)).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    count = request.n_iterations
    savings: Floats = np.zeros(count)
    freed: Floats = np.zeros(count)
    outcomes = []
    for role in request.roles:
        people = random.binomial(role.headcount, _shares(random, request.automation_factor, count)).astype(np.float64)
        salaries = np.clip(random.normal(role.avg_salary, role.avg_salary * _SALARY_SPREAD, count), 0.0, None)
        saved = people * salaries
        savings += saved
        freed += people
        outcomes.append(RoleOutcome(role.role, round(float(people.mean()), 2), round(float(saved.mean()), 2)))
    return SimulationResult(
        company=request.company,
        n_iterations=count,
        current_cost=round(sum(role.headcount * role.avg_salary for role in request.roles), 2),
        savings=_spread(savings),
        freed_headcount=_spread(freed),
        roles=outcomes,
        simulation_steps=_steps(savings),
    )


def _steps(savings: Floats) -> list[SimulationStep]:
    """The mean after each tenth of the iterations; after each iteration where there are fewer than ten."""
    means = np.cumsum(savings) / np.arange(1, len(savings) + 1)
    ends = sorted({max(1, len(savings) * tenth // STEPS) for tenth in range(1, STEPS + 1)})
    return [SimulationStep(end, round(float(means[end - 1]), 2)) for end in ends]


def _shares(random: np.random.Generator, factor: float, count: int) -> Floats:
    if factor in {0.0, 1.0}:  # the beta distribution has no such means
        return np.full(count, factor)
    # Very small parameters underflow to 0, which numpy refuses.
    low = 1e-6
    return random.beta(max(factor * _CONCENTRATION, low), max((1 - factor) * _CONCENTRATION, low), count)


def _spread(values: Floats) -> Spread:
    p5, p50, p95 = (round(float(value), 2) for value in np.percentile(values, (5, 50, 95)))
    return Spread(round(float(values.mean()), 2), p5, p50, p95)
