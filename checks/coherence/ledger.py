"""What has been acknowledged, and the judgement of every answer by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from checks.coherence.usage import Usage

NOT_ASKED_FOR = -1
"""Stands for the version of a register that the request was not about."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An answer older than a write that had been acknowledged before the request was sent, or to another request."""

    phase: str
    node: str
    path: str
    register: int
    acknowledged: int
    served: int
    cache_status: str

    def __str__(self) -> str:
        """One line for the report."""
        return (
            f"[{self.phase}] {self.node} {self.path}: register {self.register} was at {self.acknowledged} before the "
            f"request, {self.served} was served ({self.cache_status})"
        )


@dataclass(slots=True)
class Tally:
    """What happened in one phase. Delays are in ms, in the order in which they were seen.

    `write_ms` is how long writes took for their client beyond the backend's own time, `node_ms` the same by the node's
    clock, from the request's head to the answer, and `receipt_ms` what purges' receipts say. Writes through the node
    that the phase's fault strikes wait for the node itself, and are kept apart in `struck_ms`.
    """

    struck: int | None = None
    operations: int = 0
    reads: int = 0
    hits: int = 0
    errors: int = 0
    violations: int = 0
    write_ms: list[float] = field(default_factory=list)
    struck_ms: list[float] = field(default_factory=list)
    node_ms: list[float] = field(default_factory=list)
    receipt_ms: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


def within(delays: list[float], share: float) -> float:
    """The delay that `share` of them stay within, NaN without any."""
    ordered = sorted(delays)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Ledger:
    """The newest acknowledged version of each register, and a tally for each phase."""

    def __init__(self, registers: int) -> None:
        self.acknowledged = [0] * registers
        self.tallies: dict[str, Tally] = {}
        self.violations: list[Violation] = []
        self.phase = ""
        self.begin("warm-up")

    def begin(self, phase: str, struck: int | None = None) -> None:
        """What follows belongs to `phase`, whose fault strikes the node of number `struck`."""
        self.phase = phase
        self.tallies.setdefault(phase, Tally(struck))

    @property
    def tally(self) -> Tally:
        """The current phase's."""
        return self.tallies[self.phase]

    def floor(self) -> tuple[int, ...]:
        """What a read that begins now has to reach, register by register."""
        return tuple(self.acknowledged)

    def wrote(self, register: int, version: int) -> None:
        """The answer to a write has arrived."""
        self.acknowledged[register] = max(self.acknowledged[register], version)
        self.tally.operations += 1

    def waited(self, node: int, write_ms: float, node_ms: float) -> None:
        """How long the write took that has just been answered."""
        if node == self.tally.struck:
            self.tally.struck_ms.append(write_ms)
        else:
            self.tally.write_ms.append(write_ms)
            self.tally.node_ms.append(node_ms)

    def read(self, node: str, path: str, floor: tuple[int, ...], body: bytes, cache_status: str) -> None:
        """Judge one answer, lines of "register=version"."""
        self.judge(node, path, dict(enumerate(floor)), body, cache_status)

    def judge(self, node: str, path: str, floor: Mapping[int, int], body: bytes, cache_status: str) -> None:
        """Judge one answer by the versions that it has to reach. What was not asked for is wrong in any version."""
        tally = self.tally
        tally.operations += 1
        tally.reads += 1
        tally.hits += "hit" in cache_status
        for line in body.split():
            register, _, version = line.partition(b"=")
            number, served = int(register), int(version)
            wanted = floor.get(number, NOT_ASKED_FOR)
            if served < wanted or wanted == NOT_ASKED_FOR:
                tally.violations += 1
                self.violations.append(Violation(self.phase, node, path, number, wanted, served, cache_status))

    def failed(self) -> None:
        """An operation without a usable answer; whether a write was done is unknown."""
        self.tally.operations += 1
        self.tally.errors += 1
