"""Every case of the comparison: first the configuration that people run, then one thing at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from benchmarks.peers.cases import Case, all_cases
from benchmarks.peers.shipped import shipped_cases


@cache
def every_case() -> Mapping[str, Case]:
    """Every case by its key, in the order of the report."""
    return {case.key: case for case in (*shipped_cases(), *all_cases().values())}
