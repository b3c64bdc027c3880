"""The simulation on the wire. Amounts are per year, in one currency that the caller knows."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from etter.web.fields import Name


class SimulatedRole(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role to simulate."""

    role: Name
    headcount: Annotated[int, Meta(ge=0, le=1_000_000)]
    avg_salary: Annotated[float, Meta(ge=0, le=10_000_000)]


class SimulationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to simulate; `automation_factor` is the expected share of work that can be automated, 0 to 1."""

    company: Name
    automation_factor: Annotated[float, Meta(ge=0, le=1)]
    roles: Annotated[list[SimulatedRole], Meta(min_length=1, max_length=200)]
    n_iterations: Annotated[int, Meta(ge=1, le=100_000)] = 1000


class Spread(msgspec.Struct, frozen=True):
    """A distribution in four numbers."""

    mean: float
    p5: float
    p50: float
    p95: float


class RoleOutcome(msgspec.Struct, frozen=True):
    """What happens to one role, on average."""

    role: str
    freed_headcount: float
    savings: float


class SimulationStep(msgspec.Struct, frozen=True):
    """The mean savings after so many iterations: where they no longer move, more iterations say no more."""

    iterations: int
    mean_savings: float


class SimulationResult(msgspec.Struct, frozen=True):
    """What the simulation found."""

    company: str
    n_iterations: int
    current_cost: float
    savings: Spread
    freed_headcount: Spread
    roles: list[RoleOutcome]
    simulation_steps: list[SimulationStep]
    status: Literal["completed"] = "completed"
