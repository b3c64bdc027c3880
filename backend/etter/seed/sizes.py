"""How many rows of each kind a data set has."""

from dataclasses import dataclass
from typing import Literal

SizeName = Literal["tiny", "demo", "load", "load10"]


@dataclass(frozen=True, slots=True)
class Size:
    """Row counts; `workflows_per_company` is the number of dashboard entries a company has."""

    companies: int
    users: int
    workflows: int
    history: int
    documents: int
    projects: int
    tasks: int
    roles: int
    teams_per_company: int
    workflows_per_company: int


SIZES: dict[SizeName, Size] = {
    "tiny": Size(8, 240, 12, 1_200, 240, 240, 60, 24, 3, 12),
    "demo": Size(500, 20_000, 300, 100_000, 30_000, 20_000, 400, 120, 6, 30),
    "load": Size(500, 200_000, 300, 1_000_000, 300_000, 200_000, 400, 120, 12, 60),
    # What history and dashboard read is ten times as large.
    "load10": Size(500, 200_000, 300, 10_000_000, 300_000, 200_000, 400, 120, 12, 60),
}
