"""What has been acknowledged, and the judgement of every answer by it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Violation:
    """An answer older than a write that had been acknowledged before the request was sent."""

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
    """What happened in one phase. `hot_*` counts reads of single registers; delays are of writes, in ms."""

    operations: int = 0
    reads: int = 0
    hits: int = 0
    errors: int = 0
    violations: int = 0
    delays_ms: list[float] = field(default_factory=list)

    def delay(self, share: float) -> float:
        """The delay that `share` of the writes stay within, NaN without writes."""
        ordered = sorted(self.delays_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Ledger:
    """The newest acknowledged version of each register, and a tally for each phase."""

    def __init__(self, registers: int) -> None:
        self.acknowledged = [0] * registers
        self.tallies: dict[str, Tally] = {}
        self.violations: list[Violation] = []
        self.phase = ""
        self.begin("warm-up")

    def begin(self, phase: str) -> None:
        """What follows belongs to `phase`."""
        self.phase = phase
        self.tallies.setdefault(phase, Tally())

    @property
    def tally(self) -> Tally:
        """The current phase's."""
        return self.tallies[self.phase]

    def floor(self) -> tuple[int, ...]:
        """What a read that begins now has to reach, register by register."""
        return tuple(self.acknowledged)

    def wrote(self, register: int, version: int, delay_ms: float | None = None) -> None:
        """The answer to a write has arrived."""
        self.acknowledged[register] = max(self.acknowledged[register], version)
        self.tally.operations += 1
        if delay_ms is not None:
            self.tally.delays_ms.append(delay_ms)

    def read(self, node: str, path: str, floor: tuple[int, ...], body: bytes, cache_status: str) -> None:
        """Judge one answer, lines of "register=version"."""
        tally = self.tally
        tally.operations += 1
        tally.reads += 1
        tally.hits += "hit" in cache_status
        for line in body.split():
            register, _, version = line.partition(b"=")
            number, served = int(register), int(version)
            if served < floor[number]:
                tally.violations += 1
                self.violations.append(Violation(self.phase, node, path, number, floor[number], served, cache_status))

    def failed(self) -> None:
        """An operation without a usable answer; whether a write was done is unknown."""
        self.tally.operations += 1
        self.tally.errors += 1
